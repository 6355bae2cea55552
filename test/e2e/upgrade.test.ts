import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { io, type Socket as SocketIoClient } from "socket.io-client";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";

import { INSTALLED, lighttpdUpgrades, startWebServer } from "../support/front.ts";
import { SupervisedServer, type Target } from "../support/supervised.ts";
import { upgradeFront } from "../support/upgrade-front.ts";

const MIB = 1024 * 1024;
const SOON = { timeout: 10_000, interval: 20 };
const APP = `call:${fileURLToPath(new URL("../support/apps/sockets.js", import.meta.url))}:makeApp`;

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

const POOL: Readonly<Record<"single" | "thread" | "fork", Readonly<Record<string, number>>>> = {
  single: {},
  thread: { maxThreads: 1, concurrency: 1 },
  fork: { maxChildren: 1, concurrency: 1 },
};

interface Serving {
  readonly mode: "single" | "thread" | "fork";
  readonly protocol: "fastcgi" | "scgi";
  readonly transport?: "unix" | "tcp";
  /** Lines of the server's section. */
  readonly options?: Readonly<Record<string, string | number>>;
}

async function start({ mode, protocol, transport = "unix", options = {} }: Serving): Promise<SupervisedServer> {
  const lines = { upgrade: "true", ...POOL[mode], ...options };
  const server = await SupervisedServer.start({ mode, protocol, transport, use: APP, server: lines });
  cleanUps.push(() => server.stop());
  return server;
}

/** The real web server, from its example, before `target`; gives its URL. */
async function front(
  name: "nginx" | "lighttpd",
  file: string,
  { target }: { readonly target: Target },
): Promise<string> {
  const config = fileURLToPath(new URL(`../../examples/${name}/${file}`, import.meta.url));
  const values = "path" in target ? { SOCKET: target.path } : { BACKEND_PORT: target.port };
  const { url, stop } = await startWebServer({ name, config, values });
  cleanUps.push(stop);
  return url;
}

async function standIn(server: SupervisedServer, protocol: "fastcgi" | "scgi"): Promise<string> {
  const { port, close } = await upgradeFront(server.target, protocol);
  cleanUps.push(close);
  return `http://127.0.0.1:${port}`;
}

/** A WebSocket that is open, and who is at its other end. */
async function open(url: string): Promise<{ socket: WebSocket; who: { version: string } }> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, { perMessageDeflate: false });
  cleanUps.push(() => socket.terminate());
  const [first] = (await once(socket, "message")) as [Buffer];
  return { socket, who: JSON.parse(String(first)) as { version: string } };
}

/** Has both echo what is small and what is large; they stay open. */
async function openBoth(url: string): Promise<{ socket: WebSocket; client: SocketIoClient }> {
  const { socket } = await open(url);
  const large = Buffer.from(Array.from({ length: MIB }, (_, i) => i % 251));
  for (const message of [Buffer.from("hello"), large, large]) {
    socket.send(message);
    const [echo] = (await once(socket, "message")) as [Buffer];
    expect(echo.equals(message)).toBe(true);
  }
  const client = io(url, { transports: ["websocket"], reconnection: false });
  cleanUps.push(() => client.disconnect());
  expect(large.equals(await client.timeout(5000).emitWithAck("echo", large))).toBe(true);
  return { socket, client };
}

async function close({ socket, client }: { socket: WebSocket; client: SocketIoClient }): Promise<void> {
  socket.close(1000);
  expect((await once(socket, "close"))[0]).toBe(1000);
  client.disconnect();
}

