/** What goes wrong in one worker, while 16 connections are busy: only what that worker had in hand may suffer. */
import { afterAll, describe, expect, it } from "vitest";

import { BusyConnections } from "../support/busy-connections.ts";
import { type Mode, type Protocol, type SupervisedServer, sleep, startFor, until } from "../support/supervised.ts";

const WORKERS = 4;
const POOL = { pm: "static", maxChildren: WORKERS, maxThreads: WORKERS, concurrency: 16 };
/** Detection is tested with a limit that a busy machine does not reach by itself. */
const STALL = { stall_timeout: "2s", slowlog_timeout: "500ms" };

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

/** What each fault took, for the reader of the test's output. */
const table: Record<string, string | number>[] = [];

describe("with 16 busy connections, a worker", () => {
  afterAll(() => {
    console.table(table);
  });

  it.concurrent.for(cases)(
    "over %s in %s mode that %s takes only its own requests",
    async ([protocol, mode, name, fault, outcome], { onTestFinished }) => {
      const culprit = await startFor({ mode, protocol, server: { ...POOL, ...fault.options } }, onTestFinished);
      const others = new BusyConnections(culprit.target, protocol);
      onTestFinished(async () => await others.stop());
      table.push({ fault: name, mode, protocol, ...(await harm(culprit, others, { mode, fault, outcome })) });
    },
  );

  async function harm(
    culprit: SupervisedServer,
    others: BusyConnections,
    { mode, fault, outcome }: { mode: Mode; fault: Omit<Fault, "thread" | "fork">; outcome: number | "error" },
  ): Promise<Record<string, string | number>> {
    await until(
      () => others.answered > 100,
      () => "the connections to be busy",
    );
    const before = await workersOf(culprit);

    const begun = Date.now();
    const reply = await culprit.try(fault.path);
    const seen = Date.now();
    expect("error" in reply ? "error" : reply.status).toBe(outcome);

    await until(
      async () => {
        const now = await workersOf(culprit);
        return now.size === WORKERS && (!fault.replaced || [...before].some((worker) => !now.has(worker)));
      },
      () => `four workers, one of them new:\n${culprit.output}`,
      10_000,
    );
    const strong = Date.now();
    const { answered } = others;
    await until(
      () => others.answered > answered + 100,
      () => "the connections to go on",
    );
    await others.stop();

    // One worker had about a quarter of what was in hand; in forking mode as many as the kernel had given it.
    const { failures, closed } = others;
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
    return {
      ...{ client: outcome, "others failed": failures.length, closed },
      ...{ "seen after ms": seen - begun, "all there after ms": fault.replaced ? strong - begun : 0 },
    };
  }
});

/** Those that take requests, as the supervisor tells. */
async function workersOf(server: SupervisedServer): Promise<Set<number>> {
  const { workers } = await server.report();
  return new Set(workers.filter(({ state, suspect }) => state === "ready" && !suspect).map(({ id }) => id));
}

describe.concurrent("threads that cannot be ended", () => {
  it("are counted, and at max_zombies the gateway process is replaced, without a closed connection more", async ({
    onTestFinished,
  }) => {
    const server = await startFor(
      {
        mode: "thread",
        protocol: "scgi",
        server: { ...POOL, stall_timeout: "1s", slowlog_timeout: 0, max_zombies: 1, graceful_timeout: "4s" },
      },
      onTestFinished,
    );
    const [first] = await server.children();
    const busy = new BusyConnections(server.target, "scgi");
    onTestFinished(async () => await busy.stop());
    await until(
      () => busy.answered > 100,
      () => "the connections to be busy",
    );
    expect(await server.try("/exec-sleep?n=60000")).toMatchObject({ status: 504 });
    await until(
      async () => {
        const children = await server.children();
        return children.length === 1 && children[0] !== first;
      },
      () => `another gateway process\n${server.output}`,
    );
    await busy.stop();
    expect(server.output).toMatch(/asks to be replaced: .*max_zombies/);
    expect(busy.failures.filter(({ what }) => what !== 504)).toEqual([]);
    expect((await server.who()).pid).not.toBe(first);
  });
});

