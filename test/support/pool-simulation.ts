/** A pool of workers on a clock of its own: performs what `supervise` asks for, and lets happen what may happen to workers. */
import { supervise } from "../../src/modes/supervision.ts";
import type { Action, PoolLimits, PoolView, WorkerView } from "../../src/modes/supervision.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A worker as it is; what is not in its view nobody but the simulation knows. */
export interface SimulatedWorker extends Writable<WorkerView> {
  /** When it becomes ready, or dies instead of it. */
  bootsAt: number;
  bootFails: boolean;
  stalled: boolean;
  /** When it is gone; set by draining and killing. */
  goneAt: number;
  /** Why it drains; null while it does not. */
  drainedFor: string | null;
}

export interface Habits {
  /** Milliseconds from start to ready; longer than `startTimeout` is never. */
  boot: number;
  bootFails: boolean;
  /** Milliseconds from drain to gone; may be longer than `gracefulTimeout`. */
  finish: number;
  /** Requests that a worker takes at once. */
  concurrency: number;
  /** Requests in hand or waiting. */
  load: number;
  maxRequests: number;
}

/** A killed worker is gone after so long. */
const KILL_TAKES = 20;

export class PoolSimulation {
  now = 1_000_000;
  limits: PoolLimits;
  habits: Habits;
  workers: SimulatedWorker[] = [];
  generation = 0;
  next: number | null = 1;
  newest = 1;
  stopping = false;
  failures = 0;
  nextFailures = 0;
  failedAt = 0;
  starts = 0;
  promotions = 0;
  abandonments = 0;
  /** When a ready worker of `next` last died, or `next` last changed. */
  nextDisturbedAt = this.now;
  #lastId = 0;

  constructor(limits: PoolLimits, habits: Habits) {
    this.limits = limits;
    this.habits = habits;
  }

  view(): PoolView {
    const served = this.workers.filter(({ state, generation }) => state === "ready" && generation === this.generation);
    const taken = served.reduce((sum, worker) => sum + worker.inFlight, 0);
    const { limits, generation, next, failures, failedAt, nextFailures, stopping } = this;
    const workers = this.workers.map((worker) => ({ ...worker }));
    const waiting = Math.max(0, this.habits.load - taken);
    return { limits, generation, next, workers, waiting, failures, failedAt, nextFailures, stopping };
  }

  /** Lets so many milliseconds pass. */
  pass(milliseconds: number): void {
    this.now += milliseconds;
    for (const worker of [...this.workers]) this.#live(worker, this.now - milliseconds);
    this.distribute();
  }

  /** Gives the requests to the workers that serve, the oldest first. */
  distribute(): void {
    let load = this.habits.load;
    for (const worker of this.workers) {
      if (worker.state !== "ready") continue;
      const before = worker.inFlight;
      worker.inFlight = worker.generation === this.generation ? Math.min(load, this.habits.concurrency) : 0;
      load -= worker.inFlight;
      if (worker.inFlight > 0 || before > 0) worker.busyAt = this.now;
      worker.full = worker.inFlight >= this.habits.concurrency;
    }
  }

  reload(): void {
    this.#setNext(++this.newest);
  }

  /** A worker ends by itself, whatever it was doing. */
  die(worker: SimulatedWorker): void {
    const wasReady = worker.state === "ready";
    if (worker.state === "starting" || (wasReady && this.now - worker.since < 1000)) this.#fail(worker);
    else if (wasReady && worker.generation === this.next) this.nextDisturbedAt = this.now;
    this.workers = this.workers.filter((other) => other !== worker);
  }

  /** Asks once and performs what comes. */
  act(): Action[] {
    const actions = supervise(this.view(), this.now);
    for (const action of actions) this.#perform(action);
    return actions;
  }

  #live(worker: SimulatedWorker, before: number): void {
    switch (worker.state) {
      case "starting":
        if (worker.bootsAt > this.now) return;
        if (worker.bootFails) this.die(worker);
        else this.#enter(worker, "ready");
        return;
      case "ready":
        if (!worker.stalled) {
          worker.heardAt = this.now;
          worker.served += worker.inFlight;
        }
        // A second of service ends the row of failures.
        if (worker.since + 1000 > before && worker.since + 1000 <= this.now && worker.generation === this.generation) {
          this.failures = this.nextFailures;
        }
        return;
      case "draining":
        if (!worker.stalled) worker.heardAt = this.now;
        if (!worker.stalled && worker.goneAt <= this.now) this.die(worker);
        return;
      case "killed":
        if (worker.goneAt <= this.now) this.die(worker);
        return;
    }
  }

  #enter(worker: SimulatedWorker, state: WorkerView["state"]): void {
    worker.state = state;
    worker.since = this.now;
    if (!worker.stalled) worker.heardAt = this.now;
  }

  #fail(worker: SimulatedWorker): void {
    this.failures++;
    this.failedAt = this.now;
    if (worker.generation === this.next) this.nextFailures++;
  }

  #setNext(next: number | null): void {
    this.failures -= this.nextFailures;
    this.nextFailures = 0;
    this.next = next;
    this.nextDisturbedAt = this.now;
  }

  #find(id: number): SimulatedWorker {
    const worker = this.workers.find((worker) => worker.id === id);
    if (worker === undefined) throw new Error(`there is no worker ${id}`);
    return worker;
  }

  #perform(action: Action): void {
    switch (action.type) {
      case "start": {
        const { boot, bootFails, maxRequests } = this.habits;
        const at = { since: this.now, startedAt: this.now, heardAt: this.now, busyAt: this.now };
        const { generation, replaces } = action;
        const idle = { inFlight: 0, full: false, served: 0, maxRequests, memory: 0, stalled: false, drainedFor: null };
        const fate = { bootsAt: this.now + boot, bootFails, goneAt: Infinity };
        this.workers.push({ id: ++this.#lastId, generation, state: "starting", replaces, ...at, ...idle, ...fate });
        this.starts++;
        return;
      }
      case "drain": {
        const worker = this.#find(action.id);
        if (worker.state !== "ready") throw new Error(`drained while ${worker.state}`);
        this.#enter(worker, "draining");
        worker.drainedFor = action.why;
        worker.goneAt = this.now + this.habits.finish;
        return;
      }
      case "kill": {
        const worker = this.#find(action.id);
        if (worker.state === "killed") throw new Error("killed twice");
        if (worker.state === "ready" && worker.generation === this.next) this.nextDisturbedAt = this.now;
        if (action.why === "startTimeout") this.#fail(worker);
        this.#enter(worker, "killed");
        worker.goneAt = this.now + KILL_TAKES;
        return;
      }
      case "promote":
        if (action.generation !== this.next) throw new Error(`promoted ${action.generation}`);
        this.generation = action.generation;
        this.promotions++;
        this.#setNext(null);
        return;
      case "abandon":
        if (action.generation !== this.next) throw new Error(`abandoned ${action.generation}`);
        this.abandonments++;
        this.#setNext(null);
        return;
    }
  }
}
