/** What goes wrong in one worker, while 16 connections are busy: only what that worker had in hand may suffer. */
import { afterEach, describe, expect, it } from "vitest";

import { BusyConnections } from "../support/busy-connections.ts";
import { type Mode, type Protocol, SupervisedServer, sleep, until } from "../support/supervised.ts";

const WORKERS = 4;
const POOL = { pm: "static", maxChildren: WORKERS, maxThreads: WORKERS, concurrency: 16 };
/** Detection is tested with a limit that a busy machine does not reach by itself. */
const STALL = { stall_timeout: "2s", slowlog_timeout: "500ms" };

let server: SupervisedServer | undefined;
let busy: BusyConnections | undefined;

afterEach(async () => {
  await busy?.stop();
  await server?.stop();
  busy = server = undefined;
});

interface Fault {
  readonly name: string;
  readonly path: string;
  readonly options?: Readonly<Record<string, string | number>>;
  /** What the client of the culprit gets: a status, or "error" where the connection is lost. */
  readonly thread: number | "error";
  readonly fork: number | "error";
  /** The worker is gone and was replaced. */
  readonly replaced: boolean;
}

const FAULTS: readonly Fault[] = [
  { name: "throws", path: "/throw", thread: 500, fork: 500, replaced: false },
  { name: "throws in a timer", path: "/throw-later", thread: 500, fork: "error", replaced: true },
  { name: "has a rejection that nobody handles", path: "/reject-later", thread: 500, fork: "error", replaced: true },
  { name: "calls process.exit", path: "/exit", thread: 500, fork: "error", replaced: true },
  { name: "never leaves a loop", path: "/loop", options: STALL, thread: 504, fork: "error", replaced: true },
  { name: "fills the heap", path: "/heap", options: { max_heap: "48m" }, thread: 500, fork: "error", replaced: true },
  {
    name: "sleeps in execSync",
    path: "/exec-sleep?n=6000",
    options: STALL,
    thread: 504,
    fork: "error",
    replaced: true,
  },
];

const FORK_ONLY: readonly Omit<Fault, "thread">[] = [
  { name: "is killed by SIGKILL", path: "/kill", fork: "error", replaced: true },
  { name: "is stopped by SIGSTOP", path: "/stop", options: STALL, fork: "error", replaced: true },
];

const PROTOCOLS: readonly Protocol[] = ["fastcgi", "scgi"];
const cases = PROTOCOLS.flatMap((protocol) => [
  ...FAULTS.map((fault): [Protocol, Mode, string, Omit<Fault, "thread" | "fork">, number | "error"] => [
    ...([protocol, "thread", fault.name, fault, fault.thread] as const),
  ]),
  ...[...FAULTS, ...FORK_ONLY].map(
    (fault): [Protocol, Mode, string, Omit<Fault, "thread" | "fork">, number | "error"] => [
      ...([protocol, "fork", fault.name, fault, fault.fork] as const),
    ],
  ),
]);

describe("with 16 busy connections, a worker", () => {
  it.for(cases)(
    "over %s in %s mode that %s takes only its own requests",
    async ([protocol, mode, , fault, outcome]) => {
      server = await SupervisedServer.start({ mode, protocol, server: { ...POOL, ...fault.options } });
      busy = new BusyConnections(server.target, protocol);
      await until(
        () => busy!.answered > 100,
        () => "the connections to be busy",
      );
      const before = await workersOf(server);

      const reply = await server.try(fault.path);
      expect("error" in reply ? "error" : reply.status).toBe(outcome);

      const strong = Date.now() + 10_000;
      await until(
        async () => {
          const now = await workersOf(server!);
          return now.size === WORKERS && (!fault.replaced || [...before].some((worker) => !now.has(worker)));
        },
        () => `four workers, one of them new:\n${server!.output}`,
        strong - Date.now(),
      );
      const answered = busy.answered;
      await until(
        () => busy!.answered > answered + 100,
        () => "the connections to go on",
      );
      await busy.stop();

      // One worker had about a quarter of what was in hand; in forking mode as many as the kernel had given it.
      const { failures, closed } = busy;
      const culprits = new Set(failures.map(({ on }) => on).filter((on) => on !== ""));
      if (!fault.replaced) expect(failures).toEqual([]);
      if (mode === "thread") {
        expect(closed).toBe(0);
        expect(failures.filter(({ what }) => what !== outcome)).toEqual([]);
        expect(failures.length).toBeLessThanOrEqual(16 / 2);
      } else {
        expect(culprits.size).toBeLessThanOrEqual(1);
        expect(failures.length).toBeLessThanOrEqual(16);
      }
    },
  );
});

/** Those that answer, each by "pid thread". */
async function workersOf(server: SupervisedServer): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const reply = await server.try("/wait?n=1");
    if (!("error" in reply) && reply.status === 200) seen.add(reply.body.trim());
  }
  return seen;
}

