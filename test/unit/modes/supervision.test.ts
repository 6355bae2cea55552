import { describe, expect, it } from "vitest";

import { backOff, supervise } from "../../../src/modes/supervision.ts";
import type { Action, PoolLimits, PoolView, WorkerView } from "../../../src/modes/supervision.ts";

const NOW = 1_000_000;
const LIMITS: PoolLimits = {
  manager: "static",
  max: 2,
  minSpare: 1,
  maxSpare: 2,
  idleTimeout: 5000,
  leastOnDemand: 0,
  maxLifetime: 0,
  maxMemory: 0,
  startTimeout: 5000,
  stallTimeout: 3000,
  gracefulTimeout: 4000,
};
const DYNAMIC: PoolLimits = { ...LIMITS, manager: "dynamic", max: 8, minSpare: 2, maxSpare: 4 };
const ONDEMAND: PoolLimits = { ...LIMITS, manager: "ondemand", max: 4 };

/** A worker of generation 1 that has been ready, idle and well for a while. */
function worker(id: number, different: Partial<WorkerView> = {}): WorkerView {
  const times = { since: NOW - 2000, startedAt: NOW - 2500, heardAt: NOW, busyAt: NOW - 2000 };
  const load = { inFlight: 0, full: false, served: 0, maxRequests: 0, memory: 0, replaces: null };
  return { id, generation: 1, state: "ready", ...times, ...load, ...different };
}
const starting = (id: number, different: Partial<WorkerView> = {}) =>
  worker(id, { state: "starting", since: NOW - 100, startedAt: NOW - 100, ...different });
const draining = (id: number, different: Partial<WorkerView> = {}) =>
  worker(id, { state: "draining", since: NOW - 100, ...different });
const killed = (id: number) => worker(id, { state: "killed", since: NOW - 60_000, heardAt: NOW - 60_000 });
const full = { inFlight: 1, full: true, busyAt: NOW };
const idleFor = (milliseconds: number) => ({ since: NOW - 90_000, busyAt: NOW - milliseconds });

function view(limits: PoolLimits, workers: readonly WorkerView[], different: Partial<PoolView> = {}): PoolView {
  const failures = { failures: 0, failedAt: 0, nextFailures: 0 };
  return { limits, generation: 1, next: null, workers, waiting: 0, ...failures, stopping: false, ...different };
}

const start = (generation = 1, replaces: number | null = null): Action => ({ type: "start", generation, replaces });
const drain = (id: number, why: string) => ({ type: "drain", id, why }) as Action;
const kill = (id: number, why: string) => ({ type: "kill", id, why }) as Action;
const promote = (generation: number): Action => ({ type: "promote", generation });
const abandon = (generation: number): Action => ({ type: "abandon", generation });

const FIRST = { generation: 0, next: 1 };
const RELOAD = { next: 2 };
const of2 = { generation: 2 };

