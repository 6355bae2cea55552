/** Worker threads as one dispatcher: gives each exchange to the thread with least in hand, and keeps threads as `supervise` says. */
import { setTimeout as sleep } from "node:timers/promises";

import type { Dispatcher, RequestHead, RequestSink, ResponseSink } from "../../exchange.ts";
import type { Logger } from "../../log.ts";
import { type QueueReport, REQUESTS_SHOWN, type WorkerReport } from "../../report.ts";
import { EARLY_DEATH, StartFailures } from "../start-failures.ts";
import { type Action, type PoolLimits, type PoolView, supervise } from "../supervision.ts";
import { type ExchangeQueue, ThreadExchange } from "./thread-exchange.ts";
import { type ThreadOwner, WorkerThread } from "./worker-thread.ts";
import { steadyNow } from "../../steady-clock.ts";

export interface ThreadPoolOptions {
  readonly limits: PoolLimits;
  /** Requests in hand of one thread at a time, at least 1. */
  readonly concurrency: number;
  /** Requests that wait for a thread with room; one more fails with 503. */
  readonly queueLimit: number;
  /** Milliseconds; a request that has waited for so long fails with 503. */
  readonly queueTimeout: number;
  /** A thread retires after so many requests, spread over 10 % more; 0 for never. */
  readonly maxRequests: number;
  /** MiB of JavaScript heap of a thread; 0 for node's own limit. */
  readonly maxHeap: number;
  /** So many threads that cannot be ended are borne. */
  readonly maxZombies: number;
  /** Milliseconds after which a request is told as slow, once; 0 for never. */
  readonly slowlogTimeout: number;
}

/** What is told of a thread that is slow. The thread is ended only after that, if it is to be. */
export type SlowTeller = (
  thread: WorkerThread,
  requests: readonly ThreadExchange[],
  why: "slow" | "stalled" | "asked",
) => Promise<void>;

export interface ThreadPoolSetup {
  /** The script that each thread runs; it makes a `FarEnd`. */
  readonly entry: URL;
  readonly options: ThreadPoolOptions;
  readonly log: Logger;
  readonly slow: SlowTeller;
  /** There are `maxZombies`: the process should be replaced. */
  readonly exhausted: () => void;
}

const TICK = 100;
/** The pool's own loop was blocked for so long: no thread is to blame for not having been heard. Milliseconds. */
const PAUSE = 1000;
/** A thread that was ended and is there after so long will stay. Milliseconds. */
const ZOMBIE_AFTER = 2000;
const JITTER = 0.1;

export class ThreadPool<Work> implements Dispatcher, ThreadOwner, ExchangeQueue {
  readonly counters = {
    threadsStarted: 0,
    threadsDied: 0,
    threadsStalled: 0,
    threadsRetired: 0,
    queued: 0,
    queueOverflows: 0,
    queueTimeouts: 0,
    redispatched: 0,
  };
  readonly #setup: ThreadPoolSetup;
  #options: ThreadPoolOptions;
  readonly #threads = new Map<number, WorkerThread>();
  #queue = new Set<ThreadExchange>();
  readonly #work = new Map<number, Work>();
  #generation = 0;
  #next: number | null = null;
  #lastThread = 0;
  #extra = 0;
  readonly #failures = new StartFailures();
  #stopping = false;
  #timer: NodeJS.Timeout | null = null;
  #lookedAt = steadyNow();
  #decided: ((error: Error | null) => void) | null = null;
  #stopped: (() => void) | null = null;
  #exhausted = false;

  constructor(setup: ThreadPoolSetup) {
    this.#setup = setup;
    this.#options = setup.options;
  }

  /**
   * Resolves when the first threads have loaded the app; where none are kept (`ondemand`), when one has.
   *
   * @throws what the app fails with
   */
  async start(work: Work, generation: number): Promise<void> {
    this.#timer = setInterval(() => this.#look(), TICK);
    await this.#change(work, generation);
  }

  /**
   * Changes over to threads that run `work`. The requests in hand are finished by the threads that have them.
   *
   * @throws what the app fails with; what served goes on
   */
  async reload(work: Work, generation: number, options: ThreadPoolOptions): Promise<void> {
    const before = this.#options;
    const extra = this.#extra;
    this.#options = options;
    this.#extra = 0;
    try {
      await this.#change(work, generation);
    } catch (error) {
      this.#options = before;
      this.#extra = extra;
      throw error;
    }
  }

