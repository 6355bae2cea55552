import { EventEmitter, once } from "node:events";
import http from "node:http";
import stream, { PassThrough, pipeline, Readable, Transform } from "node:stream";
import { finished } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { createRequire } from "node:module";

import { describe, expect, it } from "vitest";

import { sideBySide, type Scene, type Visit } from "../support/side-by-side.ts";

const onFinished = createRequire(import.meta.url)("on-finished") as {
  (message: unknown, listener: (error: Error | null) => void): void;
  isFinished(message: unknown): boolean;
};

type Req = http.IncomingMessage;
type Res = http.ServerResponse;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Says what is emitted and what the flags are then. */
function watch({ log }: Scene, req: Req, res: Res): void {
  for (const name of ["aborted", "end", "error", "close"]) {
    req.on(name, (error?: NodeJS.ErrnoException) =>
      log.push(
        `req ${name}${error === undefined ? "" : ` ${error.code} ${error.message}`} ` +
          flags({ complete: req.complete, aborted: req.aborted, destroyed: req.destroyed, ended: req.readableEnded }),
      ),
    );
  }
  for (const name of ["finish", "error", "close"]) {
    res.on(name, (error?: NodeJS.ErrnoException) =>
      log.push(
        `res ${name}${error === undefined ? "" : ` ${error.code}`} ` +
          flags({
            ended: res.writableEnded,
            finished: res.writableFinished,
            destroyed: res.destroyed,
            closed: res.closed,
          }),
      ),
    );
  }
}

function flags(named: Record<string, boolean>): string {
  return Object.keys(named)
    .filter((name) => named[name])
    .join(",");
}

