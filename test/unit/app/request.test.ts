import http from "node:http";
import type { TLSSocket } from "node:tls";
import { inspect, isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";

import { cgi, type GatewayRequest } from "../../../src/app/request.ts";
import { GET, Hosted, POST } from "../../support/hosted.ts";

const LAZY = ["headers", "rawHeaders", "headersDistinct", "cgi"] as const;

/** What is looked at again, after the first look. */
function pick({
  headers,
  rawHeaders,
  headersDistinct,
  cgi: variables,
}: GatewayRequest): Pick<GatewayRequest, (typeof LAZY)[number]> {
  return { headers, rawHeaders, headersDistinct, cgi: variables };
}

describe("a request", () => {
  it("is a genuine http.IncomingMessage with line, headers and addresses", () => {
    let req!: GatewayRequest;
    Hosted.run((request, res) => {
      req = request as GatewayRequest;
      expect(req).toBeInstanceOf(http.IncomingMessage);
      expect([req.method, req.url, req.baseUrl, req.originalUrl, req.httpVersion]).toEqual([
        "GET",
        "/hello?x=1",
        "",
        "/hello?x=1",
        "1.1",
      ]);
      expect(req.headers).toEqual({ host: "www.example.test" });
      expect(req.rawHeaders).toEqual(["Host", "www.example.test"]);
      expect(req.headersDistinct).toEqual({ host: ["www.example.test"] });
      const { socket } = req as unknown as { socket: TLSSocket };
      expect([socket.remoteAddress, socket.remotePort, socket.remoteFamily]).toEqual(["192.0.2.7", 40000, "IPv4"]);
      expect([socket.localAddress, socket.localPort, socket.encrypted]).toEqual(["10.0.0.1", 443, true]);
      expect(socket.address()).toEqual({ address: "10.0.0.1", port: 443, family: "IPv4" });
      expect(req.connection).toBe(req.socket);
      res.end();
    });
    expect(req).toBeDefined();
  });

  it("tells the web server's variables apart from the client's headers", () => {
    let checked = false;
    Hosted.run(
      (request, res) => {
        const req = request as GatewayRequest;
        expect(cgi(req)).toBe(req.cgi);
        expect(req.cgi["REMOTE_USER"]).toBe("arthur");
        expect(Object.keys(req.cgi).filter((name) => name.startsWith("HTTP_"))).toEqual([]);
        expect(Object.getPrototypeOf(req.cgi)).toBeNull();
        expect(Object.isFrozen(req.cgi)).toBe(true);
        expect((req.socket as unknown as { params: Record<string, string> }).params["HTTP_REMOTE_USER"]).toBe(
          "mallory",
        );
        checked = true;
        res.end();
      },
      { ...GET, REMOTE_USER: "arthur", HTTP_REMOTE_USER: "mallory" },
    );
    expect(checked).toBe(true);
  });

  it("keeps its variables when its prototype is replaced", () => {
    let user: string | undefined;
    Hosted.run(
      (request, res) => {
        Object.setPrototypeOf(request, Object.create(http.IncomingMessage.prototype));
        user = (request as GatewayRequest).cgi["REMOTE_USER"];
        res.end();
      },
      { ...GET, REMOTE_USER: "arthur" },
    );
    expect(user).toBe("arthur");
  });

  it.each(LAZY)("has %s made when it is first looked into, whatever is looked at first", (name) => {
    const full = { ...GET, HTTP_COOKIE: "a=1", REMOTE_USER: "arthur" };
    const seen: unknown[] = [];
    for (const look of [
      (value: object) => JSON.stringify(value),
      (value: object) => inspect(value),
      (value: object) => String(Object.keys(value)),
      (value: object) => String(Reflect.ownKeys({ ...value })),
      (value: object) => String(Array.isArray(value)),
      (value: object) => isDeepStrictEqual(value, {}),
    ]) {
      let first: unknown;
      let second: unknown;
      Hosted.run((request, res) => {
        first = look((request as GatewayRequest)[name]);
        second = look(pick(request as GatewayRequest)[name]);
        res.end();
      }, full);
      expect(first).toEqual(second);
      seen.push(first);
    }
    expect(seen[0]).toMatch(/www\.example\.test|arthur/);
    expect(seen[1]).toMatch(/www\.example\.test|arthur/);
  });

  it("takes what an app puts among its headers before it has read any, and its own headers instead", () => {
    let seen: unknown[] = [];
    Hosted.run((request, res) => {
      request.headers["x-added"] = "1";
      const { "x-added": added, host } = request.headers;
      request.headers = { own: "2" };
      seen = [added, host, request.headers, request.rawHeaders];
      res.end();
    });
    expect(seen).toEqual(["1", "www.example.test", { own: "2" }, ["Host", "www.example.test"]]);
  });

  it.each<[string, (headers: http.IncomingHttpHeaders) => http.IncomingHttpHeaders]>([
    [
      "wraps",
      (headers) => new Proxy(headers, { get: (all, name) => (name === "host" ? "hidden" : Reflect.get(all, name)) }),
    ],
    ["inherits from", (headers) => Object.create(headers, { host: { value: "hidden" } }) as http.IncomingHttpHeaders],
  ])("keeps headers that an app has put in their place, even such as %s the request's own", (_how, make) => {
    const seen: unknown[] = [];
    Hosted.run((request, res) => {
      const own = make(request.headers);
      request.headers = own;
      seen.push(request.headers.host, request.rawHeaders.length, request.headers.host, request.headers === own);
      res.end();
    });
    expect(seen).toEqual(["hidden", 2, "hidden", true]);
  });

  it("keeps to itself what an app writes to an object that inherits from its headers", () => {
    let seen: unknown[] = [];
    Hosted.run((request, res) => {
      const heir = Object.create(request.headers) as Record<string, string>;
      heir["x-added"] = "1";
      seen = [Object.keys(heir), request.headers["x-added"], heir["host"]];
      res.end();
    });
    expect(seen).toEqual([["x-added"], undefined, "www.example.test"]);
  });

  it("has headers that can be cloned once they are spread, and a filled one as it is", () => {
    let seen: unknown[] = [];
    Hosted.run((request, res) => {
      seen = [structuredClone({ ...request.headers }), structuredClone(request.headers)];
      res.end();
    });
    expect(seen).toEqual([{ host: "www.example.test" }, { host: "www.example.test" }]);
  });

  it("shows its headers although an app has thrown the raw ones away", () => {
    let seen: unknown;
    Hosted.run((request, res) => {
      request.rawHeaders = undefined as never;
      seen = request.headers.host;
      res.end();
    });
    expect(seen).toBe("www.example.test");
  });

  it("may be of a class that has accessors of its own over the headers", () => {
    class Counting extends http.IncomingMessage {
      reads = 0;
    }
    const genuine = Object.getOwnPropertyDescriptor(http.IncomingMessage.prototype, "headers")!;
    Object.defineProperty(Counting.prototype, "headers", {
      get(this: Counting): unknown {
        this.reads++;
        return genuine.get!.call(this);
      },
    });
    let seen: unknown[] = [];
    const handler = (request: http.IncomingMessage, res: http.ServerResponse): void => {
      seen = [request.headers.host, (request as Counting).reads];
      res.end();
    };
    Hosted.run(handler, GET, { IncomingMessage: Counting });
    expect(seen).toEqual(["www.example.test", 1]);
  });

  it("keeps headers that an app has put in their place before it looked at any", () => {
    let seen: unknown[] = [];
    Hosted.run((request, res) => {
      request.headers = { own: "2" };
      seen = [request.rawHeaders.length, request.headers];
      res.end();
    });
    expect(seen).toEqual([2, { own: "2" }]);
  });

  it("reads its body on demand and gives the credit back as it does", async () => {
    let req!: http.IncomingMessage;
    const hosted = Hosted.run((request) => void (req = request), POST);
    hosted.body("he");
    expect(hosted.creditGiven).toBe(0);
    let text = "";
    req.on("data", (chunk) => (text += chunk));
    await hosted.until(() => text === "he");
    expect(hosted.creditGiven).toBe(2);
    expect(req.complete).toBe(false);
    hosted.body("llo");
    hosted.end();
    await new Promise((resolve) => req.on("end", resolve));
    expect([text, req.complete, hosted.creditGiven]).toEqual(["hello", true, 5]);
  });

  it("asks for no more than its own high-water mark when nobody reads", async () => {
    let req!: http.IncomingMessage;
    const hosted = Hosted.run((request) => void (req = request), { ...POST, CONTENT_LENGTH: String(10 << 20) });
    const chunk = Buffer.alloc(16384);
    req.read(0);
    for (let i = 0; i < 20; i++) hosted.send({ type: "body", chunk });
    expect(hosted.creditGiven).toBeLessThanOrEqual(req.readableHighWaterMark + chunk.length);
  });

  it("emits end and close for a request without a body that nobody reads", async () => {
    const seen: string[] = [];
    const hosted = Hosted.run((req, res) => {
      req.on("end", () => seen.push("end"));
      req.on("close", () => seen.push("close"));
      res.end("x");
    });
    hosted.end();
    await hosted.until(() => seen.includes("close"));
    expect(seen).toEqual(["end", "close"]);
  });

  it("goes on with its body after an early answer, as in node http", async () => {
    let text = "";
    const hosted = Hosted.run((req, res) => {
      req.on("data", (chunk) => (text += chunk));
      res.end("early");
    }, POST);
    await hosted.ended();
    hosted.body("he");
    await new Promise((resolve) => setImmediate(resolve));
    hosted.body("llo");
    hosted.end();
    await hosted.until(() => text === "hello");
  });

  it("dumps a body that nobody reads after an early answer", async () => {
    const seen: string[] = [];
    const hosted = Hosted.run((req, res) => {
      req.on("close", () => seen.push("req"));
      res.on("close", () => seen.push("res"));
      res.end("early");
    }, POST);
    await hosted.ended();
    hosted.body("hello");
    hosted.end();
    await hosted.until(() => seen.length === 2);
    expect(hosted.creditGiven).toBe(5);
  });

  it("hears of a client that has left: aborted, error with ECONNRESET, close; the response closes", async () => {
    const seen: string[] = [];
    const hosted = Hosted.run((req, res) => {
      req.on("aborted", () => seen.push("aborted"));
      req.on("error", (error: NodeJS.ErrnoException) => seen.push(`error ${error.code} ${error.message}`));
      req.on("close", () => seen.push("req close"));
      res.on("close", () => seen.push(`res close ${res.destroyed} ${res.writableFinished}`));
      req.socket.on("close", () => seen.push("socket close"));
    }, POST);
    hosted.send({ type: "abort", code: "CONNECTION_LOST" });
    await hosted.until(() => seen.includes("req close"));
    expect(seen).toContain("aborted");
    expect(seen).toContain("error ECONNRESET aborted");
    expect(seen).toContain("res close true false");
    expect(seen).toContain("socket close");
  });

  it("that is aborted unheard throws nothing", async () => {
    let res!: http.ServerResponse;
    const hosted = Hosted.run((_req, response) => void (res = response), POST);
    hosted.send({ type: "abort", code: "CONNECTION_LOST" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(res.destroyed).toBe(true);
    res.write("into the void");
    res.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(hosted.types).toEqual([]);
  });

  it("destroyed by the app ends this exchange", async () => {
    const hosted = Hosted.run((req) => void req.destroy(), POST);
    await hosted.ended();
    expect(hosted.status).toBe(500);
  });

  it("refuses variables that make no request", async () => {
    const hosted = Hosted.run((_req, res) => void res.end("never"), { ...POST, REQUEST_METHOD: "a b" });
    await hosted.ended();
    expect([hosted.status, hosted.bodyText.includes("never")]).toEqual([400, false]);
  });

  it("times out on req, res or the socket; unheard, the exchange ends", async () => {
    const seen: string[] = [];
    const heard = Hosted.run((req, res) => {
      req.setTimeout(5, () => seen.push("req"));
      res.on("timeout", () => void res.writeHead(503).end());
    });
    await heard.ended();
    expect([seen, heard.status]).toEqual([["req"], 503]);
    const unheard = Hosted.run((req) => void req.socket.setTimeout(5));
    await unheard.ended();
    expect(unheard.status).toBe(500);
  });
});

describe("roles", () => {
  it("gives an authorizer setVariable and allow", async () => {
    const hosted = Hosted.run(() => {}, GET, {
      role: "authorizer",
      authorizer: (_req, res) => {
        const authorizer = res as unknown as { setVariable(name: string, value: string): void; allow(): void };
        authorizer.setVariable("AUTH_METHOD", "database");
        authorizer.allow();
      },
    });
    await hosted.ended();
    expect([hosted.status, hosted.headText.includes("Variable-AUTH_METHOD: database\r\n")]).toEqual([200, true]);
  });

  it("gives a filter its data stream", async () => {
    const hosted = Hosted.run(() => {}, GET, {
      role: "filter",
      filter: (req, res) => void (req.socket as unknown as { dataStream: NodeJS.ReadableStream }).dataStream.pipe(res),
    });
    hosted.send({ type: "data", chunk: Buffer.from("file") });
    hosted.send({ type: "dataEnd" });
    await hosted.ended();
    expect([hosted.bodyText, hosted.creditGiven]).toEqual(["file", 4]);
  });

  it("sends what is written to errorStream to STDERR", async () => {
    const hosted = Hosted.run((req, res) => {
      (req.socket as unknown as { errorStream: NodeJS.WritableStream }).errorStream.write("oops\n");
      res.end();
    });
    await hosted.ended();
    expect(hosted.stderrText).toBe("oops\n");
  });
});