describe.concurrent("a thread", () => {
  it("that was blocked for a while is given what waited for it", async ({ onTestFinished }) => {
    const pool = { pm: "static", maxThreads: 1, concurrency: 8, queue_timeout: "5s" };
    const server = await startFor({ mode: "thread", server: pool }, onTestFinished);
    const blocked = server.ask("/work?n=900");
    await sleep(450);
    const begun = Date.now();
    expect((await server.ask("/wait?n=1")).status).toBe(200);
    expect(Date.now() - begun).toBeLessThan(4000);
    expect((await blocked).status).toBe(200);
  });

  it("that blocks gives back an upload that it has not begun with", async ({ onTestFinished }) => {
    const pool = { pm: "static", maxThreads: 1, concurrency: 8, stall_timeout: "1s", slowlog_timeout: 0 };
    const server = await startFor({ mode: "thread", server: pool }, onTestFinished);
    const culprit = server.ask("/loop");
    const upload = server.ask("/upload", { method: "POST", body: Buffer.alloc(10_000, "u") });
    expect((await culprit).status).toBe(504);
    expect(await upload).toEqual({ status: 200, body: "10000\n" });
  });

  it.for(PROTOCOLS)(
    "over %s ends at once although an app has left bodies unread",
    async (protocol, { onTestFinished }) => {
      const server = await startFor(
        { mode: "thread", protocol, server: { ...POOL, graceful_timeout: "15s" } },
        onTestFinished,
      );
      for (let i = 0; i < 4; i++) {
        const upload = server.ask("/leave-body", { method: "POST", body: Buffer.alloc(200_000, "u") });
        expect(await upload).toEqual({ status: 200, body: "left\n" });
      }
      const begun = Date.now();
      expect(await server.stop()).toBe(0);
      expect(Date.now() - begun).toBeLessThan(8000);
    },
  );

  it("is there although the pool is ondemand, where no request may wait for one", async ({ onTestFinished }) => {
    const pool = { pm: "ondemand", queue_limit: 0, idle_timeout: "1s", maxThreads: 2 };
    const server = await startFor({ mode: "thread", server: pool }, onTestFinished);
    expect((await server.ask("/wait?n=1")).status).toBe(200);
    await sleep(2500);
    expect((await server.ask("/wait?n=1")).status).toBe(200);
  });

  it("tells what an app throws after its answer", async ({ onTestFinished }) => {
    const server = await startFor({ mode: "thread", server: POOL }, onTestFinished);
    expect(await server.ask("/throw-after-answer")).toEqual({ status: 200, body: "answered\n" });
    await server.said(/thrown after the answer/);
    expect((await server.who()).version).toBe("0");
  });
});

describe.concurrent("a process with concurrency", () => {
  it("lets the others wait, and answers 503 where no more may", async ({ onTestFinished }) => {
    const pool = { pm: "static", maxChildren: 1, concurrency: 1, queue_limit: 1 };
    const server = await startFor({ mode: "fork", server: pool }, onTestFinished);
    const begun = Date.now();
    const replies = await Promise.all([1, 2, 3].map(async () => await server.ask("/wait?n=400")));
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 503]);
    expect(Date.now() - begun).toBeGreaterThan(700);
    await until(
      async () => (await server.report()).counters["queueOverflows"] === 1,
      () => "the status to tell of it",
    );
  });
});

describe.concurrent("workers that die soon after they were ready", () => {
  it.for(["thread", "fork"] as const)(
    "in %s mode are started again with a delay that grows",
    async (mode, { onTestFinished }) => {
      const pool = { pm: "static", maxChildren: 1, maxThreads: 1 };
      const server = await startFor({ mode, server: pool, app: { fail_after: 300 } }, onTestFinished);
      await sleep(6000);
      const deaths = server.output.match(/uncaughtException( in|:)/g)?.length ?? 0;
      expect(deaths).toBeGreaterThan(1);
      expect(deaths).toBeLessThan(9);
    },
  );
});

describe.concurrent("an app", () => {
  it("in the forking mode that sends the supervisor messages of its own is not heard, and nothing comes of it", async ({
    onTestFinished,
  }) => {
    const server = await startFor({ mode: "fork", server: POOL }, onTestFinished);
    const before = await server.children();
    expect(await server.ask("/babble")).toEqual({ status: 200, body: "babbled\n" });
    await server.said(/messages that are not propylon's/);
    await sleep(300);
    expect((await server.who()).version).toBe("0");
    expect(await server.children()).toEqual(before);
    expect(await server.stop()).toBe(0);
  });

  it("has no such channel in a thread", async ({ onTestFinished }) => {
    const server = await startFor({ mode: "thread", server: POOL }, onTestFinished);
    expect((await server.ask("/babble")).status).toBe(500);
    await server.said(/process\.send is not a function/);
  });
});
