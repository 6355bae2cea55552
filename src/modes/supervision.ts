/**
 * Decides what a pool of workers needs next: one pure function for threads and processes.
 *
 * Whoever runs a pool shows it as a `PoolView`, asks `supervise`, and performs the actions; the decision has no clock,
 * no timer and no memory of its own. Times are milliseconds on one clock of the caller's.
 *
 * A worker goes `starting -> ready -> draining -> gone`, and from each of these to `killed` and then gone. Nothing
 * else: who has not become ready has nothing to finish and is killed, never drained.
 *
 * What holds once the actions are performed, tested by simulation:
 *
 * - A generation has at most `max` workers that start or are ready, and one above it while that starts as a replacement.
 *   Only the generation that serves and `next` have any: together at most `2 * max + 1`.
 * - Where workers are missing, some are starting or the back-off runs. While starts fail, one at a time is tried.
 * - Workers retire one by one: the next replacement starts when nobody of the generation starts or drains.
 * - No worker starts, stalls or drains for longer than its timeout.
 * - `next` is promoted or abandoned within twice `startTimeout`, counted from the last death of a ready worker of it.
 * - Asked again and again at the same `now`, it comes to `[]`, and never asks twice for the same.
 */

import type { WorkerState } from "../report.ts";

/** How many workers there shall be, and for how long. 0 is "no limit" except where said otherwise. */
export interface PoolLimits {
  /**
   * `static`: always `max` workers. `dynamic`: as many that between `minSpare` and `maxSpare` of them have room for a
   * request, at most `max`; it begins with `maxSpare`, as flup does. `ondemand`: none until a request waits, and none
   * any more after `idleTimeout` without one.
   */
  readonly manager: "static" | "dynamic" | "ondemand";
  /** At least 1. Starting and ready workers of one generation; a replacement may be one above it while it starts. */
  readonly max: number;
  readonly minSpare: number;
  readonly maxSpare: number;
  /** `ondemand`: a worker without requests for so long is drained. */
  readonly idleTimeout: number;
  /** `ondemand`: so many stay; 0 where a request is heard of although there is no worker, else 1. */
  readonly leastOnDemand: number;
  readonly maxLifetime: number;
  /** Bytes; a worker that was seen above it is replaced. */
  readonly maxMemory: number;
  /** A worker that is not ready by then is killed and counts as a failed start. Not 0. */
  readonly startTimeout: number;
  /** A worker that was not heard of for so long is killed and replaced. */
  readonly stallTimeout: number;
  /** A draining worker that is not gone by then is killed. Not 0. */
  readonly gracefulTimeout: number;
}

export interface WorkerView {
  /** Never given twice. */
  readonly id: number;
  readonly generation: number;
  /** `killed`: ended by force and not gone yet. A worker that is gone is not in the view. */
  readonly state: WorkerState;
  /** When it came into its state. */
  readonly since: number;
  /** When it was started. */
  readonly startedAt: number;
  /** When it was last known to be alive. */
  readonly heardAt: number;
  readonly inFlight: number;
  /** It has no room for another request, or is given none although it has (one that does not answer). */
  readonly full: boolean;
  /** When it last had a request in hand. */
  readonly busyAt: number;
  readonly served: number;
  /** It retires after so many requests (spread by the caller, so that workers do not retire together). */
  readonly maxRequests: number;
  /** Bytes, as far as known. */
  readonly memory: number;
  /** The worker that it was started for, to take its place once it is ready. */
  readonly replaces: number | null;
}

export interface PoolView {
  readonly limits: PoolLimits;
  /** The generation that serves; 0 before the first one has begun. */
  readonly generation: number;
  /** The generation that shall take over. Null where none shall. */
  readonly next: number | null;
  readonly workers: readonly WorkerView[];
  /** Requests that wait for a worker with room. */
  readonly waiting: number;
  /**
   * Failed starts in a row (died or timed out before ready, or died within a second of it), and when the last was. A
   * worker that stays ready for a second ends the row. Of workers that were started together it is enough to count one.
   */
  readonly failures: number;
  readonly failedAt: number;
  /** Of those, how many belong to `next`. Forgotten, in `failures` too, once `next` is another or null. */
  readonly nextFailures: number;
  /** No new workers, all that are there drain. */
  readonly stopping: boolean;
}

