import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import http from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { describe, expect, it, onTestFinished } from "vitest";

import { ajpRequest } from "../../src/client/ajp-request.ts";
import { FastCgiClient } from "../../src/client/fastcgi-client.ts";
import { scgiRequest } from "../../src/client/scgi-request.ts";
import { createServer } from "../../src/library/create-server.ts";
import type { RequestHandler } from "../../src/library/options.ts";
import type { Server } from "../../src/library/server.ts";
import { FCGI_AUTHORIZER, FCGI_FILTER, FCGI_UNKNOWN_ROLE } from "../../src/protocol/fastcgi/constants.ts";
import { ask, at, open, VARIABLES } from "../support/library.ts";

const hello = (_req: http.IncomingMessage, res: http.ServerResponse): unknown => res.end("hello");

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "propylon-library-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

async function closed(server: Server): Promise<void> {
  await new Promise<void>((resolve) => void server.close(() => resolve()));
}

describe("createServer", () => {
  it.each<[string, () => Server]>([
    ["(handler)", () => createServer(hello)],
    ["(handler, options)", () => createServer(hello, { mount: "/" })],
    ["(options, handler)", () => createServer({ mount: "/" }, hello)],
    ["(options) and on('request')", () => createServer({}).on("request", hello)],
    ["() and on('request')", () => createServer().on("request", hello)],
    ["(responder, authorizer, filter, config)", () => createServer(hello, hello, hello, { maxConns: 10 })],
    ["(object with fetch)", () => createServer({ fetch: () => new Response("hello") })],
    ["(options, object with fetch)", () => createServer({}, { fetch: () => new Response("hello") })],
  ])("takes %s", async (_form, make) => {
    const target = await open(make());
    expect(await ask(target)).toMatchObject({ status: 200, body: "hello", appStatus: 0, protocolStatus: 0 });
  });

  it("speaks SCGI where the options say so", async () => {
    const target = await open(createServer(hello, { protocol: "scgi" }));
    const answer = await scgiRequest(target, { params: Object.entries(VARIABLES) });
    expect(answer.status).toBe(200);
  });

  it("speaks AJP where the options say so, and knows a secret from none", async () => {
    const server = createServer((req, res) => res.end(`${req.cgi["REMOTE_USER"]} ${String(req.headers["x-a"])}`), {
      ...{ protocol: "ajp", secret: "s3cret" },
    });
    const target = await open(server);
    const params = Object.entries({ ...VARIABLES, REMOTE_USER: "alice", HTTP_X_A: "b" });
    const answer = await ajpRequest(target, { params, secret: "s3cret" });
    expect([answer.status, await text(answer.body)]).toEqual([200, "alice b"]);
    expect((await ajpRequest(target, { params })).status).toBe(403);
    expect(server.counters["badSecrets"]).toBe(1);
  });

  it("mounts the app where the options say so", async () => {
    const target = await open(createServer((req, res) => res.end(`${req.baseUrl} ${req.url}`), { mount: "/james" }));
    expect((await ask(target, at("/james/a"))).body).toBe("/james /a");
  });

  it("uses classes of one's own, as node http does", async () => {
    class Request extends http.IncomingMessage {
      get path(): string {
        return this.url!.split("?", 1)[0]!;
      }
    }
    class Answer extends http.ServerResponse {
      json(value: unknown): void {
        this.setHeader("Content-Type", "application/json").end(JSON.stringify(value));
      }
    }
    const server = createServer({ IncomingMessage: Request, ServerResponse: Answer }, (req, res) =>
      (res as Answer).json([(req as unknown as Request).path, req.headers.host, req instanceof Request]),
    );
    const answer = await ask(await open(server));
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(answer.body)).toEqual(["/a", "www.example.test", true]);
  });

  it("passes over options of node http that have no meaning here, and refuses values that make no sense", () => {
    const ofNode = [
      ...[
        "connectionsCheckingInterval",
        "headersTimeout",
        "highWaterMark",
        "insecureHTTPParser",
        "joinDuplicateHeaders",
      ],
      ...[
        "keepAlive",
        "keepAliveInitialDelay",
        "keepAliveTimeout",
        "keepAliveTimeoutBuffer",
        "maxHeaderSize",
        "noDelay",
      ],
      ...[
        "optimizeEmptyRequests",
        "rejectNonStandardBodyWrites",
        "requestTimeout",
        "requireHostHeader",
        "uniqueHeaders",
      ],
      ...["shouldUpgradeCallback", "allowHalfOpen", "pauseOnConnect", "blockList", "ALPNProtocols", "sessionTimeout"],
      ...["handshakeTimeout", "minVersion", "maxVersion", "key", "cert", "ca", "ciphers", "passphrase", "requestCert"],
    ];
    for (const name of ofNode) expect(() => createServer({ [name]: 1 }, hello), name).not.toThrow();
    expect(() => createServer({ bodyTimeout: -1 }, hello)).toThrow(/CONFIG_BAD_VALUE.*bodyTimeout/);
  });

  it.each([
    ["maxConnectons", "maxConnections"],
    ["body_timeout", "bodyTimeout"],
    ["multiplexd", "multiplexed"],
    ["captureconsole", "captureConsole"],
  ])("refuses %s, and guesses %s", (name, meant) => {
    expect(() => createServer({ [name]: 1 })).toThrow(
      expect.objectContaining({
        code: "CONFIG_UNKNOWN_OPTION",
        message: expect.stringContaining(`"${meant}"`) as string,
      }),
    );
  });

  it("takes any name that valueMap answers FCGI_GET_VALUES with", () => {
    expect(() => createServer({ maxConn: 5, valueMap: { MAX_CONNS: "maxConn" } })).not.toThrow();
  });

  it("bounds the time to the response head by responseTimeout; requestTimeout is node http's, and passed over", async () => {
    const late: RequestHandler = (_req, res) => void setTimeout(() => res.end("late"), 700);
    const [patient, impatient] = [
      await open(createServer({ requestTimeout: 50 }, late)),
      await open(createServer({ responseTimeout: 50 }, late)),
    ];
    const statuses = await Promise.all([patient, impatient].map(async (server) => (await ask(server)).status));
    expect(statuses).toEqual([200, 504]);
  });

  it("answers for a handler that throws or rejects, and for a listener that does", async () => {
    const failing = await open(
      createServer(() => {
        throw new Error("secret");
      }),
    );
    expect(await ask(failing)).toMatchObject({ status: 500, body: "500 Internal Server Error\n" });
    const rejects: RequestHandler = () => Promise.reject(new Error("secret"));
    const rejecting = createServer().on("request", rejects);
    const answer = await ask(await open(rejecting));
    expect(answer).toMatchObject({ status: 500, body: "500 Internal Server Error\n" });
    expect(answer.stderr).toContain("secret");
  });

  it.for(["127.0.0.1", "0.0.0.0"])("with debug at %s shows the stack to this machine's clients alone", async (host) => {
    const server = createServer({ debug: true }, () => {
      throw new Error("thrown by the app");
    });
    server.listen(0, host);
    await once(server, "listening");
    const { body } = await ask({ port: (server.address() as AddressInfo).port });
    expect(body.includes("Error: thrown by the app")).toBe(host === "127.0.0.1");
    await closed(server);
  });
});

