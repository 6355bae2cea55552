/**
 * One app on two hosts behind one web server: hosts stop, die, come back and reload while requests come. The hosts are
 * network namespaces, and without root two addresses of this machine.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, describe, expect, it } from "vitest";

import { type Front, INSTALLED, type ServerName, freePort, startWebServer } from "../support/front.ts";
import { HttpLoad } from "../support/http-load.ts";
import { HAS_NETWORK, Network, type NetworkHost } from "../support/network.ts";
import { type Finished, type Host, SupervisedServer, sleep, until } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** GETs, downloads, and POSTs, which nobody sends twice. */
const PATHS = ["/wait?n=20", "/download?n=50000", "/upload"];
const CONNECTIONS = 8;
const LOOPBACK = ["127.0.0.1", "127.0.0.2"];

/** POSTs that may fail at a stop: one may be sent in the very moment in which the connection or the socket closes. */
const MISSED = 2;

interface Setup {
  readonly name: ServerName;
  readonly config: string;
  /** POSTs that may fail where a host is away. */
  readonly away: number;
}
const SETUPS: readonly Setup[] = [
  { name: "nginx", config: "examples/nginx/fastcgi-two-hosts.conf", away: 0 },
  { name: "apache", config: "apache-examples/mod_proxy_balancer-fcgi-two-hosts.conf", away: 0 },
  { name: "haproxy", config: "examples/haproxy/fastcgi-two-hosts.cfg", away: 0 },
  // Over FastCGI it does not tell a connection that is refused from an answer that is lost, and asks only GETs again.
  { name: "caddy", config: "examples/caddy/fastcgi-two-hosts.Caddyfile", away: CONNECTIONS },
];

if (!HAS_NETWORK) console.warn("SKIPPED: a pulled cable; that needs root and network namespaces");

/** What failed while what was done. */
const table: Record<string, string | number>[] = [];
afterAll(() => console.table(table));

interface Failures {
  readonly gets: readonly (number | string)[];
  readonly posts: readonly (number | string)[];
}
const NONE: Failures = { gets: [], posts: [] };

/** A web server before two hosts, and clients that ask all the time. */
class Site {
  readonly first: Host;
  readonly second: Host;
  readonly #network: Network | null;
  readonly #servers = new Map<Host, SupervisedServer>();
  #front: Front | null = null;
  #load: HttpLoad | null = null;
  readonly #name: ServerName;

  private constructor(name: ServerName, network: Network | null, [first, second]: readonly Host[]) {
    this.#name = name;
    this.#network = network;
    this.first = first!;
    this.second = second!;
  }

