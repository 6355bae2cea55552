import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { Server as SocketIo } from "socket.io";
import { io } from "socket.io-client";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";

import type { UpgradeSocket } from "../../src/app/upgrade-socket.ts";
import { cgi } from "../../src/app/request.ts";
import { ajpRequest } from "../../src/client/ajp-request.ts";
import { createServer } from "../../src/library/create-server.ts";
import type { ServerOptions } from "../../src/library/options.ts";
import type { Server } from "../../src/library/server.ts";
import { collectingLog } from "../support/collecting-log.ts";
import { ask, open } from "../support/library.ts";
import { upgradeFront } from "../support/upgrade-front.ts";

const MIB = 1024 * 1024;
const SOON = { timeout: 5000, interval: 10 };
const WEBSOCKET = { HTTP_UPGRADE: "websocket", HTTP_CONNECTION: "keep-alive, Upgrade" };
const ACCEPT = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nX-Own: yes\r\n\r\n";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

type Listener = (request: Parameters<typeof cgi>[0], socket: UpgradeSocket, head: Buffer) => unknown;

interface SetUp {
  readonly server: Server;
  readonly logged: string[];
  readonly port: number;
}

async function setUp(
  protocol: "fastcgi" | "scgi",
  listener: Listener | null,
  more: ServerOptions = {},
): Promise<SetUp> {
  const logged: string[] = [];
  const log = collectingLog(logged);
  const server = createServer(
    { protocol, upgrade: true, log, ...more },
    (req, res) => void res.end(`plain ${req.url}`),
  );
  // What it is beside a Duplex is tested too.
  if (listener !== null) server.on("upgrade", (req, socket, head) => listener(req, socket as UpgradeSocket, head));
  const { port } = await open(server);
  const front = await upgradeFront({ port }, protocol);
  cleanUps.push(() => front.close());
  return { server, logged, port: front.port };
}

/** What comes until the end, of a socket that stays open: `text` would destroy it. */
async function allOf(socket: UpgradeSocket): Promise<string> {
  let said = "";
  socket.on("data", (chunk) => (said += String(chunk)));
  await once(socket, "end");
  return said;
}

interface Later<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
}

function later<Value>(): Later<Value> {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** The client's end of a tunnel that is not a WebSocket. */
async function upgrade(port: number, path = "/"): Promise<{ socket: Socket; head: string }> {
  const socket = connect(port, "127.0.0.1");
  cleanUps.push(() => socket.destroy());
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
  let head = "";
  while (!head.includes("\r\n\r\n")) head += String(await once(socket, "data"));
  return { socket, head };
}

function webSocket(port: number, path = "/"): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false });
  // One that was refused says so again when it is ended.
  socket.on("error", () => {});
  cleanUps.push(() => socket.terminate());
  return socket;
}

/** A WebSocket server that echoes. */
function echoes(): { readonly sockets: WebSocketServer; readonly listener: Listener } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 8 * MIB });
  sockets.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
  const listener: Listener = (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (each) => sockets.emit("connection", each, request));
  return { sockets, listener };
}

