/** One worker thread, as the pool sees it: its state, its line, the exchanges that it has. */
import { MessageChannel, type MessagePort, Worker, receiveMessageOnPort } from "node:worker_threads";

import { reviveError } from "../../carried-error.ts";
import type { FailStatus, RequestEvent, ResponseEvent } from "../../exchange.ts";
import type { WorkerReport, WorkerState } from "../../report.ts";
import { EARLY_DEATH } from "../start-failures.ts";
import type { WorkerView } from "../supervision.ts";
import { ExchangeTable } from "./exchange-table.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { FromThread, ThreadData, ToThread } from "./messages.ts";
import type { ExchangeCarrier, ThreadExchange } from "./thread-exchange.ts";
import { type Batch, BatchWriter, readResponses } from "./wire.ts";
import { steadyNow } from "../../steady-clock.ts";

/** A batch is sent at this size although the turn is not over. Bytes. */
const FULL_BATCH = 512 * 1024;
/** A thread with work in hand that has not answered a ping for so long gets no more. Milliseconds. */
const SUSPECT_AFTER = 200;
/** A thread without work is asked for a sign of life so often. Milliseconds. */
const IDLE_PING = 1000;

export interface WorkerThreadSetup<Work> {
  /** The script that each thread runs; it makes a `FarEnd`. */
  readonly entry: URL;
  readonly id: number;
  readonly generation: number;
  readonly replaces: number | null;
  readonly work: Work;
  readonly concurrency: number;
  readonly maxRequests: number;
  /** MiB; 0 for node's own limit. */
  readonly maxHeap: number;
}

/** Who owns a thread. */
export interface ThreadOwner {
  /** It is ready, or goes. */
  changed(): void;
  /** It goes by itself, shortly after it was ready. */
  leftEarly(thread: WorkerThread): void;
  /** It has room for another exchange. */
  roomy(): void;
  /** It is gone; what it had in hand was taken from it before. */
  gone(thread: WorkerThread, error: Error | null, exitCode: number): void;
}

export class WorkerThread implements ExchangeCarrier {
  readonly id: number;
  /** Of the worker, for debuggers. */
  readonly name: string;
  readonly generation: number;
  readonly worker: Worker;
  readonly startedAt: number = steadyNow();
  state: WorkerState = "starting";
  since: number = this.startedAt;
  heardAt: number = this.startedAt;
  busyAt: number = this.startedAt;
  /** Requests in hand that are not answered. */
  inFlight = 0;
  served = 0;
  suspect = false;
  readonly #setup: Omit<WorkerThreadSetup<unknown>, "work" | "entry">;
  readonly #owner: ThreadOwner;
  readonly #port: MessagePort;
  readonly #heartbeat = new Heartbeat();
  readonly #writer = new BatchWriter();
  #exchanges = new ExchangeTable<ThreadExchange>();
  #scheduled = false;
  #last = 0;
  #ping = 0;
  #pingAt = 0;
  #delay = 0;
  #utilization: ReturnType<Worker["performance"]["eventLoopUtilization"]> | undefined;
  #error: Error | null = null;
  #gone = false;

