/** Peers that die, descriptors that run out, workers that are killed again and again: nothing of it may stay behind. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";

import { encodeScgiRequest } from "../../dist/protocol/scgi/client-writer.js";
import { connect } from "../../dist/client/target.js";
import { afterEach, describe, expect, it } from "vitest";

import { BusyConnections } from "../support/busy-connections.ts";
import { type Footprint, footprint } from "../support/footprint.ts";
import { begin, pair, params, stdin } from "../support/records.ts";
import { type Mode, type Protocol, SupervisedServer, sleep, until, variables } from "../support/supervised.ts";

const MODES: readonly Mode[] = ["thread", "fork"];
const PROTOCOLS: readonly Protocol[] = ["fastcgi", "scgi"];
const both = MODES.flatMap((mode) => PROTOCOLS.map((protocol): [Mode, Protocol] => [mode, protocol]));
const POOL = { pm: "static", maxChildren: 2, maxThreads: 2, concurrency: 64 };

const servers: SupervisedServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map(async (server) => await server.stop()));
});

async function start(serving: Parameters<typeof SupervisedServer.start>[0]): Promise<SupervisedServer> {
  // SCGI over TCP, where a connection can be reset.
  const server = await SupervisedServer.start({
    ...serving,
    transport: serving.protocol === "scgi" ? "tcp" : "unix",
  });
  servers.push(server);
  return server;
}

async function busyOn(server: SupervisedServer): Promise<BusyConnections> {
  const busy = new BusyConnections(server.target, server.protocol, { paths: ["/wait?n=20", "/upload"] });
  await until(
    () => busy.answered > 100,
    () => "the connections to be busy",
  );
  return busy;
}

/** Ends the load; nothing of it may have failed. */
async function unharmed(busy: BusyConnections): Promise<void> {
  const { answered } = busy;
  await until(
    () => busy.answered > answered + 100,
    () => "the connections to go on",
  );
  await busy.stop();
  expect(busy.failures).toEqual([]);
  expect(busy.closed).toBe(0);
}

async function idle(server: SupervisedServer): Promise<void> {
  await until(
    async () => (await server.report()).workers.every(({ inFlight }) => inFlight === 0),
    () => "every request to be over",
  );
}

/** The first bytes of a request: all of its variables, `sent` of `length` bytes of its body. */
function beginning(protocol: Protocol, path: string, length: number, sent: number): Buffer {
  const body = Buffer.alloc(sent, "u");
  const method = length > 0 ? "POST" : "GET";
  const pairs = variables(path, method, length);
  if (protocol === "scgi") return Buffer.concat([encodeScgiRequest(pairs, length), body]);
  const block = Buffer.concat(pairs.map(([name, value]) => pair(name, value)));
  const chunks: Buffer[] = [];
  for (let at = 0; at < sent; at += 32_768) chunks.push(stdin(1, body.subarray(at, at + 32_768)));
  return Buffer.concat([begin(1), params(1, block), params(1), ...chunks, ...(length > 0 ? [] : [stdin(1)])]);
}

const MIB = 1024 * 1024;
interface Death {
  readonly path: string;
  readonly length: number;
  readonly sent: number;
}
const DEATHS: readonly (readonly [string, Death])[] = [
  ["upload", { path: "/upload", length: 4 * MIB, sent: MIB }],
  ["download", { path: `/download?n=${100 * MIB}`, length: 0, sent: 0 }],
];

describe("a peer that dies in the middle of", () => {
  const cases = both.flatMap(([mode, protocol]) =>
    DEATHS.map(([what, death]): [string, Mode, Protocol, Death] => [what, mode, protocol, death]),
  );
  it.for(cases)("an %s in %s mode over %s harms nobody and leaves nothing", async ([what, mode, protocol, death]) => {
    const server = await start({ mode, protocol, server: POOL });
    const busy = await busyOn(server);
    const die = async (): Promise<void> => {
      const socket = await connect(server.target);
      socket.on("error", () => {});
      socket.write(beginning(protocol, death.path, death.length, death.sent));
      if (what === "download") await once(socket, "data");
      else await sleep(30);
      if (randomInt(2) === 0 && "port" in server.target) socket.resetAndDestroy();
      else socket.destroy();
    };
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 4 }, die));
    const before = await footprint(server.process.pid!);
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 4 }, die));
    await unharmed(busy);
    await idle(server);
    grownBy(before, await footprint(server.process.pid!), { descriptors: 0, memory: 64 });
    expect((await server.who()).version).toBe("0");
    expect(await server.stop()).toBe(0);
    expect(server.output).not.toMatch(/ error /);
  });
});

