import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { io } from "socket.io-client";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";

import { carriesUpgrades, INSTALLED, startWebServer } from "../support/front.ts";
import { note } from "../support/matrix.ts";
import { SupervisedServer } from "../support/supervised.ts";
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
  readonly server: SupervisedServer;
  readonly port: number;
}

async function serve(
  mode: "single" | "thread" | "fork",
  protocol: "fastcgi" | "scgi",
  options: Readonly<Record<string, string | number>>,
): Promise<Serving> {
  const server = await SupervisedServer.start({ mode, protocol, use: APP, server: { upgrade: "true", ...options } });
  cleanUps.push(() => server.stop());
  const front = await upgradeFront(server.target, protocol);
  cleanUps.push(() => front.close());
  return { server, port: front.port };
}

/** A WebSocket that is open, and who is at its other end. */
async function open(port: number): Promise<{ socket: WebSocket; who: { version: string } }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { perMessageDeflate: false });
  cleanUps.push(() => socket.terminate());
  const [first] = (await once(socket, "message")) as [Buffer];
  return { socket, who: JSON.parse(String(first)) as { version: string } };
}

describe.each(["single", "thread", "fork"] as const)("an app with WebSockets in the %s mode", (mode) => {
  it.each(["fastcgi", "scgi"] as const)("serves ws, Socket.IO and requests at a time over %s", async (protocol) => {
    const { server, port } = await serve(mode, protocol, { access_log: "%(here)s/access.log", ...POOL[mode] });
    const { socket } = await open(port);
    const large = Buffer.from(Array.from({ length: MIB }, (_, i) => i % 251));
    for (const message of [Buffer.from("hello"), large, large]) {
      socket.send(message);
      const [echo] = (await once(socket, "message")) as [Buffer];
      expect(echo.equals(message)).toBe(true);
    }
    const client = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], reconnection: false });
    cleanUps.push(() => client.disconnect());
    expect(large.equals(await client.timeout(5000).emitWithAck("echo", large))).toBe(true);
    // Neither of the two is a request in hand.
    expect(await server.ask("/who")).toMatchObject({ status: 200 });
    if (mode !== "single") {
      await vi.waitFor(async () => expect(await server.report()).toMatchObject({ upgraded: 2 }), SOON);
    }
    const logged = async (): Promise<string> => await readFile(join(server.directory, "access.log"), "utf8");
    expect(await logged()).not.toContain("/ws");
    socket.close(1000);
    expect((await once(socket, "close"))[0]).toBe(1000);
    client.disconnect();
    if (mode !== "single") {
      await vi.waitFor(async () => {
        const { upgraded, counters } = await server.report();
        expect({ upgraded, counters }).toMatchObject({ upgraded: 0, counters: { upgrades: 2, upgradesEnded: 2 } });
      }, SOON);
    }
    await vi.waitFor(async () => expect(await logged()).toMatch(/"GET \/ws HTTP\/1\.1" 101 \d+/), SOON);
    // It ends in time, open WebSockets or not, and their clients hear of it.
    const { socket: last } = await open(port);
    const closed = once(last, "close");
    const begun = performance.now();
    await server.stop();
    expect((await closed)[0]).toBe(1006);
    expect(performance.now() - begun).toBeLessThan(15_000);
  });
});

describe.each(["thread", "fork"] as const)("a reload in the %s mode", (mode) => {
  it("ends WebSockets, whose clients find the new version", async () => {
    const { server, port } = await serve(mode, "scgi", POOL[mode]);
    const { socket, who } = await open(port);
    expect(who.version).toBe("1");
    const closed = once(socket, "close");
    await server.configure({ app: { version: 2 } });
    await server.reload();
    const { who: next } = await open(port);
    expect(next.version).toBe("2");
    expect((await closed)[0]).toBe(1006);
    await vi.waitFor(async () => {
      const { workers } = await server.report();
      expect(workers.map(({ generation }) => generation)).toEqual([2]);
    }, SOON);
    expect(server.output).not.toMatch(/gracefulTimeout|died/);
  });
});

const SINCE = "from 1.4.74 on";

describe.skipIf(!INSTALLED.has("lighttpd"))(
  "an app with WebSockets behind lighttpd, by the example for them",
  async () => {
    const carries = await carriesUpgrades();

    async function start(): Promise<{ server: SupervisedServer; url: string }> {
      const { server } = await serve("single", "fastcgi", {});
      const config = fileURLToPath(new URL("../../examples/lighttpd/fastcgi-upgrade.conf", import.meta.url));
      const front = await startWebServer({
        name: "lighttpd",
        config,
        values: { SOCKET: join(server.directory, "app.sock") },
      });
      cleanUps.push(() => front.stop());
      return { server, url: front.url };
    }

    it("serves requests", async () => {
      const { url } = await start();
      expect(await (await fetch(`${url}/who`)).json()).toMatchObject({ version: "1" });
    });

    it.skipIf(!carries)("serves ws and Socket.IO", async (context) => {
      const { url } = await start();
      const { socket } = await open(Number(new URL(url).port));
      const large = Buffer.from(Array.from({ length: MIB }, (_, i) => i % 251));
      socket.send(large);
      const [echo] = (await once(socket, "message")) as [Buffer];
      expect(echo.equals(large)).toBe(true);
      const client = io(url, { transports: ["websocket"], reconnection: false });
      cleanUps.push(() => client.disconnect());
      expect(large.equals(await client.timeout(5000).emitWithAck("echo", large))).toBe(true);
      socket.close(1000);
      expect((await once(socket, "close"))[0]).toBe(1000);
      note(context, "lighttpd fastcgi unix", "upgrade", SINCE);
    });

    it.skipIf(carries)("answers a WebSocket 501 where lighttpd is too old, and says so", async (context) => {
      const { url } = await start();
      const socket = new WebSocket(`${url.replace("http", "ws")}/ws`);
      socket.on("error", () => {});
      const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
      expect(response.statusCode).toBe(501);
      expect(await text(response)).toContain("lighttpd 1.4.74");
      note(context, "lighttpd fastcgi unix", "upgrade", SINCE);
    });
  },
);
