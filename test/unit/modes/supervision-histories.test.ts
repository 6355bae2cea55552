/** What `supervise` promises, held against thousands of random histories of simulated pools. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { backOff } from "../../../src/modes/supervision.ts";
import type { Action, PoolLimits } from "../../../src/modes/supervision.ts";
import { type Habits, PoolSimulation, type SimulatedWorker } from "../../support/pool-simulation.ts";

const STEP = 1000;
const CALM_STEP = 2000;
const LIMITS: PoolLimits = {
  manager: "static",
  max: 4,
  minSpare: 1,
  maxSpare: 2,
  idleTimeout: 5000,
  leastOnDemand: 0,
  maxLifetime: 0,
  maxMemory: 100,
  startTimeout: 5000,
  stallTimeout: 3000,
  gracefulTimeout: 4000,
};
const HABITS: Habits = { boot: 300, bootFails: false, finish: 200, concurrency: 2, load: 0, maxRequests: 0 };

/** Not `expect`: this is asked millions of times. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

function groups(pool: PoolSimulation, generation: number) {
  const live = pool.workers.filter(
    (w) => w.generation === generation && (w.state === "starting" || w.state === "ready"),
  );
  const ready = live.filter(({ state }) => state === "ready");
  const starting = live.filter(({ state }) => state === "starting");
  const extra = starting.filter(({ replaces }) => ready.some(({ id }) => id === replaces));
  const plain = live.filter((worker) => !extra.includes(worker));
  const room = plain.filter((worker) => worker.state === "starting" || !worker.full);
  return { live, ready, starting, extra, plain, room };
}

/** Asks once, and holds the pool against everything that is promised of every moment. */
function act(pool: PoolSimulation): readonly Action[] {
  const { limits, now, generation, stopping } = pool;
  const before = {
    failures: pool.failures - pool.nextFailures,
    starting: groups(pool, generation).starting.filter((w) => now - w.since < limits.startTimeout).length,
    waiting: pool.view().waiting,
    coming: groups(pool, pool.next ?? -1),
  };
  const due = now >= pool.failedAt + backOff(Math.max(1, before.failures));
  const actions = pool.act();
  const late = new Set(
    actions.map((action) => (action.type === "kill" && action.why === "startTimeout" ? action.id : 0)),
  );
  const lateOf = (generation: number) => pool.workers.some((w) => w.generation === generation && late.has(w.id));
  const after = groups(pool, pool.generation);

  for (const of of [after, groups(pool, pool.next ?? -1)]) {
    must(of.plain.length <= limits.max, "more than max of a generation");
    must(of.extra.length <= 1, "two replacements start");
  }
  for (const worker of pool.workers) lookAt(worker, pool);
  const retiring = pool.workers.filter((w) => w.drainedFor?.startsWith("max") && w.state === "draining");
  const ofThis = retiring.filter((worker) => worker.generation === pool.generation);
  must(ofThis.length + after.extra.length <= 1, "two workers are recycled at once");

  if (actions.some(({ type }) => type === "promote")) {
    const least = { static: limits.max, dynamic: Math.min(limits.max, Math.max(1, limits.maxSpare)), ondemand: 1 };
    must(
      before.coming.starting.length === 0 && before.coming.ready.length >= least[limits.manager],
      "promoted too early",
    );
  }

  const starts = actions.filter((action) => action.type === "start");
  if (stopping) must(starts.length === 0, "started while stopping");
  for (const start of starts) must(!lateOf(start.generation), "started before a failure was counted");
  if (stopping || generation === 0 || generation !== pool.generation) return actions;

  const started = starts.filter((action) => action.generation === generation).length;
  if (before.failures > 0) {
    must(started === 0 || due, "started during the back-off");
    must(after.starting.length <= Math.max(1, before.starting), "started several while starts fail");
  }
  if (limits.manager !== "static") {
    const bound = Math.max(1, limits.minSpare, after.ready.length);
    must(started === 0 || after.starting.length - after.extra.length <= bound, "more than doubled");
  }
  if (lateOf(generation)) return actions;
  if (before.failures === 0 || (due && after.starting.length === 0)) {
    must(
      after.plain.length === limits.max || after.room.length >= needed(limits, before.waiting),
      "below strength, and nobody starts",
    );
  }
  return actions;
}

/** Workers with room, starting ones counted, that there have to be unless there are `max`. */
function needed(limits: PoolLimits, waiting: number): number {
  switch (limits.manager) {
    case "static":
      return Infinity;
    case "dynamic":
      return Math.max(1, limits.minSpare);
    case "ondemand":
      return waiting > 0 ? 1 : 0;
  }
}

/** No worker is lost: each serves or is about to, or it goes within its time. */
function lookAt(worker: SimulatedWorker, { generation, next, limits, now, stopping }: PoolSimulation): void {
  const inState = now - worker.since;
  const heard = limits.stallTimeout === 0 || now - worker.heardAt < limits.stallTimeout;
  switch (worker.state) {
    case "starting":
      must(inState < limits.startTimeout, "starts for too long");
      break;
    case "ready":
      must(heard, "stalls for too long");
      break;
    case "draining":
      must(heard && inState < limits.gracefulTimeout, "drains for too long");
      return;
    case "killed":
      return;
  }
  must(worker.generation === generation || worker.generation === next, "a generation is forgotten");
  must(!stopping, "not told to stop");
}