describe("descriptors that run out", () => {
  it.for(both)("in %s mode over %s cost nobody who has a connection anything", async ([mode, protocol]) => {
    const server = await start({ mode, protocol, server: POOL, descriptors: 128 });
    // Those of FastCGI are kept; SCGI needs a new one for each request, and does without one until there is room.
    const busy = protocol === "fastcgi" ? await busyOn(server) : null;
    const flood: Socket[] = [];
    for (let i = 0; i < 300; i++) {
      const socket = await connect(server.target).catch(() => null);
      if (socket === null) break;
      socket.on("error", () => {});
      flood.push(socket);
    }
    await sleep(1500);
    for (const socket of flood) socket.destroy();
    if (busy !== null) await unharmed(busy);
    await until(
      async () => "body" in (await server.try("/who")),
      () => `an answer\n${server.output}`,
    );
    await until(
      async () => (await workersOf(server)) === 2,
      () => `two workers\n${server.output}`,
    );
    expect((await server.report()).counters["overloaded"]).toBeGreaterThan(0);
    expect(server.output).not.toMatch(/ error |died|killed/);
    expect(await server.stop()).toBe(0);
  });
});

describe("workers killed every second", () => {
  it("for 30 s in forking mode take nothing with them but what they had in hand", { timeout: 90_000 }, async () => {
    await Promise.all(PROTOCOLS.map(killed));
  });

  async function killed(protocol: Protocol): Promise<void> {
    const server = await start({ mode: "fork", protocol, server: { ...POOL, maxChildren: 4 } });
    const before = await footprint(server.process.pid!);
    const busy = new BusyConnections(server.target, protocol, { count: 8 });
    const kills: { at: number; pid: number }[] = [];
    for (let i = 0; i < 30; i++) {
      await sleep(1000);
      const serving = (await server.report()).workers.filter(({ state }) => state === "ready");
      if (serving.length === 0) continue;
      const pid = serving[randomInt(serving.length)]!.pid!;
      kills.push({ at: Date.now(), pid });
      process.kill(pid, "SIGKILL");
    }
    await sleep(1000);
    await until(
      async () => (await workersOf(server)) === 4,
      () => "four workers",
    );
    await busy.stop();
    const victims = new Set(kills.map(({ pid }) => String(pid)));
    // At the moment of a kill, and on a connection of the victim where it is known whose it was.
    const stray = busy.failures.filter(
      ({ at, on }) =>
        !kills.some((kill) => at >= kill.at && at < kill.at + 500) || (on !== "" && !victims.has(on.split(" ")[0]!)),
    );
    expect(stray).toEqual([]);
    expect(kills.length).toBeGreaterThan(20);
    expect(busy.failures.length).toBeLessThanOrEqual(30 * 8);
    expect(busy.answered).toBeGreaterThan(3000);
    grownBy(before, await footprint(server.process.pid!), { descriptors: 4, memory: 64 });
  }
});

describe("a long load", () => {
  it.for(MODES)("in %s mode leaves neither descriptors nor memory nor zombies", { timeout: 90_000 }, async (mode) => {
    await Promise.all(PROTOCOLS.map(async (protocol) => await loaded(mode, protocol)));
  });

  async function loaded(mode: Mode, protocol: Protocol): Promise<void> {
    const server = await start({ mode, protocol, server: POOL });
    const load = async (seconds: number): Promise<Footprint> => {
      const paths = ["/wait?n=1", "/download?n=300000", "/upload", "/throw-in-body", "/who"];
      const busy = new BusyConnections(server.target, protocol, { count: 16, paths, perConnection: 50, pause: 0 });
      await sleep(seconds * 1000);
      await busy.stop();
      await idle(server);
      // What the last requests came by is closed a moment later, and so is the question whether there are any.
      await sleep(1000);
      return await footprint(server.process.pid!);
    };
    const before = await load(8);
    // Three event loops with young generations that grow at first: after a quarter of a minute it stays where it is.
    grownBy(before, await load(8), { descriptors: 0, memory: 96 });
  }
});

function grownBy(before: Footprint, after: Footprint, most: { descriptors: number; memory: number }): void {
  expect(after.zombies).toBe(0);
  expect(after.processes).toBe(before.processes);
  expect(after.descriptors - before.descriptors).toBeLessThanOrEqual(most.descriptors);
  expect(after.memory - before.memory).toBeLessThanOrEqual(most.memory);
}

async function workersOf(server: SupervisedServer): Promise<number> {
  return (await server.report()).workers.filter(({ state }) => state === "ready").length;
}