/** What `call` throws, or that it does not. */
function outcome(call: () => unknown): string {
  try {
    const value = call();
    return typeof value === "boolean" || value === undefined ? String(value) : "done";
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

const CASES: Record<string, Visit> = {
  "GET, answered at once": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      res.end("x");
    },
  },
  "GET, answered later": {
    handler: async (req, res, scene) => {
      watch(scene, req, res);
      await wait(10);
      res.end("x");
    },
  },
  "GET, read to its end, then answered": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      req.resume().on("end", () => res.end("x"));
    },
  },
  "POST, unread": {
    method: "POST",
    body: "hello",
    handler: (req, res, scene) => {
      watch(scene, req, res);
      res.end("x");
    },
  },
  "POST, unread, answered later": {
    method: "POST",
    body: "hello",
    handler: async (req, res, scene) => {
      watch(scene, req, res);
      await wait(10);
      res.end("x");
    },
  },
  "POST, read then answered": {
    method: "POST",
    body: ["he", "llo"],
    handler: (req, res, scene) => {
      watch(scene, req, res);
      let text = "";
      req.setEncoding("utf8");
      req.on("data", (chunk: string) => (text += chunk));
      req.on("end", () => res.end(text));
    },
  },
  "POST, answered before the body has come": {
    method: "POST",
    body: ["he", "llo"],
    handler: (req, res, scene) => {
      watch(scene, req, res);
      res.end("early");
    },
  },
  "POST, answered before the body has come, which is read": {
    method: "POST",
    body: ["he", "llo"],
    handler: (req, res, scene) => {
      let text = "";
      req.on("data", (chunk: Buffer) => (text += chunk));
      req.on("end", () => scene.log.push(`end ${req.complete} ${text}`));
      req.on("close", () => scene.log.push("close"));
      res.end("early");
    },
  },
  "client leaves before the answer, GET": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      scene.leave();
    },
  },
  "client leaves before the answer, GET, req has been read": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      req.resume();
      setTimeout(scene.leave, 10);
    },
  },
  "client leaves in the middle of the body": {
    method: "POST",
    body: ["he", null],
    handler: (req, res, scene) => {
      watch(scene, req, res);
      req.on("data", (chunk: Buffer) => {
        scene.log.push(chunk.toString());
        scene.leave();
      });
    },
  },
  "client leaves in the middle of the body, unread": {
    method: "POST",
    body: ["he", null],
    handler: (req, res, scene) => {
      watch(scene, req, res);
      setTimeout(scene.leave, 20);
    },
  },
  "client leaves in the middle of the body, no listener for error": {
    method: "POST",
    body: ["he", null],
    handler: (req, res, { log, leave }) => {
      req.on("aborted", () => log.push("aborted"));
      req.on("close", () => log.push(`req close ${req.errored}`));
      res.on("close", () => log.push("res close"));
      setTimeout(leave, 20);
    },
  },
  "client leaves after the body": {
    method: "POST",
    body: "hello",
    handler: (req, res, scene) => {
      watch(scene, req, res);
      req.resume().on("end", scene.leave);
    },
  },
  "client leaves in the middle of the answer": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      res.write("half");
      // The client has it by then.
      setTimeout(scene.leave, 200);
    },
  },
  "client leaves in the middle of the answer, the app goes on writing": {
    handler: async (req, res, scene) => {
      watch(scene, req, res);
      res.write("half");
      await wait(200);
      scene.leave();
      await wait(40);
      scene.log.push(
        `write ${res.write("more", (error) => scene.log.push(`cb ${(error as NodeJS.ErrnoException)?.code}`))}`,
      );
      await wait(10);
      res.end("end", () => scene.log.push("end cb"));
      scene.log.push(flags({ ended: res.writableEnded, finished: res.writableFinished }));
    },
  },
  "stream.finished of both": {
    method: "POST",
    body: "hello",
    handler: (req, res, { log }) => {
      stream.finished(req, (error) => log.push(`req ${error?.code}`));
      stream.finished(res, (error) => log.push(`res ${error?.code}`));
      req.resume().on("end", () => res.end("x"));
    },
  },
  "stream.finished of both, client leaves": {
    method: "POST",
    body: ["he", null],
    handler: (req, res, { log, leave }) => {
      stream.finished(req, (error) => log.push(`req ${error?.code}`));
      stream.finished(res, (error) => log.push(`res ${error?.code}`));
      req.resume();
      setTimeout(leave, 20);
    },
  },
  "stream.finished of both, GET, client leaves": {
    handler: (req, res, { log, leave }) => {
      stream.finished(req, (error) => log.push(`req ${error?.code}`));
      stream.finished(res, (error) => log.push(`res ${error?.code}`));
      setTimeout(leave, 20);
    },
  },
  "stream.finished after all is over": {
    handler: (req, res, { log }) => {
      res.end("x");
      setTimeout(() => {
        stream.finished(req, (error) => log.push(`req ${error?.code}`));
        stream.finished(res, (error) => log.push(`res ${error?.code}`));
      }, 40);
    },
  },
  "pipeline(req, res)": {
    method: "POST",
    body: ["he", "llo"],
    handler: (req, res, { log }) => {
      pipeline(req, res, (error) => log.push(`pipeline ${error?.code}`));
    },
  },
  "pipeline(req, transform, res), client leaves": {
    method: "POST",
    body: ["he", null],
    handler: (req, res, { log, leave }) => {
      pipeline(req, new PassThrough(), res, (error) => log.push(`pipeline ${error?.code} ${error?.message}`));
      setTimeout(leave, 20);
    },
  },
  "pipeline(source, res), client leaves": {
    handler: (_req, res, { log, leave }) => {
      const source = new Readable({ read() {} });
      source.push("x");
      source.on("close", () => log.push(`source closed ${source.destroyed}`));
      pipeline(source, res, (error) => log.push(`pipeline ${error?.code}`));
      setTimeout(leave, 20);
    },
  },
  "pipeline(source that fails, res)": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      const source = new Readable({ read() {} });
      source.push("x");
      setTimeout(() => source.destroy(new Error("source")), 20);
      pipeline(source, res, (error) => scene.log.push(`pipeline ${error?.message}`));
    },
  },
  "once(req, close)": {
    handler: async (req, res, { log }) => {
      res.end("x");
      await once(req, "close");
      log.push("closed");
    },
  },
  "once(req, end) without a reader": {
    handler: async (req, res, { log }) => {
      const ended = once(req, "end");
      res.end("x");
      await ended;
      log.push("ended");
    },
  },
  "for await of req": {
    method: "POST",
    body: ["he", "llo"],
    handler: async (req, res, scene) => {
      watch(scene, req, res);
      let text = "";
      for await (const chunk of req) text += chunk;
      scene.log.push(text);
      res.end("x");
    },
  },
  "for await of req, early break, then answered": {
    method: "POST",
    body: ["he", "llo"],
    handler: async (req, res, scene) => {
      watch(scene, req, res);
      for await (const chunk of req) {
        // How much of it has come by then is a matter of the machine.
        scene.log.push(String(String(chunk).startsWith("he")));
        break;
      }
      scene.log.push(flags({ destroyed: req.destroyed, socketDestroyed: req.socket?.destroyed }));
      res.end("x");
    },
  },
  "iterator({ destroyOnReturn: false }), early break, rest read": {
    method: "POST",
    body: ["he", "llo"],
    handler: async (req, res, { log }) => {
      let text = "";
      for await (const chunk of req.iterator({ destroyOnReturn: false })) {
        text += chunk;
        break;
      }
      log.push(`${text.startsWith("he")} ${req.destroyed}`);
      for await (const chunk of req) text += chunk;
      log.push(text);
      res.end("x");
    },
  },
  "for await of req, client leaves": {
    method: "POST",
    body: ["he", null],
    handler: async (req, _res, { log, leave }) => {
      setTimeout(leave, 20);
      try {
        for await (const chunk of req) log.push(String(chunk));
      } catch (error) {
        log.push(`${(error as NodeJS.ErrnoException).code} ${(error as Error).message}`);
      }
    },
  },
  "pause and resume": {
    method: "POST",
    body: ["he", "llo"],
    handler: (req, res, { log }) => {
      let text = "";
      req.on("data", (chunk: Buffer) => {
        text += chunk;
        req.pause();
        if (!req.isPaused()) log.push("not paused");
        setTimeout(() => req.resume(), 10);
      });
      req.on("end", () => res.end(text));
    },
  },
  "pipe, unpipe, resume": {
    method: "POST",
    body: ["he", "llo"],
    handler: (req, res, { log }) => {
      const sink = new PassThrough();
      req.pipe(sink);
      sink.once("data", (chunk) => {
        log.push(String(chunk).slice(0, 2));
        req.unpipe(sink);
        req.resume();
      });
      req.on("end", () => res.end("x"));
    },
  },
  "read() in readable": {
    method: "POST",
    body: ["he", "llo"],
    handler: (req, res) => {
      let text = "";
      req.on("readable", () => {
        for (let chunk = req.read(); chunk !== null; chunk = req.read()) text += chunk;
      });
      req.on("end", () => res.end(text));
    },
  },
  "res.destroy(error) in the middle of the answer": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      res.write("half");
      setTimeout(() => res.destroy(new Error("enough")), 20);
    },
  },
  "res.destroy() after end()": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      res.end("x", () => res.destroy());
    },
  },
  "callbacks of write and end": {
    handler: (_req, res, { log }) => {
      res.write("a", () => log.push("write"));
      res.end("b", () => log.push("end"));
      res.on("finish", () => log.push("finish"));
    },
  },
  "end(callback), end(chunk, encoding, callback)": {
    handler: (_req, res, { log }) => {
      res.write("6869", "hex");
      res.end("21", "hex", () => log.push("end"));
    },
  },
  "end twice, with callbacks": {
    handler: (_req, res, { log }) => {
      res.on("error", (error: NodeJS.ErrnoException) => log.push(`error ${error.code}`));
      res.end("x", () => log.push("first"));
      res.end();
      setTimeout(() => res.end((error?: NodeJS.ErrnoException) => log.push(`third ${error?.code}`)), 30);
    },
  },
  "end(chunk) twice": {
    handler: (_req, res, { log }) => {
      res.on("error", (error: NodeJS.ErrnoException) => log.push(`error ${error.code}`));
      res.end("x");
      res.end("y");
    },
  },
  "write after end": {
    handler: (_req, res, { log }) => {
      res.on("error", (error: NodeJS.ErrnoException) => log.push(`error ${error.code}`));
      res.end("x");
      log.push(`write ${res.write("y", (error) => log.push(`cb ${(error as NodeJS.ErrnoException)?.code}`))}`);
    },
  },
  "what cannot be written throws": {
    handler: (_req, res, { log }) => {
      log.push(outcome(() => res.write(null)));
      log.push(outcome(() => res.write(undefined)));
      log.push(outcome(() => res.write(42)));
      log.push(outcome(() => res.write({})));
      log.push(outcome(() => res.end(42)));
      log.push(outcome(() => res.end({})));
      log.push(`${res.writableEnded}`);
      res.end();
    },
  },
  "what is too late throws": {
    handler: (_req, res, { log }) => {
      res.setHeader("X-A", "1");
      res.write("x");
      log.push(outcome(() => res.setHeader("X-B", "1")));
      log.push(outcome(() => res.appendHeader("X-B", "1")));
      log.push(outcome(() => res.removeHeader("X-A")));
      log.push(outcome(() => res.writeHead(200)));
      log.push(outcome(() => res.flushHeaders()));
      log.push(outcome(() => res.setHeaders(new Map())));
      log.push(JSON.stringify([res.getHeader("X-A"), res.hasHeader("x-a"), res.getHeaderNames(), res.statusCode]));
      res.end();
    },
  },
  "what is no header throws": {
    handler: (_req, res, { log }) => {
      log.push(outcome(() => res.setHeader("X A", "1")));
      log.push(outcome(() => res.setHeader("X-A", "a\nb")));
      log.push(outcome(() => res.setHeader("X-A", undefined as never)));
      log.push(outcome(() => res.setHeader("X-A", "\u2603")));
      log.push(outcome(() => res.writeHead(99)));
      log.push(outcome(() => res.writeHead(1000)));
      log.push(outcome(() => res.writeHead("abc" as never)));
      log.push(outcome(() => res.writeHead(200, "a\nb")));
      log.push(outcome(() => res.writeHead(200, ["a"] as never)));
      res.statusCode = 200;
      res.statusMessage = "OK";
      res.end("x");
    },
  },
  "HEAD with a body": {
    method: "HEAD",
    handler: (_req, res, { log }) => {
      res.setHeader("Content-Length", 5);
      log.push(`write ${res.write("hello", (error) => log.push(`cb ${error}`))}`);
      res.end("more", () => log.push("end"));
    },
  },
  "HEAD, ended with a body": { method: "HEAD", handler: (_req, res) => res.end("hello") },
  "HEAD, ended without one": { method: "HEAD", handler: (_req, res) => res.end() },
  "304 with a length and a body": {
    handler: (_req, res) => res.writeHead(304, { "Content-Length": "5", ETag: '"a"' }).end("hello"),
  },
  "204 with a body": { handler: (_req, res) => res.writeHead(204).end("hello") },
  "implicit head of end() without a body": { handler: (_req, res) => res.end() },
  "statusCode and statusMessage": {
    handler: (_req, res, { log }) => {
      res.statusCode = 418;
      res.statusMessage = "Short and stout";
      res.end("x");
      log.push(`${res.statusCode} ${res.statusMessage}`);
    },
  },
  "writeHead chains and merges": {
    handler: (_req, res, { log }) => {
      res.setHeader("X-A", "1");
      res.setHeader("X-B", ["1", "2"]);
      log.push(String(res.writeHead(201, "Made", { "x-a": "2", "X-C": "3" }) === res));
      log.push(JSON.stringify([res.headersSent, res.getHeader("x-c"), res.getHeader("x-a")]));
      res.end("x");
    },
  },
  "writeHead with a flat array": {
    handler: (_req, res, { log }) => {
      res.writeHead(200, ["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-A", "1"]);
      log.push(String(res.getHeader("set-cookie")));
      res.end("x");
    },
  },
  "writeHead with a flat array after setHeader": {
    handler: (_req, res, { log }) => {
      res.setHeader("X-A", "0");
      res.writeHead(200, ["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-A", "1"]);
      log.push(String(res.getHeader("set-cookie")), String(res.getHeader("x-a")));
      res.end("x");
    },
  },
  "flushHeaders, then a body later": {
    handler: async (_req, res, { log }) => {
      res.setHeader("X-A", "1");
      res.flushHeaders();
      log.push(`${res.headersSent}`);
      await wait(10);
      res.end("x");
    },
  },
  "cork and uncork": {
    handler: async (_req, res, { log }) => {
      res.cork();
      res.cork();
      res.write("a");
      log.push(`${res.writableCorked} ${res.writableLength > 0}`);
      res.uncork();
      log.push(`${res.writableCorked}`);
      res.uncork();
      await wait(5);
      log.push(`${res.writableCorked} ${res.writableLength}`);
      res.end("b");
    },
  },
  "strictContentLength, too much by write": {
    handler: (_req, res, { log }) => {
      res.strictContentLength = true;
      res.setHeader("Content-Length", 3);
      log.push(outcome(() => res.write("abcd")));
      log.push(outcome(() => res.end("abc")));
      res.destroy();
    },
  },
  "strictContentLength, too little": {
    handler: (_req, res, { log }) => {
      res.strictContentLength = true;
      res.setHeader("Content-Length", 3);
      res.write("a");
      log.push(outcome(() => res.end()));
      res.end("bc");
    },
  },
  "the sockets are one": {
    handler: (req, res, { log }) => {
      log.push(`${req.socket === res.socket} ${req.socket === req.connection} ${res.connection === res.socket}`);
      res.end("x");
    },
  },
  "res.socket after write": {
    handler: (req, res, { log }) => {
      const { socket } = res;
      res.write("x");
      log.push(`${res.socket === socket} ${req.socket === socket}`);
      res.end("x");
      log.push(`${res.socket === socket}`);
    },
  },
  "the socket's flags": {
    handler: (req, res, { log }) => {
      const { socket } = req;
      log.push(
        `${socket.readable} ${socket.writable} ${socket.destroyed} ${socket.connecting} ${socket.readyState} ${socket.pending}`,
      );
      log.push(`${typeof socket.remoteAddress} ${socket instanceof EventEmitter} ${typeof socket.cork}`);
      res.end("x");
    },
  },
  "res.setTimeout": {
    handler: (_req, res, { log }) => {
      res.setTimeout(30, () => {
        log.push("timeout");
        res.end("late");
      });
    },
  },
  "on-finished": {
    method: "POST",
    body: "hello",
    handler: (req, res, { log }) => {
      log.push(`${onFinished.isFinished(req)} ${onFinished.isFinished(res)}`);
      onFinished(req, (error) => log.push(`req ${error} ${onFinished.isFinished(req)}`));
      onFinished(res, (error) => log.push(`res ${error} ${onFinished.isFinished(res)} ${onFinished.isFinished(req)}`));
      req.resume().on("end", () => res.end("x"));
    },
  },
  "on-finished, client leaves": {
    handler: (req, res, { log, leave }) => {
      log.push(`${onFinished.isFinished(req)} ${onFinished.isFinished(res)}`);
      onFinished(req, () => log.push(`req ${onFinished.isFinished(req)}`));
      onFinished(res, () => log.push(`res ${onFinished.isFinished(res)}`));
      setTimeout(leave, 20);
    },
  },
  "on-headers and express-session: writeHead and end wrapped, the end held back": {
    handler: (_req, res, { log }) => {
      const { writeHead, end } = res;
      res.writeHead = function (this: Res, ...args: unknown[]) {
        log.push("writeHead");
        this.setHeader("Set-Cookie", "sid=1");
        return writeHead.apply(this, args as [number]);
      };
      let ended = false;
      res.end = function (this: Res, ...args: unknown[]) {
        if (ended) return this;
        ended = true;
        log.push(`end ${this.headersSent}`);
        // As express-session: the head first, all of the body but its last byte, the end once the store has answered.
        if (!this.headersSent) this.setHeader("Content-Length", 5);
        this.write(String(args[0]).slice(0, -1));
        setTimeout(() => end.call(this, String(args[0]).slice(-1), "utf8"), 20);
        return this;
      } as typeof end;
      res.end("hello");
    },
  },
  "compression: write, end and on wrapped around a gzip stream": {
    handler: (_req, res, { log }) => {
      const { write, end } = res;
      const gzip = createGzip({ level: 0 });
      res.write = ((chunk: string) => gzip.write(chunk)) as typeof write;
      res.end = function (this: Res, chunk?: string) {
        gzip.end(chunk);
        return this;
      } as typeof end;
      res.setHeader("Content-Encoding", "gzip");
      let bytes = 0;
      gzip.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (!write.call(res, chunk, "utf8")) gzip.pause();
      });
      res.on("drain", () => gzip.resume());
      gzip.on("end", () => {
        log.push(`end ${bytes > 100_000}`);
        end.call(res, "", "utf8");
      });
      for (let i = 0; i < 30; i++) res.write("x".repeat(10_000));
      res.end("y");
    },
  },
  "a big body by pipe": {
    handler: (_req, res, { log }) => {
      let left = 40;
      const source = new Readable({
        read() {
          this.push(left-- > 0 ? Buffer.alloc(50_000, 97) : null);
        },
      });
      source.pipe(new Transform({ transform: (chunk, _encoding, done) => done(null, chunk) })).pipe(res);
      res.on("finish", () => log.push("finish"));
    },
  },
  "finished(res) as a promise": {
    handler: async (_req, res, { log }) => {
      res.end("x");
      await finished(res);
      log.push(flags({ finished: res.writableFinished, closed: res.closed, destroyed: res.destroyed }));
    },
  },
  "own listeners of error are not needed: write after the client has left": {
    handler: async (_req, res, { log, leave }) => {
      res.write("x");
      await wait(200);
      leave();
      await wait(40);
      for (let i = 0; i < 3; i++) res.write("y");
      res.end();
      await wait(20);
      log.push(flags({ destroyed: res.destroyed, closed: res.closed, ended: res.writableEnded }));
    },
  },
  "writeContinue, writeProcessing, writeEarlyHints": {
    handler: (_req, res, { log }) => {
      res.writeEarlyHints({ link: "</a.css>; rel=preload" }, () => log.push("hints"));
      log.push(`${res.headersSent}`);
      res.end("x");
    },
  },
  trailers: {
    handler: (_req, res) => {
      res.writeHead(200);
      res.write("x");
      res.addTrailers({ "X-T": "1" });
      res.end();
    },
  },
  "a response of one's own class": {
    options: {
      ServerResponse: class<Request extends http.IncomingMessage> extends http.ServerResponse<Request> {
        json(value: unknown): void {
          this.end(JSON.stringify(value));
        }
      },
      IncomingMessage: class extends http.IncomingMessage {
        get short(): string {
          return this.url!.slice(0, 2);
        }
      },
    },
    handler: (req, res) =>
      (res as unknown as { json(v: unknown): void }).json((req as unknown as { short: string }).short),
  },
};

