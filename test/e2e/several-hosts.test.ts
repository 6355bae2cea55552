/** One app on two hosts behind one web server: hosts stop, die, come back and reload while requests come. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { type Front, INSTALLED, type ServerName, startWebServer } from "../support/front.ts";
import { HttpLoad } from "../support/http-load.ts";
import { HAS_NETWORK, Network, type NetworkHost } from "../support/network.ts";
import { SupervisedServer, sleep, until } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CONFIGURATIONS: readonly (readonly [ServerName, string])[] = [
  ["nginx", "examples/nginx/fastcgi-two-hosts.conf"],
  ["apache", "apache-examples/mod_proxy_balancer-fcgi-two-hosts.conf"],
];
/** GETs, downloads, and POSTs, which nobody sends twice. */
const PATHS = ["/wait?n=20", "/download?n=50000", "/upload"];
const CONNECTIONS = 8;

if (!HAS_NETWORK) console.warn("SKIPPED: apps on several hosts; that needs root and network namespaces");

describe.skipIf(!HAS_NETWORK)("an app on two hosts", () => {
  let network: Network;
  const servers = new Map<NetworkHost, SupervisedServer>();
  let front: Front | undefined;
  /** What failed while what was done. */
  const table: Record<string, string | number>[] = [];

  beforeAll(() => void (network = Network.create(2)));
  afterAll(() => {
    network?.remove();
    console.table(table);
  });
  afterEach(async () => {
    await front?.stop();
    await Promise.all([...servers.values()].map(async (server) => await server.stop()));
    servers.clear();
  });

  async function start(host: NetworkHost): Promise<void> {
    const server = await SupervisedServer.start({
      ...{ mode: "thread", host },
      server: { maxThreads: 2, pm: "static", allowed_clients: network.address },
    });
    expect(server.output).toContain("Serving ");
    servers.set(host, server);
  }

  it.for(CONFIGURATIONS)(
    "behind %s: stop, start, reload, death and a pulled cable",
    { timeout: 90_000 },
    async ([name, config], { skip }) => {
      skip(!INSTALLED.has(name), `${name} is not installed`);
      const [first, second] = network.hosts as [NetworkHost, NetworkHost];
      await Promise.all([start(first), start(second)]);
      front = await startWebServer({
        ...{ name, config: join(ROOT, config) },
        values: { HOST_1: first.address, HOST_2: second.address },
      });
      const load = new HttpLoad(front.url, { count: CONNECTIONS, paths: PATHS });
      /** What fails from now until `answers` more have come after `done` is over. */
      const during = async (what: string, done: () => Promise<void>, answers = 200): Promise<(number | string)[]> => {
        const [answered, failed] = [load.answered, load.failures.length];
        await done();
        const after = load.answered;
        await until(
          () => load.answered > after + answers,
          () => "answers",
        );
        const failures = load.failures.slice(failed).map(({ what }) => what);
        table.push({
          front: name,
          what,
          answered: load.answered - answered,
          failed: failures.length,
          with: [...new Set(failures)].join(" "),
        });
        return failures;
      };
      try {
        expect(await during("nothing", async () => await answersFrom(first, second))).toEqual([]);
        expect(await during("stop of one", async () => void (await servers.get(first)!.stop()))).toEqual([]);
        expect(await during("start of it", async () => await start(first))).toEqual([]);
        expect(await during("nothing, until it is asked again", async () => await answersFrom(first))).toEqual([]);
        expect(await during("reload of the other", async () => await servers.get(second)!.reload())).toEqual([]);
        // What it had in hand is lost, and what was sent to it before that was noticed.
        const lost = await during("kill -9 of one", async () => await kill(first));
        expect(lost.length).toBeLessThanOrEqual(2 * CONNECTIONS);
        expect(await during("nothing, one is dead", async () => await sleep(500))).toEqual([]);
        expect(await during("start of it", async () => await start(first))).toEqual([]);
        expect(await during("nothing, until it is asked again", async () => await answersFrom(first))).toEqual([]);
        const cut = await during("cable out for 4 s", async () => {
          network.plug(first, false);
          await sleep(4000);
          network.plug(first, true);
        });
        // What had been sent waits for the cable; what could not be sent has gone to the other.
        expect(cut).toEqual([]);
      } finally {
        await load.stop();
      }
    },
  );

  /** Resolves when the web server has had answers from each of them. */
  async function answersFrom(...hosts: readonly NetworkHost[]): Promise<void> {
    for (const host of hosts) {
      const own = new Set(await pidsOf(host));
      await until(
        async () => own.has(((await (await fetch(`${front!.url}/who`)).json()) as { pid: number }).pid),
        () => `an answer from ${host.address}`,
      );
    }
  }

  /** All of its processes at once, as when a machine dies whose system still refuses connections. */
  async function kill(host: NetworkHost): Promise<void> {
    for (const pid of await pidsOf(host)) process.kill(pid, "SIGKILL");
    await servers.get(host)!.stop();
  }

  async function pidsOf(host: NetworkHost): Promise<number[]> {
    const { stdout } = await promisify(execFile)("ip", ["netns", "pids", host.name]);
    return stdout.trim().split("\n").map(Number);
  }
});