  dispatch(head: RequestHead, response: ResponseSink): RequestSink {
    const exchange = new ThreadExchange(head, response, this);
    const thread = this.#queue.size === 0 ? this.#choose() : null;
    if (thread !== null) thread.take(exchange);
    else if (this.#queue.size >= this.#options.queueLimit) {
      this.counters.queueOverflows++;
      exchange.fail(503);
    } else {
      this.counters.queued++;
      this.#queue.add(exchange);
      if (this.#queue.size === 1) setImmediate(() => this.#look());
    }
    return exchange;
  }

  /** One thread more or less, until the next reload. */
  resize(delta: 1 | -1): void {
    this.#extra = Math.max(1 - this.#options.limits.max, this.#extra + delta);
    this.#look();
  }

  /** Lets the threads finish what they have and go; resolves when they are gone, but for those that cannot be ended. */
  async close(): Promise<void> {
    this.#stopping = true;
    this.#decided?.(new Error("the server is stopping"));
    if (!this.#empty) {
      const gone = new Promise<void>((resolve) => (this.#stopped = resolve));
      this.#look();
      await gone;
    }
    // Those that were ended by force just now need a moment; those that stay would hold up the end of the process.
    for (const end = steadyNow() + ZOMBIE_AFTER; this.#threads.size > 0 && steadyNow() < end;) await sleep(TICK);
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  reopenLogs(): void {
    for (const thread of this.#threads.values()) thread.reopenLogs();
  }

  /** Tells of each thread what it is doing. */
  dumpStacks(): void {
    for (const thread of this.#threads.values()) void this.#setup.slow(thread, thread.exchanges, "asked");
  }

  get workers(): WorkerReport[] {
    const now = steadyNow();
    return Array.from(this.#threads.values(), (thread) => {
      const report = thread.report(now);
      return { ...report, requests: report.requests.slice(0, REQUESTS_SHOWN) };
    });
  }

  get queue(): QueueReport {
    const [first] = this.#queue;
    const oldest = first === undefined ? 0 : steadyNow() - first.begunAt;
    return { length: this.#queue.size, limit: this.#options.queueLimit, oldest };
  }

  /** Threads of whatever state. */
  get size(): number {
    return this.#threads.size;
  }

  /** Threads that were ended but are still there. */
  get zombies(): number {
    const now = steadyNow();
    let count = 0;
    for (const { state, since } of this.#threads.values()) {
      if (state === "killed" && now - since > ZOMBIE_AFTER) count++;
    }
    return count;
  }

  // For the threads: ThreadOwner.

  changed(): void {
    this.#look();
    this.roomy();
  }

  leftEarly(thread: WorkerThread): void {
    const failure = new Error(`worker thread ${thread.id} failed as soon as it was ready`);
    this.#failures.add(thread, this.#next, failure);
  }

  roomy(): void {
    while (this.#queue.size > 0) {
      const thread = this.#choose();
      if (thread === null) return;
      const [exchange] = this.#queue;
      this.#queue.delete(exchange!);
      thread.take(exchange!);
    }
  }

  gone(thread: WorkerThread, error: Error | null, exitCode: number): void {
    const { id, state, since, startedAt, generation } = thread;
    this.#threads.delete(id);
    const why = error?.message ?? `exit code ${exitCode}`;
    const died = state === "ready" || (state === "draining" && exitCode !== 0);
    if (died) {
      this.counters.threadsDied++;
      this.#setup.log.error(`worker thread ${id} died: ${error?.stack ?? why}`);
    }
    if (state === "starting" || (state === "ready" && steadyNow() - since < EARLY_DEATH)) {
      const failure = error ?? new Error(`a worker thread ended before it was ready (${why})`);
      this.#failures.add({ generation, startedAt }, this.#next, failure);
      if (generation !== this.#next) this.#setup.log.error(`a worker thread failed to start: ${failure.message}`);
    }
    this.#requeue(thread.bury());
    this.#look();
  }

  // For the exchanges: ExchangeQueue.

  leave(exchange: ThreadExchange): void {
    this.#queue.delete(exchange);
  }

  get #empty(): boolean {
    for (const { state } of this.#threads.values()) if (state !== "killed") return false;
    return true;
  }

  async #change(work: Work, generation: number): Promise<void> {
    this.#work.set(generation, work);
    this.#next = generation;
    this.#failures.nextChanged();
    const decided = new Promise<void>((resolve, reject) => {
      this.#decided = (error) => {
        this.#decided = null;
        if (error === null) resolve();
        else reject(error);
      };
    });
    this.#look();
    await decided;
    for (const number of this.#work.keys()) if (number < generation) this.#work.delete(number);
  }

  #choose(): WorkerThread | null {
    let chosen: WorkerThread | null = null;
    for (const thread of this.#threads.values()) {
      if (thread.generation !== this.#generation || !thread.hasRoom) continue;
      const better =
        chosen === null ||
        thread.inFlight < chosen.inFlight ||
        (thread.inFlight === chosen.inFlight && thread.served < chosen.served);
      if (better) chosen = thread;
    }
    return chosen;
  }

  #requeue(exchanges: readonly ThreadExchange[]): void {
    if (exchanges.length === 0) return;
    this.counters.redispatched += exchanges.length;
    this.#queue = new Set([...exchanges, ...this.#queue]);
    this.roomy();
  }

  #look(): void {
    const now = steadyNow();
    const paused = now - this.#lookedAt > PAUSE;
    this.#lookedAt = now;
    for (const thread of this.#threads.values()) {
      if (paused) thread.heardAt = now;
      thread.check(now);
    }
    this.#endWaiting(now);
    this.#tellSlow(now);
    this.#failures.look(this.#threads.values(), now);
    for (const action of supervise(this.#view(), now)) this.#perform(action);
    if (!this.#exhausted && this.zombies >= this.#options.maxZombies) {
      this.#exhausted = true;
      this.#setup.exhausted();
    }
    if (this.#stopping && this.#empty) this.#stopped?.();
  }

  #view(): PoolView {
    return {
      limits: this.#limits,
      generation: this.#generation,
      next: this.#next,
      workers: Array.from(this.#threads.values(), ({ view }) => view),
      waiting: this.#queue.size,
      failures: this.#failures.count,
      failedAt: this.#failures.at,
      nextFailures: this.#failures.ofNext,
      stopping: this.#stopping,
    };
  }

  get #limits(): PoolLimits {
    const { limits } = this.#options;
    if (this.#extra === 0) return limits;
    const changed = (count: number): number => Math.max(1, count + this.#extra);
    return {
      ...limits,
      max: changed(limits.max),
      minSpare: changed(limits.minSpare),
      maxSpare: changed(limits.maxSpare),
    };
  }

  #perform(action: Action): void {
    switch (action.type) {
      case "start":
        this.#start(action.generation, action.replaces);
        return;
      case "drain":
        if (action.why !== "stopping" && action.why !== "oldGeneration") this.counters.threadsRetired++;
        this.#setup.log.debug(`worker thread ${action.id} retires: ${action.why}`);
        this.#threads.get(action.id)!.drain();
        return;
      case "kill":
        this.#kill(this.#threads.get(action.id)!, action.why);
        return;
      case "promote":
        this.#generation = action.generation;
        this.#next = null;
        this.#failures.nextChanged();
        this.#decided?.(null);
        this.roomy();
        return;
      case "abandon": {
        const { error } = this.#failures;
        this.#next = null;
        this.#failures.nextChanged();
        this.#decided?.(error ?? new Error("no thread of the new generation came up"));
      }
    }
  }

  #start(generation: number, replaces: number | null): void {
    const { entry } = this.#setup;
    const { concurrency, maxHeap, maxRequests } = this.#options;
    const id = ++this.#lastThread;
    const spread = Math.round(maxRequests * (1 + Math.random() * JITTER));
    this.counters.threadsStarted++;
    const work = this.#work.get(generation);
    try {
      const setup = { entry, id, generation, replaces, concurrency, maxHeap, maxRequests: spread, work };
      this.#threads.set(id, new WorkerThread(setup, this));
    } catch (error) {
      this.#setup.log.error(`a worker thread cannot be started: ${(error as Error).message}`);
      this.#failures.add({ generation, startedAt: steadyNow() }, this.#next, error as Error);
    }
  }

  #kill(thread: WorkerThread, why: Extract<Action, { type: "kill" }>["why"]): void {
    const { id, exchanges } = thread;
    this.#setup.log.warn(`worker thread ${id} is ended: ${why}`);
    if (why === "startTimeout") {
      this.#failures.add(thread, this.#next, new Error(`worker thread ${id} was not ready within start_timeout`));
    }
    const stalled = why === "stalled";
    if (stalled) this.counters.threadsStalled++;
    const told = stalled ? this.#setup.slow(thread, exchanges, "stalled") : Promise.resolve();
    this.#requeue(thread.kill(stalled ? 504 : 500, told));
  }

  #endWaiting(now: number): void {
    for (const exchange of this.#queue) {
      // What a thread has given back stands first and waits for less long.
      if (now - exchange.queuedAt < this.#options.queueTimeout) continue;
      this.#queue.delete(exchange);
      this.counters.queueTimeouts++;
      exchange.fail(503);
    }
  }

  #tellSlow(now: number): void {
    const { slowlogTimeout } = this.#options;
    if (slowlogTimeout === 0) return;
    for (const thread of this.#threads.values()) {
      const slow = thread.slowExchanges(now - slowlogTimeout);
      if (slow.length > 0) void this.#setup.slow(thread, slow, "slow");
    }
  }
}