describe.each(["single", "thread", "fork"] as const)("an app with WebSockets in the %s mode", (mode) => {
  it.each(["fastcgi", "scgi"] as const)("serves ws, Socket.IO and requests at a time over %s", async (protocol) => {
    const server = await start({ mode, protocol, options: { access_log: "%(here)s/access.log" } });
    const url = await standIn(server, protocol);
    const both = await openBoth(url);
    // Neither of the two is a request in hand.
    expect(await server.ask("/who")).toMatchObject({ status: 200 });
    if (mode !== "single") {
      await vi.waitFor(async () => expect(await server.report()).toMatchObject({ upgraded: 2 }), SOON);
    }
    const logged = async (): Promise<string> => await readFile(join(server.directory, "access.log"), "utf8");
    expect(await logged()).not.toContain("/ws");
    await close(both);
    if (mode !== "single") {
      await vi.waitFor(async () => {
        const { upgraded, counters } = await server.report();
        expect({ upgraded, counters }).toMatchObject({ upgraded: 0, counters: { upgrades: 2, upgradesEnded: 2 } });
      }, SOON);
    }
    await vi.waitFor(async () => expect(await logged()).toMatch(/"GET \/ws HTTP\/1\.1" 101 \d+/), SOON);
    // It ends in time, open WebSockets or not, and their clients hear of it.
    const { socket: last } = await open(url);
    const closed = once(last, "close");
    const begun = performance.now();
    await server.stop();
    expect((await closed)[0]).toBe(1006);
    expect(performance.now() - begun).toBeLessThan(15_000);
  });

  it.skipIf(!INSTALLED.has("nginx")).each([
    ["unix", "scgi-upgrade.conf"],
    ["tcp", "scgi-tcp.conf"],
  ] as const)("serves ws, Socket.IO and requests at a time behind nginx, SCGI over %s", async (transport, file) => {
    const server = await start({ mode, protocol: "scgi", transport });
    const url = await front("nginx", file, server);
    const both = await openBoth(url);
    expect(await (await fetch(`${url}/who`)).json()).toMatchObject({ version: "1" });
    await close(both);
    const { socket: last } = await open(url);
    const closed = once(last, "close");
    await server.stop();
    expect((await closed)[0]).toBe(1006);
  });
});

describe.each(["thread", "fork"] as const)("a reload in the %s mode", (mode) => {
  it("ends WebSockets, whose clients find the new version", async () => {
    const server = await start({ mode, protocol: "scgi" });
    const url = await standIn(server, "scgi");
    const { socket, who } = await open(url);
    expect(who.version).toBe("1");
    const closed = once(socket, "close");
    await server.configure({ app: { version: 2 } });
    await server.reload();
    const { who: next } = await open(url);
    expect(next.version).toBe("2");
    expect((await closed)[0]).toBe(1006);
    await vi.waitFor(async () => {
      const { workers } = await server.report();
      expect(workers.map(({ generation }) => generation)).toEqual([2]);
    }, SOON);
    expect(server.output).not.toMatch(/gracefulTimeout|died/);
  });
});

const UPGRADES = await lighttpdUpgrades();
if (INSTALLED.has("lighttpd") && !UPGRADES) {
  console.warn("SKIPPED: WebSockets behind lighttpd; 1.4.74 is the first that carries them");
}

describe.skipIf(!INSTALLED.has("lighttpd")).each(["fastcgi", "scgi"] as const)(
  "an app with WebSockets behind lighttpd, by the example for them over %s",
  (protocol) => {
    const behindLighttpd = async (): Promise<string> =>
      await front("lighttpd", `${protocol}-upgrade.conf`, await start({ mode: "single", protocol }));

    it("serves requests", async () => {
      expect(await (await fetch(`${await behindLighttpd()}/who`)).json()).toMatchObject({ version: "1" });
    });

    it.skipIf(!UPGRADES)("serves ws and Socket.IO", async () => {
      await close(await openBoth(await behindLighttpd()));
    });

    it.skipIf(UPGRADES)("answers a WebSocket 501 where lighttpd is too old, and says so", async () => {
      const socket = new WebSocket(`${(await behindLighttpd()).replace("http", "ws")}/ws`);
      socket.on("error", () => {});
      const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
      expect(response.statusCode).toBe(501);
      expect(await text(response)).toContain("lighttpd 1.4.74");
    });
  },
);