/** One thing that may happen to a pool; `what` decides which, `how` how much. */
function happen(pool: PoolSimulation, what: number, how: number): void {
  const { habits, limits, workers } = pool;
  const victim = workers[how % Math.max(1, workers.length)];
  switch (what) {
    case 0:
    case 1:
    case 2:
      habits.load = how % (limits.max * habits.concurrency + 4);
      break;
    case 3:
    case 4:
      if (victim !== undefined) pool.die(victim);
      break;
    case 5:
      if (victim !== undefined) victim.stalled = true;
      break;
    case 6:
      habits.bootFails = how % 3 === 0;
      break;
    case 7:
      habits.boot = [10, 300, 2000, 4900, 9000][how % 5] ?? 0;
      break;
    case 8:
      pool.reload();
      break;
    case 9:
      pool.limits = { ...limits, max: 1 + (how % 6) };
      pool.nextDisturbedAt = pool.now;
      break;
    case 10:
      habits.finish = [0, 500, 3000, 9000][how % 4] ?? 0;
      break;
    case 11:
      if (victim !== undefined) victim.memory = 101;
      break;
    case 12:
      habits.maxRequests = how % 2 === 0 ? 0 : 5 + (how % 20);
      break;
    case 13:
      habits.load = 0;
      break;
    case 14:
      if (how % 40 === 0) pool.stopping = true;
      break;
    case 15:
      settle(pool);
      break;
    default:
  }
}

/** Asks at the same moment until there is nothing to do, which comes soon and repeats nothing. */
function settle(pool: PoolSimulation, ask = () => act(pool)): void {
  const done = new Set<string>();
  for (let rounds = 0; rounds < 40; rounds++) {
    const actions = ask();
    if (actions.length === 0) return;
    for (const action of actions) {
      if (action.type === "start") continue;
      const name = "id" in action ? `${action.type} ${action.id}` : `${action.type} ${action.generation}`;
      must(!done.has(name), `again: ${name}`);
      done.add(name);
    }
  }
  throw new Error("does not come to an end");
}

/** A reload that nobody disturbs has ended by now. */
function reloadEnds(pool: PoolSimulation, step: number): void {
  if (pool.next === null || pool.stopping) return;
  must(pool.now - pool.nextDisturbedAt <= 2 * pool.limits.startTimeout + 2 * step, "a reload does not end");
}

/** Nothing happens any more: the pool comes to its full strength and to rest, or to its end. */
function calmDown(pool: PoolSimulation): void {
  Object.assign(pool.habits, { bootFails: false, boot: 300, finish: 300, maxRequests: 0 });
  pool.limits = { ...pool.limits, maxLifetime: 0 };
  for (const worker of pool.workers) worker.maxRequests = 0;
  let last: readonly Action[] = [];
  for (let step = 0; step < 60; step++) {
    pool.pass(CALM_STEP);
    last = act(pool);
    reloadEnds(pool, CALM_STEP);
    if (step === 4 && pool.stopping) must(pool.workers.length === 0, "stopping does not end");
  }
  must(last.length === 0, "a pool with nothing to do does something");
  must(
    pool.workers.every(({ state }) => state === "ready"),
    "somebody is left who does not serve",
  );
  const { manager, max, minSpare } = pool.limits;
  const { ready, room } = groups(pool, pool.generation);
  if (pool.stopping || pool.generation === 0) must(ready.length === 0, "somebody is left");
  else if (manager === "static") must(ready.length === max, "not at its strength");
  else if (manager === "dynamic") must(ready.length === max || room.length >= minSpare, "less than minSpare have room");
  else must(ready.length === max || room.length > 0 === pool.habits.load > 0, "not what is demanded");
}

const limits = fc.record({
  manager: fc.constantFrom("static", "dynamic", "ondemand"),
  max: fc.integer({ min: 1, max: 6 }),
  minSpare: fc.nat(3),
  maxSpare: fc.nat(5),
  maxLifetime: fc.constantFrom(0, 0, 6000),
  stallTimeout: fc.constantFrom(0, 3000, 3000),
});
/** Each number is a moment: what happens, how much of it, and the time that has passed. Half of the time nothing happens. */
const histories = fc.array(fc.nat(32 * 120 * 1000 - 1), { maxLength: 400, size: "max" });