describe("threads that cannot be ended", () => {
  it("are counted, and at max_zombies the gateway process is replaced, without a closed connection more", async () => {
    server = await SupervisedServer.start({
      mode: "thread",
      protocol: "scgi",
      server: { ...POOL, stall_timeout: "1s", slowlog_timeout: 0, max_zombies: 1, graceful_timeout: "4s" },
    });
    const [first] = await server.children();
    busy = new BusyConnections(server.target, "scgi");
    await until(
      () => busy!.answered > 100,
      () => "the connections to be busy",
    );
    expect(await server.try("/exec-sleep?n=60000")).toMatchObject({ status: 504 });
    await until(
      async () => {
        const children = await server!.children();
        return children.length === 1 && children[0] !== first;
      },
      () => `another gateway process\n${server!.output}`,
    );
    await busy.stop();
    expect(server.output).toMatch(/asks to be replaced: .*max_zombies/);
    expect(busy.failures.filter(({ what }) => what !== 504)).toEqual([]);
    expect((await server.who()).pid).not.toBe(first);
  });
});

describe("a thread", () => {
  it("that was blocked for a while is given what waited for it", async () => {
    const pool = { pm: "static", maxThreads: 1, concurrency: 8, queue_timeout: "5s" };
    server = await SupervisedServer.start({ mode: "thread", server: pool });
    const blocked = server.ask("/work?n=900");
    await sleep(450);
    const begun = Date.now();
    expect((await server.ask("/wait?n=1")).status).toBe(200);
    expect(Date.now() - begun).toBeLessThan(4000);
    expect((await blocked).status).toBe(200);
  });

  it("that blocks gives back an upload that it has not begun with", async () => {
    const pool = { pm: "static", maxThreads: 1, concurrency: 8, stall_timeout: "1s", slowlog_timeout: 0 };
    server = await SupervisedServer.start({ mode: "thread", server: pool });
    const culprit = server.ask("/loop");
    const upload = server.ask("/upload", { method: "POST", body: Buffer.alloc(10_000, "u") });
    expect((await culprit).status).toBe(504);
    expect(await upload).toEqual({ status: 200, body: "10000\n" });
  });

  it.for(PROTOCOLS)("over %s ends at once although an app has left bodies unread", async (protocol) => {
    server = await SupervisedServer.start({ mode: "thread", protocol, server: { ...POOL, graceful_timeout: "15s" } });
    for (let i = 0; i < 4; i++) {
      const upload = server.ask("/leave-body", { method: "POST", body: Buffer.alloc(200_000, "u") });
      expect(await upload).toEqual({ status: 200, body: "left\n" });
    }
    const begun = Date.now();
    expect(await server.stop()).toBe(0);
    expect(Date.now() - begun).toBeLessThan(8000);
  });

  it("is there although the pool is ondemand, where no request may wait for one", async () => {
    const pool = { pm: "ondemand", queue_limit: 0, idle_timeout: "1s", maxThreads: 2 };
    server = await SupervisedServer.start({ mode: "thread", server: pool });
    expect((await server.ask("/wait?n=1")).status).toBe(200);
    await sleep(2500);
    expect((await server.ask("/wait?n=1")).status).toBe(200);
  });

  it("tells what an app throws after its answer", async () => {
    server = await SupervisedServer.start({ mode: "thread", server: POOL });
    expect(await server.ask("/throw-after-answer")).toEqual({ status: 200, body: "answered\n" });
    await server.said(/thrown after the answer/);
    expect((await server.who()).version).toBe("0");
  });
});

describe("workers that die soon after they were ready", () => {
  it.for(["thread", "fork"] as const)("in %s mode are started again with a delay that grows", async (mode) => {
    const pool = { pm: "static", maxChildren: 1, maxThreads: 1 };
    server = await SupervisedServer.start({ mode, server: pool, app: { fail_after: 300 } });
    await sleep(6000);
    const deaths = server.output.match(/uncaughtException( in|:)/g)?.length ?? 0;
    expect(deaths).toBeGreaterThan(1);
    expect(deaths).toBeLessThan(9);
  });
});

describe("an app", () => {
  it("in the forking mode that sends the supervisor messages of its own is not heard, and nothing comes of it", async () => {
    server = await SupervisedServer.start({ mode: "fork", server: POOL });
    const before = await server.children();
    expect(await server.ask("/babble")).toEqual({ status: 200, body: "babbled\n" });
    await server.said(/messages that are not propylon's/);
    await sleep(300);
    expect((await server.who()).version).toBe("0");
    expect(await server.children()).toEqual(before);
    expect(await server.stop()).toBe(0);
  });

  it("has no such channel in a thread", async () => {
    server = await SupervisedServer.start({ mode: "thread", server: POOL });
    expect((await server.ask("/babble")).status).toBe(500);
    await server.said(/process\.send is not a function/);
  });
});