export type Action =
  | { readonly type: "start"; readonly generation: number; readonly replaces: number | null }
  /** Let it finish what it has in hand and go. */
  | { readonly type: "drain"; readonly id: number; readonly why: DrainReason }
  /** End it by force. */
  | { readonly type: "kill"; readonly id: number; readonly why: KillReason }
  /** `next` serves from now on: it is the caller's `generation`, and `next` is null. */
  | { readonly type: "promote"; readonly generation: number }
  /** `next` could not start: the caller sets `next` to null. Its workers are told to go by further actions. */
  | { readonly type: "abandon"; readonly generation: number };

export type DrainReason =
  | "surplus"
  | "idle"
  | "maxRequests"
  | "maxLifetime"
  | "maxMemory"
  /** It was ready in a generation that does not serve any more, or never will. */
  | "oldGeneration"
  | "stopping";

export type KillReason =
  /** A failed start: the caller counts it when it performs the action, not when the worker is gone. */
  | "startTimeout"
  | "stalled"
  | "gracefulTimeout"
  /** It was starting and nobody wants it any more. No failed start. */
  | "abandoned";

const FIRST_BACK_OFF = 100;
const LONGEST_BACK_OFF = 30_000;
/** A worker without requests for so long may be one too many: the gap between two requests is not yet a surplus. */
const SURPLUS_AFTER = 1000;

/** Milliseconds from the last of so many failed starts in a row (at least 1) to the next attempt. */
export function backOff(failures: number): number {
  return Math.min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2 ** (failures - 1));
}

/** What is to be done now, in this order. Pure; `view` is not kept. */
export function supervise(view: PoolView, now: number): Action[] {
  const round = new Round(view, now);
  round.endOverdue();
  if (view.stopping) {
    round.dismissAllBut([], "stopping");
    return round.actions;
  }
  const [generation, next] = round.turn();
  round.dismissAllBut([generation, next], "oldGeneration");
  if (generation !== 0) round.maintain(generation, next !== null);
  if (next !== null) round.prepare(next, generation);
  return round.actions;
}

/** One decision in the making: what was decided so far, and the pool as it will be then. */
class Round {
  readonly actions: Action[] = [];
  readonly #view: PoolView;
  readonly #now: number;
  readonly #max: number;
  /** Workers that start or are ready, without those told to go in this round. */
  #live: readonly WorkerView[];
  #draining: readonly WorkerView[];
  /** Generations with a start that timed out in this round: `failures` does not count it yet. */
  readonly #timedOut = new Set<number>();

  constructor(view: PoolView, now: number) {
    this.#view = view;
    this.#now = now;
    this.#max = Math.max(1, view.limits.max);
    this.#live = view.workers.filter(({ state }) => state === "starting" || state === "ready");
    this.#draining = view.workers.filter(({ state }) => state === "draining");
  }