describe("roles", () => {
  it("are served by the handlers that are there; others are unknown", async () => {
    const server = createServer(hello);
    const target = await open(server);
    for (const role of [FCGI_AUTHORIZER, FCGI_FILTER, 77]) {
      expect(await ask(target, {}, { role })).toMatchObject({ status: 500, protocolStatus: FCGI_UNKNOWN_ROLE });
    }
    server.on("authorize", (_req, res) => res.allow());
    expect(await ask(target, {}, { role: FCGI_AUTHORIZER })).toMatchObject({ status: 200, protocolStatus: 0 });
  });

  it("without a handler for requests: those are unknown too", async () => {
    const target = await open(createServer(undefined, (_req, res) => res.deny()));
    expect(await ask(target)).toMatchObject({ status: 500, protocolStatus: FCGI_UNKNOWN_ROLE });
    expect(await ask(target, {}, { role: FCGI_AUTHORIZER })).toMatchObject({ status: 403, protocolStatus: 0 });
  });
});

describe("listen", () => {
  it("is bound when it returns: by port, by options, on IPv6", async () => {
    for (const [start, host] of [
      [(server: Server) => server.listen(0), "127.0.0.1"],
      [(server: Server) => server.listen("0"), "127.0.0.1"],
      [(server: Server) => server.listen(0, "127.0.0.1", 10), "127.0.0.1"],
      [(server: Server) => server.listen({ port: 0 }), "127.0.0.1"],
      [(server: Server) => server.listen({ port: 0, host: "::1" }), "::1"],
    ] as const) {
      const server = createServer(hello);
      expect([server.address(), server.listening]).toEqual([null, false]);
      expect(start(server)).toBe(server);
      const { port, address } = server.address() as AddressInfo;
      expect([address, server.listening]).toEqual([host, true]);
      expect((await ask({ port, host })).body).toBe("hello");
      await closed(server);
    }
  });

  it("is bound when it returns: by path, with a mode", async () => {
    const path = join(directory(), "app.sock");
    const server = createServer(hello).listen(path);
    expect(server.address()).toBe(path);
    expect((await ask({ path })).body).toBe("hello");
    await closed(server);
    const restricted = createServer(hello).listen({ path, mode: 0o600 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await closed(restricted);
  });

  it("calls back, and emits 'listening', once it has returned", async () => {
    const heard: string[] = [];
    const server = createServer(hello);
    server.on("listening", () => heard.push("event"));
    server.listen(0, () => heard.push("callback"));
    expect(heard).toEqual([]);
    await once(server, "listening");
    expect(heard).toEqual(["event", "callback"]);
    await closed(server);
  });

  it("tells by 'error' that an address is taken, and may be tried again", async () => {
    const { port } = await open(createServer(hello));
    const second = createServer(hello).listen(port);
    const [error] = (await once(second, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("EADDRINUSE");
    second.listen(0);
    await once(second, "listening");
    await closed(second);
  });

  it("throws where it listens already, and for a port that is none", async () => {
    const server = createServer(hello);
    await open(server);
    expect(() => server.listen(0)).toThrow(expect.objectContaining({ code: "ERR_SERVER_ALREADY_LISTEN" }));
    expect(() => createServer(hello).listen(65_536)).toThrow(expect.objectContaining({ code: "ERR_SOCKET_BAD_PORT" }));
    expect(() => createServer(hello).listen({})).toThrow("listen() needs a port, a path or an fd");
  });
});

describe("close", () => {
  it("lets the request in hand finish, then calls back and emits 'close'", async () => {
    const order: string[] = [];
    let finish!: () => void;
    const server = createServer((_req, res) => {
      finish = () => res.end("late", () => order.push("finish"));
      res.write("early, ");
    });
    const target = await open(server);
    const answer = ask(target);
    await once(server, "request");
    server.on("close", () => order.push("close"));
    server.close(() => order.push("callback"));
    expect(server.listening).toBe(false);
    // What waits to be accepted is answered still.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(ask(target)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    finish();
    expect((await answer).body).toBe("early, late");
    await expect.poll(() => order).toEqual(["finish", "close", "callback"]);
  });

  it("gives its callback an error where it does not listen", async () => {
    const error = await new Promise((resolve) => createServer(hello).close(resolve));
    expect(error).toMatchObject({ code: "ERR_SERVER_NOT_RUNNING" });
  });

  it("is what 'await using' does", async () => {
    const server = createServer(hello);
    await open(server);
    await server[Symbol.asyncDispose]();
    expect(server.listening).toBe(false);
  });

  it("may be followed by listen", async () => {
    const server = createServer(hello);
    await open(server);
    await closed(server);
    server.listen(0);
    expect((await ask(server.address() as AddressInfo)).body).toBe("hello");
    await closed(server);
  });
});

describe("connections", () => {
  const count = (server: Server): Promise<number> =>
    new Promise((resolve, reject) =>
      server.getConnections((error, connections) => (error === null ? resolve(connections) : reject(error))),
    );

  it("are counted; the idle ones can be closed without the others", async () => {
    let finish!: () => void;
    const server = createServer((req, res) => {
      if (req.url === "/slow") finish = () => res.end("slow");
      else res.end("fast");
    });
    const target = await open(server);
    const client = new FastCgiClient(target);
    onTestFinished(() => client.close());
    const params = (uri: string): [string, string][] => Object.entries({ ...VARIABLES, ...at(uri) });
    const slow = client.request({ params: params("/slow") });
    await once(server, "request");
    const fast = await client.request({ params: params("/fast") });
    fast.body.resume();
    await fast.ended;
    expect(await count(server)).toBe(2);
    server.closeIdleConnections();
    await expect.poll(() => count(server)).toBe(1);
    finish();
    expect((await slow).status).toBe(200);
  });

  it("can all be closed: a request that is open is aborted", async () => {
    const server = createServer();
    const target = await open(server);
    const asked = ask(target);
    asked.catch(() => {});
    const [req] = (await once(server, "request")) as [http.IncomingMessage];
    const gone = new Promise((resolve) => req.on("error", () => {}).on("close", resolve));
    server.closeAllConnections();
    await gone;
    expect(req.errored).toMatchObject({ code: "ECONNRESET" });
    await expect(asked).rejects.toThrow();
  });

  it("can be held and heard by whoever gets them from 'connection'", async () => {
    const order: string[] = [];
    const server = createServer((_req, res) => {
      order.push("handled");
      res.end();
    });
    server.on("connection", (socket) => {
      socket.once("data", (chunk: Buffer) => order.push(`heard ${chunk.length > 100}`));
      socket.pause();
      setTimeout(() => {
        order.push("resumed");
        socket.resume();
      }, 50);
    });
    const { status } = await ask(await open(server));
    expect(status).toBe(200);
    expect(order[0]).toBe("resumed");
    expect(order.slice(1).toSorted()).toEqual(["handled", "heard true"]);
  });

  it("are shown by 'connection'; one that breaks the protocol by 'clientError'", async () => {
    const server = createServer(hello);
    const { port } = await open(server);
    const accepted = once(server, "connection");
    const failed = once(server, "clientError");
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\n\r\n");
    const [accept] = (await accepted) as unknown[];
    const [error, refused] = (await failed) as [{ code: string }, unknown];
    expect(error.code).toBe("FCGI_BAD_VERSION");
    expect(refused).toBe(accept);
    await once(socket, "close");
  });
});

describe("a timeout", () => {
  it("set on the server goes to its 'timeout' with the request's socket", async () => {
    const server = createServer();
    server.setTimeout(30, (socket) => socket.destroy());
    expect(server.timeout).toBe(30);
    const target = await open(server);
    expect(await ask(target)).toMatchObject({ status: 500 });
  });

  it("is heard by the response, which then answers", async () => {
    const server = createServer((_req, res) => {
      res.setTimeout(20, () => res.writeHead(503).end("late"));
    });
    expect(await ask(await open(server))).toMatchObject({ status: 503, body: "late" });
  });
});

describe("ref and unref", () => {
  it("return the server", () => {
    const server = createServer(hello);
    expect([server.ref(), server.unref()]).toEqual([server, server]);
  });
});
