/** What mod_proxy_ajp makes of what only AJP has: the secret, demand, kept connections with CPING, larger packets, HTTP/2. */
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { createServer, type RequestHandler, type Server, type ServerOptions } from "../../dist/index.js";
import { type Front, isRunnable, startWebServer } from "../support/front.ts";
import { call } from "../support/http-client.ts";

const EXAMPLE = fileURLToPath(new URL("../../apache-examples/mod_proxy_ajp-tcp.conf", import.meta.url));

const app: RequestHandler = (req, res) => {
  const length = Number(new URL(req.url!, "http://x").searchParams.get("head") ?? 0);
  if (length > 0) res.setHeader("X-Long", "x".repeat(length));
  let bytes = 0;
  req.on("data", (chunk: Buffer) => (bytes += chunk.length));
  req.on("end", () => {
    const { REMOTE_ADDR, REMOTE_PORT, SERVER_ADDR, JAMES } = req.cgi;
    res.end(JSON.stringify({ bytes, REMOTE_ADDR, known: [REMOTE_PORT, SERVER_ADDR].every(Boolean), JAMES }));
  });
};

const UPLOAD = 32 * 1024 * 1024;
/** Of mod_proxy_ajp, unless ProxyIOBufferSize says otherwise. */
const PACKET = 8192;

function* pieces(): Generator<Buffer> {
  const piece = Buffer.alloc(64 * 1024, "a piece of it ");
  for (let sent = 0; sent < UPLOAD; sent += piece.length) yield piece;
}

/** Resolves when `reading` stays what it is. */
async function standsStill(reading: () => number): Promise<void> {
  for (let before = -1; before !== reading(); await sleep(300)) before = reading();
}

describe.skipIf(!isRunnable({ server: "apache", protocol: "ajp" }))("mod_proxy_ajp", () => {
  let directory: string;
  let server: Server | undefined;
  let front: Front | undefined;

  beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), "propylon-ajp-"))));
  afterAll(async () => await rm(directory, { recursive: true }));
  afterEach(async () => {
    await front?.stop();
    await new Promise<void>((resolve) => void server?.close(() => resolve()));
    front = server = undefined;
  });

  /** The example with more directives in front of its ProxyPass. */
  async function start(options: ServerOptions, directives = "", handler = app): Promise<void> {
    server = createServer(handler, { protocol: "ajp", secret: "change-this", ...options });
    await new Promise<void>((resolve) => void server!.listen(0, "127.0.0.1", resolve));
    const config = join(directory, "site.conf");
    const text = await readFile(EXAMPLE, "utf8");
    await writeFile(config, text.replace("    ProxyPass", `${directives}\n    ProxyPass`));
    const { port } = server.address() as AddressInfo;
    front = await startWebServer({ name: "apache", config, values: { BACKEND_PORT: port } });
  }

  it("keeps its connections, which CPING finds alive, and tells what the administrator has it tell", async () => {
    await start({}, "    SetEnv AJP_JAMES Joyce");
    for (let i = 0; i < 20; i++) {
      const answer = await call(front!.url, { method: "POST", path: "/", body: "x".repeat(20_000) });
      expect(JSON.parse(String(answer.body))).toEqual({
        ...{ bytes: 20_000, REMOTE_ADDR: "127.0.0.1", known: true, JAMES: "Joyce" },
      });
    }
    expect(server!.counters).toMatchObject({ accepted: 1, requests: 20, protocolErrors: 0, aborted: 0 });
  });

  it("is let in by its secret alone", async () => {
    await start({ secret: "another" });
    expect((await call(front!.url, { path: "/" })).status).toBe(403);
    expect(server!.counters).toMatchObject({ requests: 0, badSecrets: 1 });
  });

  it("takes larger heads and bodies where both sides have the larger packets", async () => {
    await start({ packetSize: 65_536 }, "    ProxyIOBufferSize 65536");
    const answer = await call(front!.url, { method: "POST", path: "/?head=12000", body: "x".repeat(200_000) });
    expect(answer).toMatchObject({ status: 200, complete: true });
    expect(answer.headers.find(([name]) => name === "x-long")?.[1]).toHaveLength(12_000);
    expect(JSON.parse(String(answer.body))).toMatchObject({ bytes: 200_000 });
  });

  it("gets a 500 for a head that its packets do not take, and keeps the connection", async () => {
    await start({});
    expect((await call(front!.url, { path: "/?head=9000" })).status).toBe(500);
    expect((await call(front!.url, { path: "/?head=7000" })).status).toBe(200);
    expect(server!.counters).toMatchObject({ accepted: 1, requests: 2 });
  });

  it("sends no more of an upload than is asked for while the app reads, and lets the client wait", async () => {
    await start({}, "", (req, res) => void req.once("end", () => res.end()));
    const connected = once(server!, "connection") as Promise<[Socket]>;
    const asked = once(server!, "request") as Promise<[IncomingMessage]>;
    const client = request(front!.url, { method: "POST", headers: { "Content-Length": UPLOAD } });
    const answered = once(client, "response") as Promise<[IncomingMessage]>;
    Readable.from(pieces()).pipe(client);
    const [[connection], [req]] = await Promise.all([connected, asked]);

    // The head, and the packet that comes unasked.
    await standsStill(() => connection.bytesRead + client.socket!.bytesWritten);
    expect(connection.bytesRead).toBeLessThan(2 * PACKET);
    expect(client.socket!.bytesWritten).toBeLessThan(UPLOAD / 2);

    // What node's stream may hold for its reader, and the packet under way.
    const ahead = req.readableHighWaterMark + 2 * PACKET;
    let read = 0;
    const body = req.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
    for (let i = 0; i < 100; i++) {
      read += ((await body.next()).value as Buffer).length;
      await setImmediate();
      expect(connection.bytesRead - read).toBeLessThan(ahead);
    }
    for await (const chunk of body) read += chunk.length;
    expect(read).toBe(UPLOAD);
    expect((await answered)[0].statusCode).toBe(200);
  });

  it("passes on a body of HTTP/2, which has no length and is never taken for a request", async () => {
    await start({}, "    Protocols h2c http/1.1");
    // An AJP packet of a length that makes the body's own length look like the begin of a request.
    const forged = Buffer.alloc(0x0202, "\0");
    const session = connectHttp2(front!.url);
    const bodies: string[] = [];
    for (let i = 0; i < 3; i++) {
      const stream = session.request({ ":path": "/", ":method": "POST" });
      stream.end(forged);
      stream.setEncoding("utf8");
      let body = "";
      for await (const chunk of stream) body += String(chunk);
      bodies.push(body);
    }
    session.close();
    expect(bodies.map((body) => (JSON.parse(body) as { bytes: number }).bytes)).toEqual([514, 514, 514]);
    expect(server!.counters).toMatchObject({ requests: 3, protocolErrors: 0 });
  });
});