describe.each(["fastcgi", "scgi"] as const)("an upgrade over %s", (protocol) => {
  it("echoes with ws, messages of 1 MiB too", async () => {
    const { listener } = echoes();
    const { server, port } = await setUp(protocol, listener);
    const socket = webSocket(port);
    await once(socket, "open");
    const large = Buffer.from(Array.from({ length: MIB }, (_, i) => i % 251));
    for (const message of [Buffer.from("hello"), large, Buffer.alloc(0), large]) {
      socket.send(message);
      const [echo] = (await once(socket, "message")) as [Buffer];
      expect(echo.equals(message)).toBe(true);
    }
    socket.close(1000, "done");
    expect(await once(socket, "close")).toEqual([1000, Buffer.from("done")]);
    await vi.waitFor(() => expect(server.counters).toMatchObject({ upgrades: 1, upgradesEnded: 1, aborted: 0 }), SOON);
    expect(server.counters).toMatchObject({ brokenAnswers: 0, extraBytes: 0, protocolErrors: 0, badRecords: 0 });
  });

  it("carries Socket.IO", async () => {
    const { server, port } = await setUp(protocol, null);
    const sockets = new SocketIo(server as never, { transports: ["websocket"], maxHttpBufferSize: 4 * MIB });
    cleanUps.push(() => void sockets.engine.close());
    sockets.on("connection", (socket) =>
      socket.on("echo", (data: unknown, reply: (data: unknown) => void) => reply(data)),
    );
    const client = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], reconnection: false });
    cleanUps.push(() => client.disconnect());
    expect(await client.timeout(5000).emitWithAck("echo", { a: [1, "x"] })).toEqual({ a: [1, "x"] });
    const large = Buffer.alloc(MIB, 7);
    expect(large.equals(await client.timeout(5000).emitWithAck("echo", large))).toBe(true);
    client.disconnect();
    await vi.waitFor(() => expect(server.counters["upgradesEnded"]).toBe(1), SOON);
  });

  it("gives the listener what node does: a request that is over, its socket, an empty head", async () => {
    const seen = later<unknown>();
    const { port } = await setUp(protocol, (request, socket, head) => {
      const { method, url, complete, httpVersion } = request;
      const same = request.socket === (socket as unknown);
      const { REMOTE_ADDR } = cgi(request);
      const { remoteAddress, readyState } = socket;
      seen.resolve({ method, url, complete, httpVersion, same, REMOTE_ADDR, remoteAddress, readyState, head });
      expect(request.headers).toMatchObject({ upgrade: "echo", connection: "Upgrade" });
      socket.end(ACCEPT);
    });
    const { head } = await upgrade(port, "/a?b=c");
    expect(await seen.promise).toEqual({
      ...{ method: "GET", url: "/a?b=c", complete: true, httpVersion: "1.1", same: true, readyState: "open" },
      ...{ REMOTE_ADDR: "192.0.2.7", remoteAddress: "192.0.2.7", head: Buffer.alloc(0) },
    });
    expect(head).toBe("HTTP/1.1 101 Switching Protocols\r\nX-Own: yes\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n");
  });

  it("tells either side when the other has no more to say, and goes on until both have", async () => {
    const ended = later<string>();
    const { server, port } = await setUp(protocol, async (_request, socket) => {
      socket.write(ACCEPT);
      const said = await allOf(socket);
      ended.resolve(said);
      socket.end(`you said ${said}`);
    });
    const { socket } = await upgrade(port);
    socket.end("all of this");
    expect(await ended.promise).toBe("all of this");
    expect(await text(socket)).toBe("you said all of this");
    await vi.waitFor(() => expect(server.counters).toMatchObject({ upgradesEnded: 1, aborted: 0 }), SOON);
  });

  it("writes no faster than the client reads", async () => {
    let written = 0;
    const { port } = await setUp(protocol, async (_request, socket) => {
      socket.write(ACCEPT);
      const piece = Buffer.alloc(64 * 1024, 1);
      for (let i = 0; i < 512; i++) {
        written += piece.length;
        if (!socket.write(piece)) await once(socket, "drain");
      }
      socket.end();
    });
    const { socket } = await upgrade(port);
    socket.pause();
    let before = -1;
    while (before !== written) {
      before = written;
      await sleep(200);
    }
    expect(written).toBeLessThan(24 * MIB);
    let received = 0;
    socket.on("data", (chunk) => (received += chunk.length));
    socket.resume();
    await once(socket, "end");
    expect(written).toBe(32 * MIB);
    // Some bytes may have come together with the head.
    expect(received).toBeGreaterThan(31 * MIB);
  });

  it("reads no faster than the app does", async () => {
    const accepted = later<UpgradeSocket>();
    const { port } = await setUp(protocol, (_request, socket) => {
      socket.write(ACCEPT);
      accepted.resolve(socket);
    });
    const { socket } = await upgrade(port);
    const sent = 32 * MIB;
    socket.end(Buffer.alloc(sent, 1));
    const own = await accepted.promise;
    await sleep(300);
    expect(own.bytesRead).toBeLessThan(512 * 1024);
    expect(socket.writableLength).toBeGreaterThan(0);
    let received = 0;
    for await (const chunk of own) received += (chunk as Buffer).length;
    expect(received).toBe(sent);
  });

  it("tells the app that the client is gone", async () => {
    const { sockets, listener } = echoes();
    const { server, port } = await setUp(protocol, listener);
    const closed = new Promise((resolve) => sockets.on("connection", (socket) => socket.on("close", resolve)));
    const socket = webSocket(port);
    await once(socket, "open");
    socket.terminate();
    expect(await closed).toBe(1006);
    await vi.waitFor(() => expect(server.counters["upgradesEnded"]).toBe(1), SOON);
  });

  it("ends the tunnel when the app destroys its socket", async () => {
    const { server, port } = await setUp(protocol, (_request, socket) => {
      socket.write(ACCEPT);
      socket.once("data", () => socket.destroy());
    });
    const { socket } = await upgrade(port);
    socket.write("go");
    expect(await text(socket)).toBe("");
    expect(server.counters).toMatchObject({ upgradesEnded: 1, brokenAnswers: 0 });
  });

  it("passes on what the app answers in place of a 101", async () => {
    const { port } = await setUp(protocol, (_request, socket) => {
      socket.write("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n");
      socket.write("Content-Length: 3\r\n\r\nno\n");
      socket.destroy();
    });
    const { socket, head } = await upgrade(port);
    expect(head).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\nContent-Length: 3\r\n/);
    expect(head + (await text(socket))).toMatch(/no\n$/);
  });

  it("treats the request as any other while nobody listens", async () => {
    const { port } = await setUp(protocol, null);
    const { socket, head } = await upgrade(port, "/x");
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head + (await text(socket))).toMatch(/plain \/x$/);
  });

  it.each(["throws", "rejects"])("answers 500 where the listener %s", async (how) => {
    const { port, logged } = await setUp(protocol, () => {
      if (how === "throws") throw new Error("not today");
      return Promise.reject(new Error("not today"));
    });
    const { head } = await upgrade(port);
    expect(head).toMatch(/^HTTP\/1\.1 500 /);
    expect(logged.join("\n")).toContain("not today");
  });

  it("ends a tunnel that is silent for upgradeIdleTimeout", async () => {
    const { sockets, listener } = echoes();
    const { server, port } = await setUp(protocol, listener, { upgradeIdleTimeout: 100, bodyTimeout: 30 });
    const closed = new Promise((resolve) => sockets.on("connection", (socket) => socket.on("close", resolve)));
    const socket = webSocket(port);
    await once(socket, "open");
    for (let i = 0; i < 5; i++) {
      socket.send("still there");
      await once(socket, "message");
      await sleep(50);
    }
    expect(server.counters).toMatchObject({ upgradesEnded: 0, bodyTimeouts: 0 });
    expect((await once(socket, "close"))[0]).toBe(1006);
    expect(await closed).toBe(1006);
    expect(server.counters).toMatchObject({ upgradeTimeouts: 1, brokenAnswers: 0 });
  });

  it("that is ended before its time ends no process of an app that pipes", async () => {
    const closed = later<Error | null>();
    const listener: Listener = (_request, socket) => {
      socket.write(ACCEPT);
      // What pipes listens for errors, and throws those that nobody else does.
      socket.pipe(new PassThrough()).pipe(socket);
      socket.once("close", () => closed.resolve(socket.errored));
    };
    const { port } = await setUp(protocol, listener, { upgradeIdleTimeout: 40 });
    await upgrade(port);
    expect(await closed.promise).toMatchObject({ code: "ECONNRESET" });
  });

  it("is not bound by the limits of requests and their bodies", async () => {
    const { listener } = echoes();
    const limits = { maxBodyBytes: 1000, bodyTimeout: 50, minBodyRate: 1_000_000, responseTimeout: 50 };
    const { port } = await setUp(protocol, listener, limits);
    const socket = webSocket(port);
    await once(socket, "open");
    await sleep(300);
    socket.send(Buffer.alloc(100_000));
    expect(((await once(socket, "message")) as [Buffer])[0].length).toBe(100_000);
  });

  it("answers 503 to one more than maxUpgrades", async () => {
    const { listener } = echoes();
    const { server, port } = await setUp(protocol, listener, { maxUpgrades: 1 });
    const first = webSocket(port);
    await once(first, "open");
    const second = webSocket(port);
    const [, response] = (await once(second, "unexpected-response")) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(503);
    expect(server.counters).toMatchObject({ upgrades: 1, upgradesRefused: 1 });
    first.close();
    await once(first, "close");
    await vi.waitFor(() => expect(server.counters["upgradesEnded"]).toBe(1), SOON);
    await once(webSocket(port), "open");
  });

  it("ends tunnels when the server closes: the app reads their end, what it still says arrives", async () => {
    const { server, port } = await setUp(protocol, async (_request, socket) => {
      socket.write(ACCEPT);
      await allOf(socket);
      socket.end("going away");
    });
    const { socket } = await upgrade(port);
    const closed = once(server, "close");
    server.close();
    expect(await text(socket)).toBe("going away");
    await closed;
    expect(server.counters).toMatchObject({ upgradesEnded: 1, aborted: 0 });
  });

  it("cuts a tunnel that goes on beyond gracefulTimeout", async () => {
    const { server, port } = await setUp(protocol, (_request, socket) => void socket.write(ACCEPT), {
      gracefulTimeout: 300,
    });
    const { socket } = await upgrade(port);
    const closed = once(server, "close");
    server.close();
    await text(socket).catch(() => "");
    await closed;
    expect(server.counters).toMatchObject({ upgradesEnded: 1, aborted: 1 });
  });

  it("refuses a 101 to a request that asked for no upgrade", async () => {
    const { server, logged } = await setUp(protocol, null);
    server.removeAllListeners("request");
    server.on("request", (_req, res) => void res.writeHead(101, { Upgrade: "websocket" }).end());
    if (protocol === "fastcgi") {
      const answer = await ask({ port: (server.address() as { port: number }).port });
      expect(answer.status).toBe(500);
      expect([...answer.headers.keys()]).not.toContain("upgrade");
      expect(logged.join("\n")).toContain("RESPONSE_NO_UPGRADE");
    }
  });
});

