import http from "node:http";
import { pipeline, Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { describe, expect, it } from "vitest";

import type { NodeHandler } from "../../../src/app/handler.ts";
import { GET, Hosted, POST } from "../../support/hosted.ts";

const events = (emitter: NodeJS.EventEmitter, names: string[]): string[] => {
  const seen: string[] = [];
  for (const name of names) emitter.on(name, () => seen.push(name));
  return seen;
};

describe("a response", () => {
  it("is a genuine http.ServerResponse", () => {
    Hosted.run((req, res) => {
      expect(res).toBeInstanceOf(http.ServerResponse);
      expect(res.constructor.name).toBe("ServerResponse");
      expect(res.req).toBe(req);
      expect(res.socket).toBe(req.socket);
      res.end();
    });
  });

  it("sends one Status line, its headers, and a Content-Length where it ends at once", async () => {
    const hosted = Hosted.run((_req, res) => void res.setHeader("Content-Type", "text/plain").end("hello"));
    await hosted.ended();
    expect(hosted.headText).toMatch(
      /^Status: 200 OK\r\nContent-Type: text\/plain\r\nDate: .*\r\nContent-Length: 5\r\n\r\n$/,
    );
    expect(hosted.bodyText).toBe("hello");
    expect(hosted.types).toEqual(["head", "body", "end"]);
  });

  it("has the state that packages read at each step", async () => {
    let res!: http.ServerResponse;
    const hosted = Hosted.run((_req, response) => void (res = response));
    expect([res.headersSent, res.writableEnded, res.writableFinished, res.finished]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    res.write("a");
    expect([res.headersSent, res.writableEnded]).toEqual([true, false]);
    res.end("b");
    expect([res.writableEnded, res.finished]).toEqual([true, true]);
    await finished(res);
    expect([res.writableFinished, res.destroyed]).toEqual([true, true]);
    expect(hosted.bodyText).toBe("ab");
  });

  it("emits prefinish, finish and close, each once and in this order", async () => {
    let seen: string[] = [];
    const hosted = Hosted.run((_req, res) => {
      seen = events(res, ["prefinish", "finish", "close", "error"]);
      res.end("x");
    });
    hosted.end();
    await hosted.until(() => seen.includes("close"), "close");
    expect(seen).toEqual(["prefinish", "finish", "close"]);
  });

  it("reaches hooks that packages put on writeHead and end, for implicit heads too", async () => {
    const calls: string[] = [];
    const hosted = Hosted.run((_req, res) => {
      const { writeHead, end } = res;
      res.writeHead = function (this: http.ServerResponse, ...args: unknown[]) {
        calls.push("writeHead");
        this.setHeader("X-Late", "yes");
        return writeHead.apply(this, args as [number]);
      };
      res.end = function (this: http.ServerResponse, ...args: unknown[]) {
        calls.push("end");
        return end.apply(this, args as Parameters<typeof end>);
      };
      res.end("x");
    });
    await hosted.ended();
    expect(calls).toEqual(["end", "writeHead"]);
    expect(hosted.headText).toContain("X-Late: yes\r\n");
  });

  it("keeps working when the prototypes of req and res are replaced, as Express does", async () => {
    const hosted = Hosted.run((req, res) => {
      const onPrototype = Object.create(http.ServerResponse.prototype, {
        end: {
          value(this: http.ServerResponse, chunk: string) {
            return http.ServerResponse.prototype.end.call(this, `<${chunk}>`, "utf8");
          },
        },
      });
      Object.setPrototypeOf(res, onPrototype);
      Object.setPrototypeOf(req, Object.create(http.IncomingMessage.prototype));
      res.end("x");
    });
    await hosted.ended();
    expect(hosted.bodyText).toBe("<x>");
  });

  it.each([
    ["object", { "Content-Type": "text/x", "X-A": "1" }],
    ["flat array", ["Content-Type", "text/x", "X-A", "1"]],
    [
      "array of pairs",
      [
        ["Content-Type", "text/x"],
        ["X-A", "1"],
      ],
    ],
  ])("takes headers as %s", async (_form, headers) => {
    const hosted = Hosted.run((_req, res) => void res.writeHead(201, "Made", headers as never).end());
    await hosted.ended();
    expect(hosted.headText).toMatch(/^Status: 201 Made\r\nContent-Type: text\/x\r\nX-A: 1\r\n/);
  });

  it("sends no body for HEAD, 204 and 304, and keeps the length that was set", async () => {
    const head = Hosted.run((_req, res) => void res.writeHead(200, { "Content-Length": "7" }).end("ignored"), {
      ...GET,
      REQUEST_METHOD: "HEAD",
    });
    await head.ended();
    expect([head.bodyText, head.types.at(-1)]).toEqual(["", "end"]);
    expect(head.headText).toContain("Content-Length: 7");
    for (const status of [204, 304]) {
      const hosted = Hosted.run((_req, res) => void res.writeHead(status).end("ignored"));
      await hosted.ended();
      expect([hosted.status, hosted.bodyText, hosted.types.at(-1)]).toEqual([status, "", "end"]);
    }
  });

  it("never lets connection framing out, even where the app asks for it", async () => {
    const hosted = Hosted.run((_req, res) => {
      res.writeHead(200, {
        "Transfer-Encoding": "chunked",
        Connection: "close",
        Trailer: "X-T",
        "Keep-Alive": "timeout=5",
      });
      res.write("ab");
      res.addTrailers({ "X-T": "1" });
      res.end("cd");
    });
    await hosted.ended();
    expect(hosted.headText).not.toMatch(/transfer-encoding|connection|trailer|keep-alive/i);
    expect(hosted.bodyText).toBe("abcd");
  });

  it("drops 100, 102 and 103, and calls back", async () => {
    const called: string[] = [];
    const hosted = Hosted.run((_req, res) => {
      res.writeContinue(() => called.push("continue"));
      res.writeProcessing();
      res.writeEarlyHints({ link: "</a.css>; rel=preload" }, () => called.push("hints"));
      res.end("x");
    });
    await hosted.until(() => called.length === 2);
    expect(hosted.types).toEqual(["head", "body", "end"]);
    expect(hosted.headText).toMatch(/^Status: 200 OK/);
  });

  it("calls back for an interim answer before anything else is sent, since an app may wait for it", async () => {
    const hosted = Hosted.run((_req, res) => res.writeEarlyHints({ link: "</a.css>" }, () => void res.end("x")));
    await hosted.ended();
    expect([hosted.status, hosted.bodyText]).toEqual([200, "x"]);
  });

  it("drops interim heads whatever they hold", async () => {
    const hosted = Hosted.run((_req, res) => {
      const link = Array.from({ length: 2_000 }, (_, i) => `</${i}/${"x".repeat(40)}.css>; rel=preload`);
      res.writeEarlyHints({ link, "content-length": "two" }, () => void res.end("x"));
    });
    await hosted.ended();
    expect([hosted.status, hosted.bodyText, hosted.logged]).toEqual([200, "x", []]);
  });

  it.each([
    ["a link", { link: "</x\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: sid=evil\r\n\r\nevil>; rel=preload" }],
    ["another field", { link: "</a.css>", "x-a": "b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nevil" }],
    ["a list", { link: ["</a.css>", "</b\n>"] }],
    ["what becomes a line end", { link: "</a.css>", "x-a": "\u010d\u010aSet-Cookie: sid=evil" }],
    ["a name", { link: "</a.css>", "x-a: b\r\nx-c": "d" }],
  ])("refuses early hints with a line end in %s", async (_where, hints) => {
    for (const earlyHints of [true, false]) {
      const hosted = Hosted.run((_req, res) => res.writeEarlyHints(hints, () => void res.end("x")), GET, {
        earlyHints,
      });
      await hosted.ended();
      expect([hosted.status, hosted.types.filter((type) => type === "head")]).toEqual([500, ["head"]]);
      expect(hosted.bodyText).not.toContain("evil");
    }
  });

  it("takes nothing for the answer that is written together with an interim one", async () => {
    const hosted = Hosted.run((_req, res) => {
      res.socket!.write("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nevil");
    });
    await hosted.ended();
    expect([hosted.status, hosted.bodyText.includes("evil")]).toEqual([500, false]);
  });

  it("has no place for interim answers once the answer has begun, and calls back", async () => {
    const called: string[] = [];
    const hosted = Hosted.run(
      (_req, res) => {
        res.write("one ");
        res.writeContinue(() => called.push("continue"));
        res.writeProcessing();
        res.writeEarlyHints({ link: "</a.css>" }, () => {
          called.push("hints");
          res.end("two");
        });
      },
      GET,
      { earlyHints: true },
    );
    await hosted.ended();
    expect([hosted.bodyText, called]).toEqual(["one two", ["continue", "hints"]]);
  });

  it("may lose its socket for a while, and ends when it has it again", async () => {
    const hosted = Hosted.run((_req, res) => {
      const socket = res.socket!;
      res.detachSocket(socket);
      res.end("b");
      res.assignSocket(socket);
    });
    await hosted.ended();
    expect([hosted.status, hosted.bodyText]).toEqual([200, "b"]);
  });

  it("sends the head at once with flushHeaders", () => {
    const hosted = Hosted.run((_req, res) => res.flushHeaders());
    expect(hosted.types).toEqual(["head"]);
  });

  it("refuses a header value with a line break before anything is sent", async () => {
    const hosted = Hosted.run((_req, res) => void res.setHeader("X-A", "a\r\nSet-Cookie: b=1").end());
    await hosted.ended();
    expect(hosted.status).toBe(500);
    expect(hosted.headText).not.toContain("Set-Cookie");
  });

  it("cuts a body that is longer than its Content-Length", async () => {
    const hosted = Hosted.run((_req, res) => {
      res.writeHead(200, { "Content-Length": "3" });
      res.write("ab");
      res.write("cd");
      res.end("ef");
    });
    await hosted.ended();
    expect([hosted.bodyText, hosted.types.at(-1)]).toEqual(["abc", "end"]);
  });

  it("breaks off a body that is shorter than its Content-Length", async () => {
    const hosted = Hosted.run((_req, res) => void res.writeHead(200, { "Content-Length": "3" }).end("a"));
    await hosted.ended();
    expect(hosted.types.filter((type) => type !== "stderr")).toEqual(["head", "body", "fail"]);
    expect(hosted.logged.join()).toContain("RESPONSE_BODY_SHORT");
  });

  it("returns false above the high-water mark, and emits drain once when all has left", async () => {
    const hosted = new Hosted();
    hosted.autoCredit = false;
    let drains = 0;
    let res!: http.ServerResponse;
    hosted.start((_req, response) => {
      res = response;
      res.on("drain", () => drains++);
    });
    expect(res.write(Buffer.alloc(res.writableHighWaterMark + 1))).toBe(false);
    await new Promise((resolve) => process.nextTick(resolve));
    expect([res.writableNeedDrain, res.writableLength]).toEqual([true, res.writableHighWaterMark + 1]);
    expect(res.socket?.writableNeedDrain).toBe(true);
    hosted.credit();
    expect([drains, res.writableNeedDrain, res.writableLength]).toEqual([1, false, 0]);
    expect(res.socket?.writableNeedDrain).toBe(false);
    expect(res.write("x")).toBe(true);
    expect(drains).toBe(1);
  });

  it("carries a stream by pipeline, with back-pressure", async () => {
    const total = 1 << 20;
    let sent = 0;
    const hosted = Hosted.run((_req, res) => {
      const source = new Readable({
        read() {
          sent += 65536;
          this.push(sent <= total ? Buffer.alloc(65536, 97) : null);
        },
      });
      pipeline(source, res, () => {});
    });
    await hosted.ended();
    expect(hosted.bodyText.length).toBe(total);
  });

  it("holds what is written while corked", async () => {
    let res!: http.ServerResponse;
    const hosted = Hosted.run((_req, response) => {
      res = response;
      res.cork();
      res.write("a");
      res.write("b");
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(hosted.types).toEqual([]);
    res.uncork();
    expect(hosted.bodyText).toBe("ab");
    res.end();
  });

  it("calls write callbacks once the bytes have left", async () => {
    const hosted = new Hosted();
    hosted.autoCredit = false;
    const called: string[] = [];
    hosted.start((_req, res) => {
      res.write("a", () => called.push("a"));
      res.end("b", () => called.push("end"));
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(called).toEqual([]);
    hosted.credit();
    await hosted.until(() => called.length === 2);
    expect(called).toEqual(["a", "end"]);
  });

  it("sends header characters over 0x7f as node http does: latin1, or in the encoding of a first chunk of text", async () => {
    const bytes = Hosted.run((_req, res) => void res.setHeader("X-Latin", "\xe9").end(Buffer.from("x")));
    await bytes.ended();
    expect(bytes.headText).toContain("X-Latin: \xe9\r\n");
    const text = Hosted.run((_req, res) => void res.setHeader("X-Latin", "\xe9").end("\u2603"));
    await text.ended();
    expect(text.headText).toContain("X-Latin: \xc3\xa9\r\n");
    expect(text.bodyText).toBe("\u2603");
  });
});

describe("an answer that an app writes to the socket itself", () => {
  it("is told of 'drain', and calls back at its end", async () => {
    const hosted = new Hosted();
    hosted.autoCredit = false;
    const heard: string[] = [];
    hosted.start((req) => {
      const { socket } = req;
      socket.on("drain", () => {
        heard.push("drain");
        socket.end("y", () => heard.push("ended"));
      });
      socket.write("HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
      heard.push(String(socket.write(Buffer.alloc(socket.writableHighWaterMark, 120))));
    });
    await new Promise((resolve) => process.nextTick(resolve));
    hosted.credit();
    expect(heard).toEqual(["false", "drain"]);
    hosted.credit();
    await hosted.until(() => heard.length === 3);
    expect(heard).toEqual(["false", "drain", "ended"]);
    expect(hosted.types.at(-1)).toBe("end");
  });

  it("may be told to go soon: it goes when all has left", async () => {
    const hosted = new Hosted();
    hosted.autoCredit = false;
    const heard: string[] = [];
    hosted.start(({ socket }) => {
      socket.on("close", (failed) => heard.push(`close ${failed}`));
      socket.write("HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello", (error) => heard.push(`left ${error}`));
      socket.destroySoon();
    });
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(heard).toEqual([]);
    hosted.credit();
    hosted.end();
    await hosted.until(() => heard.length === 2);
    expect([heard, hosted.types.at(-1)]).toEqual([["left undefined", "close false"], "end"]);
  });

  it("ends with the error that it was destroyed with, even in the tick of a write", async () => {
    const heard: unknown[] = [];
    const hosted = Hosted.run((req, res) => {
      req.on("error", () => {});
      req.socket.on("error", (error) => heard.push(error.message));
      req.socket.on("close", (failed) => heard.push(failed));
      res.write("a");
      req.socket.destroy(new Error("boo"));
    });
    await hosted.until(() => heard.length === 2);
    expect(heard).toEqual(["boo", true]);
  });
});

describe("an app that fails in a listener or a callback", () => {
  it("is answered for, and what it was sent is credited", async () => {
    const hosted = Hosted.run(
      (req) => {
        req.on("data", () => {
          throw new Error("boom");
        });
      },
      { ...POST, CONTENT_LENGTH: "10" },
    );
    await new Promise((resolve) => setImmediate(resolve));
    hosted.body("hello");
    hosted.body("world");
    hosted.end();
    await hosted.ended();
    expect([hosted.status, hosted.creditGiven]).toEqual([500, 10]);
    expect(hosted.logged.join()).toContain("boom");
  });

  it("has its other callbacks called", async () => {
    const hosted = new Hosted();
    hosted.autoCredit = false;
    const called: string[] = [];
    hosted.start((_req, res) => {
      res.write("a", () => {
        called.push("a");
        throw new Error("boom");
      });
      res.write("b", () => called.push("b"));
    });
    await new Promise((resolve) => process.nextTick(resolve));
    hosted.credit();
    await hosted.ended();
    expect([called, hosted.types.at(-1)]).toEqual([["a", "b"], "fail"]);
    expect(hosted.logged.join()).toContain("boom");
  });
});

describe("what comes of a request that is over", () => {
  it.each<[string, NodeHandler]>([
    [
      "since the app threw",
      () => {
        throw new Error("boom");
      },
    ],
    ["since the app destroyed the answer", (_req, res) => res.destroy()],
    ["since the app destroyed the request", (req, res) => void res.end("x", () => req.destroy())],
  ])("is credited at once: %s", async (_why, handler) => {
    const hosted = Hosted.run(handler, { ...POST, CONTENT_LENGTH: "10" });
    hosted.body("hello");
    await hosted.ended();
    await new Promise((resolve) => setTimeout(resolve, 5));
    hosted.body("world");
    await hosted.until(() => hosted.creditGiven === 10, "the credit of all");
    expect(hosted.types.filter((type) => type === "end" || type === "fail")).toHaveLength(1);
  });
});

describe("a socket's timeout", () => {
  it("counts from the last byte that left, and not while some are on their way", async () => {
    const hosted = new Hosted();
    hosted.autoCredit = false;
    let timeouts = 0;
    hosted.start((req, res) => {
      req.socket.setTimeout(20, () => timeouts++);
      res.write("x");
    });
    await new Promise((resolve) => setTimeout(resolve, 70));
    expect(timeouts).toBe(0);
    hosted.credit();
    await hosted.until(() => timeouts === 1, "the timeout");
  });
});

describe("a failing app", () => {
  it.each([
    [
      "throws",
      () => {
        throw new Error("secret detail");
      },
    ],
    [
      "rejects",
      async () => {
        throw new Error("secret detail");
      },
    ],
    [
      "throws what is no error",
      () => {
        throw "secret detail";
      },
    ],
  ])("that %s before the head is answered 500 without detail; log and STDERR have the stack", async (_how, handler) => {
    const hosted = Hosted.run(handler);
    await hosted.ended();
    expect(hosted.status).toBe(500);
    expect(hosted.bodyText).not.toContain("secret");
    expect(hosted.stderrText).toContain("secret detail");
    expect(hosted.logged.join()).toContain("secret detail");
  });

  it.each<[string, () => unknown]>([
    ["has no text", () => Object.create(null)],
    [
      "fails when it is looked at",
      () =>
        new Proxy(new Error("x"), {
          get: () => {
            throw new Error("no");
          },
        }),
    ],
    ["has no stack", () => Object.assign(new Error("x"), { stack: 7, message: undefined })],
  ])("that rejects with what %s is answered 500 all the same", async (_what, make) => {
    const hosted = Hosted.run(
      async () => {
        throw make();
      },
      GET,
      { debug: true },
    );
    await hosted.ended();
    expect([hosted.status, hosted.logged.length]).toEqual([500, 1]);
  });

  it("that throws after the head breaks its answer off", async () => {
    const hosted = Hosted.run((_req, res) => {
      res.write("half");
      res.uncork();
      throw new Error("late");
    });
    await hosted.ended();
    expect(hosted.types.at(-1)).toBe("fail");
  });

  it("may go on writing after its answer was cut: nothing is sent, nothing piles up", async () => {
    let res!: http.ServerResponse;
    const hosted = Hosted.run((_req, response) => {
      res = response;
      throw new Error("x");
    });
    await hosted.ended();
    await new Promise((resolve) => setImmediate(resolve));
    const before = hosted.events.length;
    res.on("error", () => {});
    for (let i = 0; i < 10; i++) res.write("more");
    res.end("end");
    await new Promise((resolve) => setImmediate(resolve));
    expect(hosted.events.length).toBe(before);
  });

  it("shows its stack with debug", async () => {
    const hosted = Hosted.run(
      () => {
        throw new Error("shown");
      },
      GET,
      { debug: true },
    );
    await hosted.ended();
    expect(hosted.bodyText).toContain("shown");
  });
});