  /** @throws what the system says where it has no room for another thread */
  constructor(setup: WorkerThreadSetup<unknown>, owner: ThreadOwner) {
    const { entry, id, generation, work, maxHeap } = setup;
    this.id = id;
    this.name = `propylon ${id}`;
    this.generation = generation;
    this.#setup = setup;
    this.#owner = owner;
    const { port1, port2 } = new MessageChannel();
    const data: ThreadData<unknown> = { port: port2, shared: this.#heartbeat.shared, id, generation, work };
    try {
      this.worker = new Worker(entry, {
        workerData: data,
        transferList: [port2],
        name: this.name,
        ...(maxHeap === 0 ? {} : { resourceLimits: { maxOldGenerationSizeMb: maxHeap } }),
      });
    } catch (error) {
      port1.close();
      throw error;
    }
    this.#port = port1;
    port1.on("message", (message: FromThread) => this.#hear(message));
    this.worker.on("error", (error: Error) => (this.#error ??= error));
    this.worker.on("exit", (code: number) => this.#exited(code));
  }

  get view(): WorkerView {
    const { id, generation, state, since, startedAt, heardAt, inFlight, busyAt, served } = this;
    const { replaces, maxRequests, concurrency } = this.#setup;
    const memory = this.#heartbeat.heapUsed + this.#heartbeat.external;
    const full = inFlight >= concurrency || this.suspect;
    return {
      id,
      generation,
      state,
      since,
      startedAt,
      heardAt,
      inFlight,
      busyAt,
      served,
      replaces,
      maxRequests,
      memory,
      full,
    };
  }

  get leaving(): boolean {
    return this.state === "draining";
  }

  get hasRoom(): boolean {
    return this.state === "ready" && !this.suspect && this.inFlight < this.#setup.concurrency;
  }

  /** The exchanges that are not over yet, the oldest first. */
  get exchanges(): ThreadExchange[] {
    return this.#exchanges.values();
  }

  /** Those that were begun before `begun` and were not asked for yet. */
  slowExchanges(begun: number): ThreadExchange[] {
    const slow: ThreadExchange[] = [];
    for (const exchange of this.#exchanges.values()) {
      // They are in the order in which they came.
      if (exchange.begunAt > begun) break;
      if (exchange.slow || exchange.isAnswered) continue;
      exchange.slow = true;
      slow.push(exchange);
    }
    return slow;
  }

  take(exchange: ThreadExchange): void {
    const number = ++this.#last;
    this.inFlight++;
    this.#exchanges.add(number, exchange);
    this.#writer.request(number, exchange.head);
    exchange.assign(this, number);
    this.#schedule();
  }

  /** Asks for a sign of life and looks at the last one. */
  check(now: number): void {
    if (this.state !== "ready" && this.state !== "draining") return;
    // Upgraded connections are no requests in hand, but their thread is not one too many.
    if (this.#exchanges.size > 0) this.busyAt = now;
    const answered = this.#heartbeat.pong === this.#ping;
    if (answered) {
      if (this.#ping > 0) this.#delay = Math.max(0, this.#heartbeat.pongAt - this.#pingAt);
      this.heardAt = now;
      if (this.inFlight > 0 || now - this.#pingAt >= IDLE_PING) {
        this.#pingAt = now;
        this.#send(++this.#ping);
      }
    }
    const silent = !answered && now - this.#pingAt > SUSPECT_AFTER;
    const recovered = this.suspect && !silent;
    this.suspect = silent;
    if (recovered) this.#owner.roomy();
  }

  drain(): void {
    this.#enter("draining");
    this.#endTunnels();
    this.#flush();
    this.#send("drain");
  }

  reopenLogs(): void {
    this.#send("reopenLogs");
  }

  /**
   * Ends it by force, after `before`, which may take long or never happen. What it has not begun with is given back, the
   * rest fails with `status`.
   */
  kill(status: FailStatus, before: Promise<unknown>): ThreadExchange[] {
    this.#enter("killed");
    void before.finally(() => void this.worker.terminate());
    return this.#release(status);
  }

  /** What was left of it when it had gone: as `kill`. */
  bury(): ThreadExchange[] {
    return this.#release(500);
  }

  report(now: number): WorkerReport {
    const { id, generation, state, startedAt, heardAt, suspect, inFlight, served } = this;
    const { heapUsed, external } = this.#heartbeat;
    const current = this.worker.performance.eventLoopUtilization();
    const { utilization } = this.worker.performance.eventLoopUtilization(current, this.#utilization);
    this.#utilization = current;
    return {
      ...{ id, generation, state, startedAt, heardAt, suspect, inFlight, served, pid: process.pid },
      memory: { rss: 0, heapUsed, external },
      loop: { utilization, delay: suspect ? now - this.#pingAt : this.#delay },
      requests: this.exchanges.filter(({ isAnswered }) => !isAnswered).map(({ report }) => report),
    };
  }

  // For its exchanges: ExchangeCarrier.

  carry(number: number, event: RequestEvent): void {
    if (this.#gone) return;
    this.#writer.requestEvent(number, event);
    this.#schedule();
  }

  answered(): void {
    this.inFlight--;
    this.served++;
    this.#owner.roomy();
  }

  forget(exchange: ThreadExchange): void {
    this.#exchanges.delete(exchange.number);
  }

  #hear(message: FromThread): void {
    if (typeof message === "string") {
      if (message === "leaving") this.#leaves();
      else if (this.state === "starting") this.#enter("ready");
      this.heardAt = steadyNow();
      this.#owner.changed();
    } else if ("failed" in message) this.#error = reviveError(message.failed);
    else this.#receive(message);
  }

  /** Of its own accord, after an exception that nobody caught. */
  #leaves(): void {
    if (this.state !== "ready") return;
    const early = steadyNow() - this.since < EARLY_DEATH;
    this.#enter("draining");
    this.#endTunnels();
    if (early) this.#owner.leftEarly(this);
  }

  #endTunnels(): void {
    for (const exchange of this.exchanges) exchange.endTunnel();
  }

  #receive(batch: Batch): void {
    readResponses(batch, (number: number, event: ResponseEvent) => this.#exchanges.get(number)?.receive(event));
  }

  #enter(state: WorkerState): void {
    this.state = state;
    this.since = steadyNow();
  }

  #schedule(): void {
    if (this.#writer.size >= FULL_BATCH) this.#flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#flush());
    }
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#writer.empty || this.#gone) return;
    const batch = this.#writer.take();
    this.#port.postMessage(batch, [...batch.moved]);
  }

  #send(message: Exclude<ToThread, Batch>): void {
    this.#port.postMessage(message);
  }

  /** Takes its exchanges from it: gives those that it has not seen, the others fail. */
  #release(status: FailStatus): ThreadExchange[] {
    const started = this.#heartbeat.close();
    const unseen: ThreadExchange[] = [];
    for (const exchange of this.exchanges) {
      if (exchange.number > started && exchange.withdraw()) {
        this.inFlight--;
        unseen.push(exchange);
      } else exchange.fail(status);
    }
    this.#exchanges = new ExchangeTable();
    return unseen;
  }

  #exited(code: number): void {
    // What it has sent before it died may still be on its way to us.
    for (let left = receiveMessageOnPort(this.#port); left !== undefined; left = receiveMessageOnPort(this.#port)) {
      this.#hear(left.message as FromThread);
    }
    this.#gone = true;
    this.#port.close();
    this.#owner.gone(this, this.#error, code);
  }
}