describe("a web server that carries no upgrades", () => {
  it("has a WebSocket answered 501, naming who can; the listener is not called", async () => {
    const listener = vi.fn();
    const { port, server } = await setUp("fastcgi", listener, { upgrade: false });
    const socket = webSocket(port);
    const [, response] = (await once(socket, "unexpected-response")) as [
      unknown,
      NodeJS.ReadableStream & { statusCode: number },
    ];
    expect(response.statusCode).toBe(501);
    expect(await text(response)).toMatch(/nginx over SCGI.*lighttpd 1\.4\.74 .*"upgrade" => "enable".*upgrade = true/s);
    expect(listener).not.toHaveBeenCalled();
    expect(server.counters).toMatchObject({ upgrades: 0 });
  });

  it("has a request for another protocol answered without it", async () => {
    const { port } = await setUp("fastcgi", vi.fn(), { upgrade: false });
    const { head } = await upgrade(port);
    expect(head).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([0, 30])("is found out by the end of STDIN, whether the app answers after %i ms", async (delay) => {
    const server = createServer({ upgrade: true }, (_req, res) => void res.end("plain"));
    const closed = new Promise((resolve) => {
      server.on("upgrade", (_request, socket) => {
        socket.on("close", resolve);
        if (delay === 0) socket.write(ACCEPT);
        else setTimeout(() => socket.write(ACCEPT), delay);
      });
    });
    // A client that ends STDIN at once, as every other front does.
    const answer = await ask(await open(server), WEBSOCKET);
    expect(answer).toMatchObject({ status: 501 });
    expect(answer.body).toContain("lighttpd 1.4.74");
    expect([...answer.headers.keys()]).not.toContain("upgrade");
    expect(server.counters).toMatchObject({ upgrades: 0, upgradesRefused: 1 });
    await closed;
  });

  it.each(["fastcgi", "scgi"] as const)("is known by its name over %s, however late STDIN ends", async (protocol) => {
    const listener = vi.fn();
    const server = createServer({ protocol, upgrade: true }, (_req, res) => void res.end("plain"));
    server.on("upgrade", listener);
    const { port } = await open(server);
    const front = await upgradeFront({ port }, protocol, "Apache/2.4.66 (Debian)");
    cleanUps.push(() => front.close());
    const socket = webSocket(front.port);
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(501);
    expect(listener).not.toHaveBeenCalled();
  });

  it("is any that speaks AJP", async () => {
    const server = createServer({ protocol: "ajp", upgrade: true }, (_req, res) => void res.end("plain"));
    const listener = vi.fn();
    server.on("upgrade", listener);
    const line = { REQUEST_METHOD: "GET", REQUEST_URI: "/", SERVER_PROTOCOL: "HTTP/1.1" };
    const answer = await ajpRequest(await open(server), { params: Object.entries({ ...line, ...WEBSOCKET }) });
    expect(answer.status).toBe(501);
    expect(await text(answer.body)).toContain("lighttpd 1.4.74");
    expect(listener).not.toHaveBeenCalled();
  });

  it("gets no upgrade on a connection that it shares among requests", async () => {
    const listener = vi.fn();
    const { port } = await setUp("fastcgi", listener, { multiplexed: true });
    const socket = webSocket(port);
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(501);
    expect(listener).not.toHaveBeenCalled();
  });
});
