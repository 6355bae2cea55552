/** One app on two hosts behind one web server: hosts stop, die, come back and reload while requests come. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, describe, expect, it } from "vitest";

import { type Front, INSTALLED, type ServerName, startWebServer } from "../support/front.ts";
import { HttpLoad } from "../support/http-load.ts";
import { HAS_NETWORK, Network, type NetworkHost } from "../support/network.ts";
import { SupervisedServer, sleep, until } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CONFIGURATIONS: readonly (readonly [ServerName, string])[] = [
  ["nginx", "examples/nginx/fastcgi-two-hosts.conf"],
  ["apache", "apache-examples/mod_proxy_balancer-fcgi-two-hosts.conf"],
  ["haproxy", "examples/haproxy/fastcgi-two-hosts.cfg"],
];
/** GETs, downloads, and POSTs, which nobody sends twice. */
const PATHS = ["/wait?n=20", "/download?n=50000", "/upload"];
const CONNECTIONS = 8;

if (!HAS_NETWORK) console.warn("SKIPPED: apps on several hosts; that needs root and network namespaces");

/** What failed while what was done. */
const table: Record<string, string | number>[] = [];
afterAll(() => console.table(table));

/** A web server before two hosts, and clients that ask all the time. */
class Site {
  readonly #network = Network.create(2);
  readonly #servers = new Map<NetworkHost, SupervisedServer>();
  #front: Front | null = null;
  #load: HttpLoad | null = null;
  readonly #name: ServerName;

  constructor(name: ServerName) {
    this.#name = name;
  }

  get hosts(): readonly NetworkHost[] {
    return this.#network.hosts;
  }

  async open(config: string): Promise<void> {
    const [first, second] = this.hosts as [NetworkHost, NetworkHost];
    await Promise.all([this.start(first), this.start(second)]);
    this.#front = await startWebServer({
      ...{ name: this.#name, config: join(ROOT, config) },
      values: { HOST_1: first.address, HOST_2: second.address },
    });
    this.#load = new HttpLoad(this.#front.url, { count: CONNECTIONS, paths: PATHS });
  }

  async close(): Promise<void> {
    await this.#load?.stop();
    await this.#front?.stop();
    await Promise.all([...this.#servers.values()].map(async (server) => await server.stop()));
    this.#network.remove();
  }

  async start(host: NetworkHost): Promise<void> {
    const server = await SupervisedServer.start({
      ...{ mode: "thread", host },
      server: { maxThreads: 2, pm: "static", allowed_clients: this.#network.address },
    });
    expect(server.output).toContain("Serving ");
    this.#servers.set(host, server);
  }

  async stop(host: NetworkHost): Promise<void> {
    await this.#servers.get(host)!.stop();
  }

  async reload(host: NetworkHost): Promise<void> {
    await this.#servers.get(host)!.reload();
  }

  /** All of its processes at once, as when a machine dies whose system still refuses connections. */
  async kill(host: NetworkHost): Promise<void> {
    for (const pid of await pidsOf(host)) process.kill(pid, "SIGKILL");
    await this.stop(host);
  }

  async unplug(host: NetworkHost, milliseconds: number): Promise<void> {
    this.#network.plug(host, false);
    await sleep(milliseconds);
    this.#network.plug(host, true);
  }

  /** Resolves when the web server has had answers from each of them. */
  async answersFrom(...hosts: readonly NetworkHost[]): Promise<void> {
    for (const host of hosts) {
      const own = new Set(await pidsOf(host));
      await until(
        async () => own.has(((await (await fetch(`${this.#front!.url}/who`)).json()) as { pid: number }).pid),
        () => `an answer from ${host.address}`,
      );
    }
  }

  /** What fails from now until 200 answers have come after `done` is over. */
  async during(what: string, done: () => Promise<void>): Promise<(number | string)[]> {
    const load = this.#load!;
    const [answered, failed] = [load.answered, load.failures.length];
    await done();
    const after = load.answered;
    await until(
      () => load.answered > after + 200,
      () => "answers",
    );
    const failures = load.failures.slice(failed).map(({ what }) => what);
    const counts = { answered: load.answered - answered, failed: failures.length };
    table.push({ front: this.#name, what, ...counts, with: [...new Set(failures)].join(" ") });
    return failures;
  }
}

async function pidsOf(host: NetworkHost): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ip", ["netns", "pids", host.name]);
  return stdout.trim().split("\n").map(Number);
}

describe.skipIf(!HAS_NETWORK)("an app on two hosts", () => {
  // Most of it is waiting.
  it.concurrent.for(CONFIGURATIONS)(
    "behind %s: stop, start, reload, death and a pulled cable",
    { timeout: 90_000 },
    async ([name, config], { skip, onTestFinished, expect }) => {
      skip(!INSTALLED.has(name), `${name} is not installed`);
      const site = new Site(name);
      onTestFinished(async () => await site.close());
      await site.open(config);
      const [first, second] = site.hosts as [NetworkHost, NetworkHost];
      const backAgain = async (): Promise<void> => {
        await site.start(first);
        await site.answersFrom(first);
      };
      expect(await site.during("nothing", async () => await site.answersFrom(first, second))).toEqual([]);
      // A web server that keeps connections may send a POST on one in the moment in which its last answer comes.
      const missed = await site.during("stop of one", async () => await site.stop(first));
      expect(missed.length).toBeLessThanOrEqual(name === "apache" ? 0 : 1);
      expect(await site.during("start of it", backAgain)).toEqual([]);
      expect(await site.during("reload of the other", async () => await site.reload(second))).toEqual([]);
      // What it had in hand is lost, and what was sent to it before that was noticed. Apache tells a client of an answer
      // that has broken off when its KeepAliveTimeout is over.
      const lost = await site.during("kill -9 of one", async () => {
        await site.kill(first);
        await sleep(6000);
      });
      expect(lost.length).toBeLessThanOrEqual(2 * CONNECTIONS);
      expect(await site.during("nothing, one is dead", async () => await sleep(500))).toEqual([]);
      expect(await site.during("start of it", backAgain)).toEqual([]);
      // What had been sent waits for the cable; what could not be sent has gone to the other.
      expect(await site.during("cable out for 4 s", async () => await site.unplug(first, 4000))).toEqual([]);
    },
  );
});