const CASES: readonly [sentence: string, view: PoolView, actions: readonly Action[]][] = [
  ["does nothing before there is a generation", view(LIMITS, [], { generation: 0 }), []],
  ["static begins with max workers", view(LIMITS, [], FIRST), [start(), start()]],
  ["dynamic begins with maxSpare workers", view(DYNAMIC, [], FIRST), [start(), start(), start(), start()]],
  ["dynamic begins with max where that is less", view({ ...DYNAMIC, max: 1 }, [], FIRST), [start()]],
  ["ondemand begins with one, to see that it loads", view(ONDEMAND, [], FIRST), [start()]],
  ["waits for the first generation's starts", view(LIMITS, [starting(1), worker(2)], FIRST), []],
  ["promotes the first generation once all are ready", view(LIMITS, [worker(1), worker(2)], FIRST), [promote(1)]],
  [
    "gives up a first generation that cannot start",
    view(LIMITS, [starting(1), worker(2)], { ...FIRST, failures: 1, nextFailures: 1, failedAt: NOW }),
    [abandon(1), kill(1, "abandoned"), drain(2, "oldGeneration")],
  ],

  ["leaves a static pool at its strength alone", view(LIMITS, [worker(1), worker(2, full)]), []],
  ["replaces a dead worker at once", view(LIMITS, [worker(1)]), [start()]],
  ["counts a starting worker", view(LIMITS, [worker(1), starting(2)]), []],
  ["leaves killed workers alone and does not count them", view(LIMITS, [worker(1), worker(2), killed(3)]), []],
  ["does not count draining workers", view(LIMITS, [worker(1), draining(2)]), [start()]],
  [
    "lets the surplus go when max is lowered, those first who are not ready, then the idle, the youngest first",
    view({ ...LIMITS, max: 1 }, [worker(1), worker(2), worker(3, full), starting(4)]),
    [kill(4, "abandoned"), drain(2, "surplus"), drain(1, "surplus")],
  ],

  ["starts nobody before the back-off is over", view(LIMITS, [], { failures: 3, failedAt: NOW - 399 }), []],
  ["tries one when the back-off is over", view(LIMITS, [], { failures: 3, failedAt: NOW - 400 }), [start()]],
  ["tries only one at a time", view(LIMITS, [starting(1)], { failures: 3, failedAt: NOW - 400 }), []],
  [
    "starts nobody in place of a start that timed out before that is counted",
    view(LIMITS, [worker(1), starting(2, { since: NOW - 5000 })]),
    [kill(2, "startTimeout")],
  ],
  [
    "does not hold failures of the next generation against the one that serves",
    view(LIMITS, [worker(1)], { ...RELOAD, failures: 5, failedAt: NOW, nextFailures: 5 }),
    [abandon(2), start()],
  ],

  [
    "kills and replaces who is stalled",
    view(LIMITS, [worker(1), worker(2, { heardAt: NOW - 3000 })]),
    [kill(2, "stalled"), start()],
  ],
  [
    "stalls nobody where the limit is 0",
    view({ ...LIMITS, stallTimeout: 0 }, [worker(1), worker(2, { heardAt: 0 })]),
    [],
  ],
  [
    "does not take a slow start for a stall",
    view(LIMITS, [worker(1), starting(2, { heardAt: NOW - 4000, since: NOW - 4000 })]),
    [],
  ],
  [
    "kills who drains for too long",
    view(LIMITS, [worker(1), worker(2), draining(3, { since: NOW - 4000 })]),
    [kill(3, "gracefulTimeout")],
  ],
  [
    "kills who stalls while draining",
    view(LIMITS, [worker(1), worker(2), draining(3, { heardAt: NOW - 3000 })]),
    [kill(3, "stalled")],
  ],

  [
    "starts a replacement for a worker that had its requests",
    view(LIMITS, [worker(1, { served: 10, maxRequests: 10 }), worker(2)]),
    [start(1, 1)],
  ],
  [
    "starts a replacement for a worker that lived long enough",
    view({ ...LIMITS, maxLifetime: 2500 }, [worker(1), worker(2, { startedAt: NOW - 2499 })]),
    [start(1, 1)],
  ],
  [
    "replaces who takes too much memory before all others",
    view({ ...LIMITS, maxMemory: 100 }, [worker(1, { served: 10, maxRequests: 10 }), worker(2, { memory: 101 })]),
    [start(1, 2)],
  ],
  [
    "keeps a worker that is due until its replacement is ready, and no other is replaced meanwhile",
    view(LIMITS, [
      worker(1, { served: 9, maxRequests: 9 }),
      worker(2, { served: 9, maxRequests: 9 }),
      starting(3, { replaces: 1 }),
    ]),
    [],
  ],
  [
    "drains it then",
    view(LIMITS, [
      worker(1, { served: 9, maxRequests: 9 }),
      worker(2, { served: 9, maxRequests: 9 }),
      worker(3, { replaces: 1 }),
    ]),
    [drain(1, "maxRequests")],
  ],
  [
    "waits for it to be gone before it replaces the next",
    view(LIMITS, [draining(1), worker(2, { served: 9, maxRequests: 9 }), worker(3, { replaces: 1 })]),
    [],
  ],
  [
    "drains who was replaced although it is no longer due",
    view(LIMITS, [worker(1), worker(2), worker(3, { replaces: 1 })]),
    [drain(1, "surplus")],
  ],
  [
    "takes the replacement for a plain worker when the replaced one died",
    view(LIMITS, [worker(2), starting(3, { replaces: 1 })]),
    [],
  ],
  [
    "needs no replacement for an idle worker of ondemand",
    view(ONDEMAND, [worker(1, { served: 9, maxRequests: 9 })]),
    [drain(1, "maxRequests")],
  ],
  [
    "replaces nobody while starts fail",
    view(LIMITS, [worker(1, { served: 9, maxRequests: 9 }), worker(2)], { failures: 1, failedAt: NOW - 50 }),
    [],
  ],

  [
    "dynamic starts as many as are missing for minSpare with room",
    view(DYNAMIC, [worker(1, full), worker(2, full)]),
    [start(), start()],
  ],
  ["dynamic counts a starting worker as room", view(DYNAMIC, [worker(1, full), starting(2)]), [start()]],
  [
    "dynamic doubles at most while requests wait",
    view(DYNAMIC, [worker(1, full), worker(2, full), worker(3, full), starting(4), starting(5)], { waiting: 50 }),
    [start()],
  ],
  ["dynamic stops at max", view({ ...DYNAMIC, max: 3 }, [worker(1, full), worker(2, full)], { waiting: 9 }), [start()]],
  [
    "dynamic lets one surplus worker go, the one that has been idle longest",
    view(
      DYNAMIC,
      [1, 2, 3, 4, 5, 6].map((id) => worker(id, idleFor(id === 3 ? 9000 : 5000))),
    ),
    [drain(3, "surplus")],
  ],
  [
    "dynamic keeps maxSpare idle workers",
    view(
      DYNAMIC,
      [1, 2, 3, 4].map((id) => worker(id, idleFor(9000))),
    ),
    [],
  ],
  [
    "dynamic prefers one that is due to retire",
    view(
      DYNAMIC,
      [1, 2, 3, 4, 5].map((id) => worker(id, { ...idleFor(id === 3 ? 9000 : 5000), served: id, maxRequests: 5 })),
    ),
    [drain(5, "surplus")],
  ],
  [
    "dynamic takes a pause of less than a second for no surplus",
    view(
      DYNAMIC,
      [1, 2, 3, 4, 5].map((id) => worker(id, idleFor(999))),
    ),
    [],
  ],
  [
    "dynamic takes busy workers with room for no surplus",
    view(
      DYNAMIC,
      [1, 2, 3, 4, 5].map((id) => worker(id, { inFlight: 1 })),
    ),
    [],
  ],

  ["ondemand starts nobody without a request", view(ONDEMAND, []), []],
  ["ondemand starts one for the first request", view(ONDEMAND, [], { waiting: 3 }), [start()]],
  ["ondemand waits for its start", view(ONDEMAND, [starting(1)], { waiting: 3 }), []],
  ["ondemand starts one when all are full", view(ONDEMAND, [worker(1, full)]), [start()]],
  [
    "ondemand lets an idle worker go",
    view(ONDEMAND, [worker(1, idleFor(5000)), worker(2, idleFor(4999))]),
    [drain(1, "idle")],
  ],
  [
    "ondemand keeps the last one with room while others are full",
    view(ONDEMAND, [worker(1, full), worker(2, idleFor(9000))]),
    [],
  ],
  [
    "ondemand keeps the last worker where one is to stay",
    view({ ...ONDEMAND, leastOnDemand: 1 }, [worker(1, idleFor(9000))]),
    [],
  ],
  [
    "ondemand starts a worker where one is to stay and none is left",
    view({ ...ONDEMAND, leastOnDemand: 1 }, []),
    [start()],
  ],
  [
    "ondemand keeps idle workers where the limit is 0",
    view({ ...ONDEMAND, idleTimeout: 0 }, [worker(1, idleFor(9000))]),
    [],
  ],

  [
    "a reload starts max workers beside a static pool",
    view(LIMITS, [worker(1), worker(2)], RELOAD),
    [start(2), start(2)],
  ],
  [
    "a reload starts as many as a dynamic pool has",
    view(DYNAMIC, [1, 2, 3, 4, 5].map((id) => worker(id, full)).concat(worker(6), worker(7)), RELOAD),
    [1, 2, 3, 4, 5, 6, 7].map(() => start(2)),
  ],
  [
    "a reload takes no more of them once one is ready",
    view(
      DYNAMIC,
      [
        ...[1, 2, 3, 4, 5].map((id) => worker(id)),
        worker(6, of2),
        starting(7, of2),
        starting(8, of2),
        starting(9, of2),
      ],
      RELOAD,
    ),
    [],
  ],
  [
    "a reload does not wait for the back-off",
    view(LIMITS, [], { ...RELOAD, failures: 9, failedAt: NOW }),
    [start(2), start(2)],
  ],
  [
    "a worker that dies during a reload is replaced",
    view(LIMITS, [worker(1), starting(3, of2), starting(4, of2)], RELOAD),
    [start()],
  ],
  [
    "nobody is recycled during a reload",
    view(LIMITS, [worker(1, { served: 9, maxRequests: 9 }), worker(2), starting(3, of2), starting(4, of2)], RELOAD),
    [],
  ],
  ["nobody is surplus during a reload", view(ONDEMAND, [worker(1, idleFor(9000)), starting(3, of2)], RELOAD), []],
  [
    "the new generation takes over when all of it are ready, and the old one drains",
    view(LIMITS, [worker(1), starting(2), worker(3, of2), worker(4, of2)], RELOAD),
    [promote(2), drain(1, "oldGeneration"), kill(2, "abandoned")],
  ],
  [
    "it does not while one of them starts, though they are enough",
    view({ ...DYNAMIC, maxSpare: 1, minSpare: 1 }, [worker(1), worker(3, of2), starting(4, of2)], RELOAD),
    [],
  ],
  [
    "a new generation whose worker timed out does not take over",
    view(
      { ...DYNAMIC, maxSpare: 1, minSpare: 1 },
      [worker(1), worker(3, of2), starting(4, { ...of2, since: 0 })],
      RELOAD,
    ),
    [kill(4, "startTimeout")],
  ],
  [
    "one failure ends a reload and the old generation serves on",
    view(LIMITS, [worker(1), worker(2), worker(3, of2), starting(4, of2)], { ...RELOAD, failures: 1, nextFailures: 1 }),
    [abandon(2), drain(3, "oldGeneration"), kill(4, "abandoned")],
  ],
  [
    "a reload during a reload takes its place",
    view(LIMITS, [worker(1), worker(2), worker(3, of2), starting(4, of2)], { next: 3 }),
    [drain(3, "oldGeneration"), kill(4, "abandoned"), start(3), start(3)],
  ],

  [
    "stopping drains who is ready, kills who is not and starts nobody",
    view(LIMITS, [worker(1), starting(2), worker(3, of2), draining(4), killed(5)], { ...RELOAD, stopping: true }),
    [drain(1, "stopping"), kill(2, "abandoned"), drain(3, "stopping")],
  ],
  [
    "stopping kills who does not go",
    view(LIMITS, [draining(1, { since: NOW - 4000 }), draining(2)], { stopping: true }),
    [kill(1, "gracefulTimeout")],
  ],
];

describe("supervise", () => {
  it.each(CASES)("%s", (_, view, actions) => {
    expect(supervise(view, NOW)).toEqual(actions);
  });

  it("doubles the delay up to half a minute", () => {
    expect([1, 2, 3, 9, 10, 500].map(backOff)).toEqual([100, 200, 400, 25_600, 30_000, 30_000]);
  });
});
