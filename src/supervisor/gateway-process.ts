/** The supervisor's end of one gateway process. */
import cluster, { type Worker } from "node:cluster";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";

import { reviveError } from "../carried-error.ts";
import type { ProcessReport, WorkerState } from "../report.ts";
import { EARLY_DEATH } from "../modes/start-failures.ts";
import { heardMessage } from "./heard-message.ts";
import { ASK_FD, type ToGateway, type ToSupervisor } from "./messages.ts";
import { steadyNow } from "../steady-clock.ts";

export interface GatewayProcessSetup<Work> {
  /** Script that calls `serveUnderSupervisor`. */
  readonly entry: URL;
  /** Number of the listening socket's descriptor here. */
  readonly listener: number;
  readonly id: number;
  readonly generation: number;
  readonly replaces: number | null;
  readonly maxRequests: number;
  /** Bytes; 0 for node's own limit. */
  readonly maxHeap: number;
  readonly work: Work;
  /** Something is to be decided upon: it is ready, failed or gone, or asks for a replacement. */
  readonly changed: (process: GatewayProcess<Work>) => void;
  readonly heard: (process: GatewayProcess<Work>, message: ToSupervisor) => void;
  /** It has said something that none of ours says; told once. */
  readonly babbles: (process: GatewayProcess<Work>) => void;
  /** It goes by itself, shortly after it was ready. */
  readonly leftEarly: (process: GatewayProcess<Work>) => void;
}

export class GatewayProcess<Work> {
  readonly id: number;
  readonly replaces: number | null;
  readonly startedAt: number = steadyNow();
  generation: number;
  state: WorkerState = "starting";
  since: number = this.startedAt;
  heardAt: number = this.startedAt;
  busyAt: number = this.startedAt;
  report: ProcessReport | null = null;
  /** Why it could not start. */
  failure: Error | null = null;
  gone = false;
  /** It retires after so many requests; 0 for never. */
  maxRequests: number;
  readonly #worker: Worker;
  readonly #setup: GatewayProcessSetup<Work>;
  #babbled = false;

  /** @throws what the system says where it has no room for another process, if it says so at once */
  constructor(setup: GatewayProcessSetup<Work>) {
    this.#setup = setup;
    this.id = setup.id;
    this.generation = setup.generation;
    this.replaces = setup.replaces;
    this.maxRequests = setup.maxRequests;
    cluster.setupPrimary({
      exec: fileURLToPath(setup.entry),
      args: [],
      execArgv: setup.maxHeap === 0 ? [] : [`--max-old-space-size=${Math.ceil(setup.maxHeap / 2 ** 20)}`],
      serialization: "advanced",
      // The last two are LISTENER_FD and ASK_FD.
      stdio: ["ignore", "inherit", "inherit", "ipc", setup.listener, "pipe"],
    });
    this.#worker = cluster.fork();
    this.#worker.on("message", (message: unknown) => this.#hear(message));
    this.#questions?.on("error", () => {});
    this.#worker.on("error", (error: Error) => {
      this.failure ??= error;
      // It never came to be, so that no 'exit' follows.
      if (this.#worker.process.pid === undefined) this.#exited(1, null);
    });
    this.#worker.on("exit", (code: number | null, signal: string | null) => this.#exited(code, signal));
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0;
  }

  /** Why it is gone, for people; "" for a process that was told to go and did. */
  ending = "";

  send(message: ToGateway<Work>): void {
    if (this.gone || !this.#worker.isConnected()) return;
    // What cannot be sent is for a process that is about to be gone.
    this.#worker.send(message, undefined, () => {});
  }

  /** Asks for the stack of what it does, be it blocked or not. */
  askForStack(): void {
    if (!this.gone) this.#questions?.write("?");
    this.send({ type: "dumpStacks" });
  }

  drain(handOver: boolean): void {
    this.#enter("draining");
    this.send({ type: "drain", handOver });
  }

  kill(): void {
    this.#enter("killed");
    this.#worker.process.kill("SIGKILL");
  }

  get #questions(): Writable | undefined {
    return (this.#worker.process.stdio as readonly unknown[] | undefined)?.[ASK_FD] as Writable | undefined;
  }

  #enter(state: WorkerState): void {
    this.state = state;
    this.since = steadyNow();
  }

  #hear(said: unknown): void {
    const message = heardMessage(said);
    if (message === null) {
      if (!this.#babbled) this.#setup.babbles(this);
      this.#babbled = true;
      return;
    }
    this.heardAt = steadyNow();
    switch (message.type) {
      case "here": {
        const { id, generation, work } = this.#setup;
        this.send({ type: "serve", worker: id, generation, work });
        return;
      }
      case "ready":
        if (this.state === "starting") this.#enter("ready");
        this.#setup.changed(this);
        return;
      case "failed":
        this.failure = reviveError(message.error);
        return;
      case "report":
        this.report = message.report;
        if (message.report.inFlight + message.report.upgraded > 0) this.busyAt = this.heardAt;
        break;
      case "leaving":
        this.#leaves();
        this.#setup.changed(this);
        return;
      case "worn":
        // Any limit that it has surely passed: retirement knows one way only.
        this.maxRequests = 1;
        break;
      case "reloaded":
      case "reloadFailed":
      case "slow":
    }
    this.#setup.heard(this, message);
  }

  #leaves(): void {
    if (this.state !== "ready") return;
    const early = steadyNow() - this.since < EARLY_DEATH;
    this.#enter("draining");
    if (early) this.#setup.leftEarly(this);
  }

  #exited(code: number | null, signal: string | null): void {
    if (this.gone) return;
    this.gone = true;
    this.ending = signal === null ? (code === 0 ? "" : `exit code ${code}`) : signal;
    this.#setup.changed(this);
  }
}