/** Node closes the connection without an answer. A web server has to be given one, unless a part of it is out already. */
const UNANSWERED: Record<string, Visit> = {
  "req.destroy() before the answer": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      req.destroy();
    },
  },
  "req.destroy(error) in the middle of the body": {
    method: "POST",
    body: ["he", "llo"],
    handler: (req, res, scene) => {
      watch(scene, req, res);
      req.once("data", () => req.destroy(new Error("enough")));
    },
  },
  "req.socket.destroy() before the answer": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      req.socket.destroy();
    },
  },
  "res.destroy() before the answer": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      res.destroy();
      scene.log.push(flags({ destroyed: res.destroyed, socketDestroyed: req.socket.destroyed }));
    },
  },
  "a timeout that nobody hears": {
    handler: (req, res, scene) => {
      watch(scene, req, res);
      req.socket.setTimeout(30);
    },
  },
};

/** From Node 26 on the end of an unread request comes before the close of its response: each is in order for itself. */
function inOrder(log: readonly string[]): readonly string[] {
  if (Number.parseInt(process.versions.node, 10) < 26) return log;
  const [requests, others] = [true, false].map((kind) => log.filter((line) => line.startsWith("req ") === kind));
  return [...requests!, ...others!];
}

describe.concurrent("beside node's own http server", () => {
  it.each(Object.keys(CASES))("%s", async (name) => {
    const { node, gateway } = await sideBySide(CASES[name]!);
    expect({ ...gateway, log: inOrder(gateway.log) }).toEqual({ ...node, log: inOrder(node.log) });
  });

  it("what is corked at the end is sent, which node http forgets in some versions", async () => {
    const { gateway } = await sideBySide({
      handler: (_req, res) => {
        res.write("a");
        res.cork();
        res.end("b");
      },
    });
    expect(gateway.body).toBe("ab");
  });

  it.each(Object.keys(UNANSWERED))("%s: the same events, and 500 for the web server", async (name) => {
    const { node, gateway } = await sideBySide(UNANSWERED[name]!);
    expect(gateway.log).toEqual(node.log);
    expect([node.status, gateway.status]).toEqual(["gone", 500]);
  });
});