  static async open({ name, config }: Setup, onTestFinished: Finished): Promise<Site> {
    const network = HAS_NETWORK ? Network.create(2) : null;
    const port = network === null ? await freePort() : 6500;
    const hosts = network?.hosts ?? LOOPBACK.map((address) => ({ address, port }));
    const site = new Site(name, network, hosts);
    onTestFinished(async () => await site.#close());
    await Promise.all([site.start(site.first), site.start(site.second)]);
    site.#front = await startWebServer({
      ...{ name, config: join(ROOT, config) },
      values: { HOST_1: site.first.address, HOST_2: site.second.address, BACKEND_PORT: port },
    });
    site.#load = new HttpLoad(site.#front.url, { count: CONNECTIONS, paths: PATHS });
    return site;
  }

  async #close(): Promise<void> {
    await this.#load?.stop();
    await this.#front?.stop();
    await Promise.all([...this.#servers.values()].map(async (server) => await server.stop()));
    this.#network?.remove();
  }

  async start(host: Host): Promise<void> {
    const server = await SupervisedServer.start({
      ...{ mode: "thread", host },
      server: { maxThreads: 2, pm: "static", allowed_clients: this.#network?.address ?? LOOPBACK[0]! },
    });
    this.#servers.set(host, server);
    expect(server.output).toContain("Serving ");
  }

  async stop(host: Host): Promise<void> {
    await this.#servers.get(host)!.stop();
  }

  async reload(host: Host): Promise<void> {
    await this.#servers.get(host)!.reload();
  }

  /** All of its processes at once, as when a machine dies whose system still refuses connections. */
  async kill(host: Host): Promise<void> {
    for (const pid of await this.#pidsOf(host)) process.kill(pid, "SIGKILL");
    await this.stop(host);
  }

  async unplug(host: Host, milliseconds: number): Promise<void> {
    this.#network!.plug(host as NetworkHost, false);
    await sleep(milliseconds);
    this.#network!.plug(host as NetworkHost, true);
  }

  /** Resolves when the web server has had answers from each of them. */
  async answersFrom(...hosts: readonly Host[]): Promise<void> {
    for (const host of hosts) {
      const own = new Set(await this.#pidsOf(host));
      await until(
        async () => own.has(((await (await fetch(`${this.#front!.url}/who`)).json()) as { pid: number }).pid),
        () => `an answer from ${host.address}`,
      );
    }
  }

  /** What fails from now until 200 answers have come after `done` is over. */
  async during(what: string, done: () => Promise<void>): Promise<Failures> {
    const load = this.#load!;
    const [answered, failed] = [load.answered, load.failures.length];
    await done();
    const after = load.answered;
    await until(
      () => load.answered > after + 200,
      () => "answers",
    );
    const failures = load.failures.slice(failed);
    const of = (post: boolean): (number | string)[] =>
      failures.flatMap(({ path, what }) => ((path === "/upload") === post ? [what] : []));
    const [gets, posts] = [of(false), of(true)];
    const counts = { answered: load.answered - answered, GETs: gets.length, POSTs: posts.length };
    table.push({ front: this.#name, what, ...counts, with: [...new Set([...gets, ...posts])].join(" ") });
    return { gets, posts };
  }

  async #pidsOf(host: Host): Promise<number[]> {
    const server = this.#servers.get(host)!;
    return [server.process.pid!, ...(await server.children())];
  }
}

describe.concurrent("an app on two hosts", () => {
  // Most of it is waiting.
  it.for(SETUPS)(
    "behind $name: stop, start, reload and death",
    { timeout: 90_000 },
    async (setup, { skip, onTestFinished, expect }) => {
      skip(!INSTALLED.has(setup.name), `${setup.name} is not installed`);
      const site = await Site.open(setup, onTestFinished);
      const { first, second } = site;
      const expectAtMost = async (posts: number, what: string, done: () => Promise<void>): Promise<void> => {
        const failures = await site.during(what, done);
        expect(failures.gets).toEqual([]);
        expect(failures.posts.length).toBeLessThanOrEqual(posts);
      };
      const backAgain = async (): Promise<void> => {
        await site.start(first);
        await site.answersFrom(first);
      };
      expect(await site.during("nothing", async () => await site.answersFrom(first, second))).toEqual(NONE);
      await expectAtMost(MISSED + setup.away, "stop of one", async () => await site.stop(first));
      await expectAtMost(setup.away, "start of it", backAgain);
      expect(await site.during("reload of the other", async () => await site.reload(second))).toEqual(NONE);
      // What it had in hand is lost, and what was sent to it before that was noticed. Apache tells a client of an answer
      // that has broken off when its KeepAliveTimeout is over.
      const lost = await site.during("kill -9 of one", async () => {
        await site.kill(first);
        await sleep(6000);
      });
      expect(lost.gets.length + lost.posts.length).toBeLessThanOrEqual(2 * CONNECTIONS);
      await expectAtMost(setup.away, "nothing, one is dead", async () => await sleep(500));
      await expectAtMost(setup.away, "start of it", backAgain);
    },
  );

  it.skipIf(!HAS_NETWORK).for(SETUPS)(
    "behind $name: a pulled cable",
    { timeout: 90_000 },
    async (setup, { skip, onTestFinished, expect }) => {
      skip(!INSTALLED.has(setup.name), `${setup.name} is not installed`);
      const site = await Site.open(setup, onTestFinished);
      await site.answersFrom(site.first, site.second);
      // What had been sent waits for the cable; what could not be sent has gone to the other.
      const failures = await site.during("cable out for 4 s", async () => await site.unplug(site.first, 4000));
      expect(failures.gets).toEqual([]);
      expect(failures.posts.length).toBeLessThanOrEqual(setup.away);
    },
  );
});