describe("a pool with any history", () => {
  it("keeps its bounds at every step, ends every reload, comes to rest at its strength and stops", () => {
    let promotions = 0;
    let abandonments = 0;
    fc.assert(
      fc.property(limits, histories, (chosen, history) => {
        const pool = new PoolSimulation({ ...LIMITS, ...chosen }, { ...HABITS });
        for (const moment of history) {
          pool.pass(10 + (moment % (STEP - 10)));
          happen(pool, Math.floor(moment / 1000) % 32, Math.floor(moment / 32_000));
          pool.distribute();
          act(pool);
          reloadEnds(pool, STEP);
        }
        calmDown(pool);
        promotions += pool.promotions;
        abandonments += pool.abandonments;
      }),
      { numRuns: 3000 },
    );
    expect(promotions).toBeGreaterThan(3000);
    expect(abandonments).toBeGreaterThan(1000);
  }, 60_000);
});

const ages = fc.constantFrom(0, 100, 999, 1000, 3000, 5000, 20_000);
const anyWorker = fc.record({
  generation: fc.integer({ min: 1, max: 4 }),
  state: fc.constantFrom("starting", "ready", "ready", "ready", "draining", "killed"),
  age: ages,
  silence: ages,
  idle: ages,
  inFlight: fc.nat(3),
  full: fc.boolean(),
  served: fc.nat(3),
  memory: fc.constantFrom(50, 50, 101),
  replaces: fc.option(fc.nat(5)),
});

describe("a pool in any state, be it one that no history leads to", () => {
  it("comes to an end when asked at one moment, and no action is asked for twice", () => {
    fc.assert(
      fc.property(
        limits,
        fc.array(anyWorker, { maxLength: 12 }),
        fc.record({
          generation: fc.nat(2),
          next: fc.constantFrom(null, 3),
          load: fc.nat(20),
          failures: fc.nat(3),
          nextFailures: fc.nat(1),
          failedAgo: ages,
          stopping: fc.constantFrom(false, false, true),
        }),
        (chosen, workers, { load, failedAgo, ...state }) => {
          const pool = new PoolSimulation({ ...LIMITS, ...chosen }, { ...HABITS, load });
          Object.assign(pool, state, { failedAt: pool.now - failedAgo, failures: state.failures + state.nextFailures });
          pool.workers = workers.map(({ age, silence, idle, ...worker }, index) => ({
            ...{ id: 100 + index, since: pool.now - age, startedAt: pool.now - age, heardAt: pool.now - silence },
            ...{ busyAt: pool.now - idle, maxRequests: 2, bootsAt: Infinity, bootFails: false, stalled: false },
            ...{ goneAt: Infinity, drainedFor: null },
            ...worker,
            replaces: worker.replaces === null ? null : 100 + worker.replaces,
          }));
          settle(pool, () => pool.act());
        },
      ),
      { numRuns: 5000 },
    );
  }, 30_000);
});

describe("a pool", () => {
  /** Lets it run undisturbed and tells how long it took until `holds`, at most a minute. */
  function until(pool: PoolSimulation, holds: () => boolean): number {
    const since = pool.now;
    while (!holds()) {
      if (pool.now - since >= 60_000) throw new Error("in vain");
      pool.pass(50);
      act(pool);
    }
    return pool.now - since;
  }
  const ready = (pool: PoolSimulation) => groups(pool, pool.generation).ready.length;

  it("whose app cannot start any more starts few workers, and is back soon after it can", () => {
    const pool = new PoolSimulation(LIMITS, { ...HABITS });
    until(pool, () => ready(pool) === 4);
    pool.habits.bootFails = true;
    for (const worker of [...pool.workers]) pool.die(worker);
    const before = pool.starts;
    for (let time = 0; time < 600_000; time += 50) {
      pool.pass(50);
      act(pool);
    }
    // All four at once, then one after each delay: 0.8 to 25.6 s once, and every 30 s.
    expect(pool.starts - before).toBeGreaterThan(20);
    expect(pool.starts - before).toBeLessThan(4 + 6 + 20);
    pool.habits.bootFails = false;
    expect(until(pool, () => ready(pool) === 4)).toBeLessThan(30_000 + 2 * pool.habits.boot + 1000 + 500);
  });

  it("doubles with each boot under load, up to max, and shrinks to maxSpare after it", () => {
    const pool = new PoolSimulation(
      { ...LIMITS, manager: "dynamic", max: 16, maxSpare: 2 },
      { ...HABITS, concurrency: 1 },
    );
    until(pool, () => pool.generation === 1);
    expect(ready(pool)).toBe(2);
    pool.habits.load = 100;
    expect(until(pool, () => ready(pool) === 16)).toBeLessThan(3 * (pool.habits.boot + 100) + 100);
    pool.habits.load = 0;
    until(pool, () => ready(pool) === 2);
    expect(act(pool)).toEqual([]);
  });

  it("recycles all of its workers one by one and is never below its strength", () => {
    const pool = new PoolSimulation(LIMITS, { ...HABITS, finish: 1000 });
    until(pool, () => pool.generation === 1);
    const old = new Set(pool.workers.map(({ id }) => id));
    for (const worker of pool.workers) worker.memory = 101;
    until(pool, () => {
      expect(ready(pool)).toBeGreaterThanOrEqual(4);
      return pool.workers.every(({ id }) => !old.has(id));
    });
  });
});