  /** Ends by force whoever has had its time. */
  endOverdue(): void {
    const { startTimeout, stallTimeout, gracefulTimeout } = this.#view.limits;
    for (const worker of [...this.#live, ...this.#draining]) {
      const inState = this.#now - worker.since;
      if (worker.state === "starting") {
        if (inState < startTimeout) continue;
        this.#kill(worker, "startTimeout");
        this.#timedOut.add(worker.generation);
      } else if (stallTimeout > 0 && this.#now - worker.heardAt >= stallTimeout) {
        this.#kill(worker, "stalled");
      } else if (worker.state === "draining" && inState >= gracefulTimeout) {
        this.#kill(worker, "gracefulTimeout");
      }
    }
  }

  /** Tells the workers of all other generations to go. */
  dismissAllBut(generations: readonly (number | null)[], why: "oldGeneration" | "stopping"): void {
    for (const worker of this.#live) {
      if (!generations.includes(worker.generation)) this.#dismiss(worker, why);
    }
  }

  /** Which generation serves from now on and which one shall take over, after a promotion or the end of a hope. */
  turn(): [generation: number, next: number | null] {
    const { generation, next, nextFailures } = this.#view;
    if (next === null) return [generation, null];
    if (nextFailures > 0) {
      this.actions.push({ type: "abandon", generation: next });
      return [generation, null];
    }
    const { starting, ready } = this.#of(next);
    const complete = starting.length === 0 && ready.length >= this.#leastOfNext();
    if (!complete || this.#timedOut.has(next)) return [generation, next];
    this.actions.push({ type: "promote", generation: next });
    return [next, null];
  }

  /**
   * Starts what `next` lacks: as many as serve now. Once one of them is ready it only keeps its least number, so that a
   * pool that grows meanwhile does not put off the promotion. No back-off: its first failure ends it, and those of the
   * generation that serves may be what it was made to mend.
   */
  prepare(next: number, generation: number): void {
    this.#trim(next);
    if (this.#timedOut.has(next)) return;
    const { live, ready } = this.#of(next);
    const served = this.#view.limits.manager === "dynamic" && ready.length === 0 ? this.#of(generation).live.length : 0;
    const wanted = Math.min(this.#max, Math.max(this.#leastOfNext(), served));
    for (let missing = wanted - live.length; missing > 0; missing--) this.#start(next);
  }

  /** Keeps the generation that serves at its strength. `reloading`: nobody goes but who has to. */
  maintain(generation: number, reloading: boolean): void {
    this.#completeReplacements(generation);
    this.#trim(generation);
    if (!reloading) this.#shrink(generation);
    const { starting } = this.#of(generation);
    const startable = this.#startable(generation, starting.length);
    const missing = Math.min(this.#missing(generation), startable);
    for (let started = 0; started < missing; started++) this.#start(generation);
    if (!reloading && missing <= 0) this.#retireOne(generation, startable);
  }

  /** A worker whose replacement is ready may go. */
  #completeReplacements(generation: number): void {
    for (const { replaces } of this.#of(generation).ready) {
      const replaced = this.#of(generation).ready.find(({ id }) => id === replaces);
      if (replaced !== undefined) this.#drain(replaced, this.#due(replaced) ?? "surplus");
    }
  }

  /** `max` may have become less: those go first who are not ready, then who has least to do, the youngest first. */
  #trim(generation: number): void {
    const { live, plain } = this.#of(generation);
    if (plain.length <= this.#max) return;
    const load = (worker: WorkerView) => (worker.state === "starting" ? -1 : worker.inFlight);
    const order = live.toSorted((a, b) => load(a) - load(b) || b.startedAt - a.startedAt || b.id - a.id);
    for (const worker of order.slice(0, live.length - this.#max)) this.#dismiss(worker, "surplus");
  }

  /** Lets one go of those who had nothing to do for long enough, rather one that is due to retire than another. */
  #shrink(generation: number): void {
    const { manager, idleTimeout, leastOnDemand } = this.#view.limits;
    if (manager === "static" || this.#view.waiting > 0) return;
    const { plain, ready } = this.#of(generation);
    const idleFor = (worker: WorkerView) => this.#now - Math.max(worker.busyAt, worker.since);
    const order = (worker: WorkerView) => (this.#due(worker) === null ? 1 : 0);
    const least = manager === "dynamic" ? SURPLUS_AFTER : idleTimeout;
    const idle = ready
      .filter((worker) => hasRoom(worker) && worker.inFlight === 0 && idleFor(worker) >= least)
      .sort((a, b) => order(a) - order(b) || idleFor(b) - idleFor(a) || b.id - a.id);
    const first = idle[0];
    if (first === undefined) return;
    if (manager === "dynamic") {
      if (idle.length > this.#spare().most) this.#drain(first, "surplus");
      return;
    }
    const others = plain.filter((worker) => worker !== first);
    // The last one with room stays while others are full, or the next call would start another.
    if (others.length < leastOnDemand) return;
    if (idleTimeout > 0 && (others.length === 0 || others.some(hasRoom))) this.#drain(first, "idle");
  }

  /** How many to start; less than 1 for none. While requests wait the pool doubles at most: as many start as are ready. */
  #missing(generation: number): number {
    const { manager, leastOnDemand } = this.#view.limits;
    const { plain, ready } = this.#of(generation);
    const possible = this.#max - plain.length;
    if (manager === "static") return possible;
    const room = plain.filter(hasRoom).length;
    const starting = plain.filter(({ state }) => state === "starting").length;
    const queued = Math.min(this.#view.waiting, Math.max(1, ready.length)) - starting;
    const spare =
      manager === "dynamic"
        ? this.#spare().least - room
        : plain.length > 0 && room === 0
          ? 1
          : leastOnDemand - plain.length;
    return Math.min(possible, Math.max(spare, queued));
  }

  /** Starts the replacement of a worker that is due, or lets it go where there need not be one. */
  #retireOne(generation: number, startable: number): void {
    const { starting, ready } = this.#of(generation);
    if (starting.length > 0 || this.#draining.some((worker) => worker.generation === generation)) return;
    const due = ready
      .map((worker) => ({ worker, why: this.#due(worker) }))
      .sort((a, b) => urgency(a.why) - urgency(b.why) || a.worker.startedAt - b.worker.startedAt)[0];
    if (due === undefined || due.why === null) return;
    if (this.#view.limits.manager === "ondemand" && due.worker.inFlight === 0) this.#drain(due.worker, due.why);
    else if (startable > 0) this.#start(generation, due.worker.id);
  }

  /** How many starts the back-off allows; one at a time until one has gone well. */
  #startable(generation: number, starting: number): number {
    if (this.#timedOut.has(generation)) return 0;
    const { failures, failedAt, nextFailures } = this.#view;
    const own = failures - nextFailures;
    if (own <= 0) return Infinity;
    return starting === 0 && this.#now >= failedAt + backOff(own) ? 1 : 0;
  }

  #due(worker: WorkerView): RetireReason | null {
    const { maxMemory, maxLifetime } = this.#view.limits;
    if (maxMemory > 0 && worker.memory > maxMemory) return "maxMemory";
    if (worker.maxRequests > 0 && worker.served >= worker.maxRequests) return "maxRequests";
    return maxLifetime > 0 && this.#now - worker.startedAt >= maxLifetime ? "maxLifetime" : null;
  }

  /** The bounds of `dynamic`, in order and at least 1: a pool of none would not hear that it is needed. */
  #spare(): { least: number; most: number } {
    const least = Math.max(1, this.#view.limits.minSpare);
    return { least, most: Math.max(least, this.#view.limits.maxSpare) };
  }

  /** `next` is not promoted with fewer ready workers. */
  #leastOfNext(): number {
    switch (this.#view.limits.manager) {
      case "static":
        return this.#max;
      case "dynamic":
        return Math.min(this.#max, this.#spare().most);
      case "ondemand":
        return 1;
    }
  }

  /** A generation as it will be. `plain`: without a replacement that starts while the replaced one is ready. */
  #of(generation: number): Record<"live" | "plain" | "starting" | "ready", readonly WorkerView[]> {
    const live = this.#live.filter((worker) => worker.generation === generation);
    const starting = live.filter(({ state }) => state === "starting");
    const ready = live.filter(({ state }) => state === "ready");
    const isExtra = (worker: WorkerView) =>
      worker.state === "starting" && worker.replaces !== null && ready.some(({ id }) => id === worker.replaces);
    return { live, plain: live.filter((worker) => !isExtra(worker)), starting, ready };
  }

  #start(generation: number, replaces: number | null = null): void {
    this.actions.push({ type: "start", generation, replaces });
  }

  #dismiss(worker: WorkerView, why: DrainReason): void {
    if (worker.state === "starting") this.#kill(worker, "abandoned");
    else this.#drain(worker, why);
  }

  #drain(worker: WorkerView, why: DrainReason): void {
    this.actions.push({ type: "drain", id: worker.id, why });
    this.#live = this.#live.filter((other) => other !== worker);
    this.#draining = [...this.#draining, worker];
  }

  #kill(worker: WorkerView, why: KillReason): void {
    this.actions.push({ type: "kill", id: worker.id, why });
    this.#live = this.#live.filter((other) => other !== worker);
    this.#draining = this.#draining.filter((other) => other !== worker);
  }
}

type RetireReason = "maxMemory" | "maxRequests" | "maxLifetime";

/** Memory cannot wait as the others can. */
function urgency(why: RetireReason | null): number {
  return why === null ? 2 : why === "maxMemory" ? 0 : 1;
}

function hasRoom(worker: WorkerView): boolean {
  return worker.state === "starting" || !worker.full;
}
