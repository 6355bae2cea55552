/** A gateway process's end of the line to its supervisor: obeys, and tells how it is. */
import cluster from "node:cluster";
import { performance } from "node:perf_hooks";

import { carryError } from "../carried-error.ts";
import type { Logger } from "../log.ts";
import { type ProcessReport, SLOW_ENTRY_CHARACTERS } from "../report.ts";
import type { ToGateway, ToSupervisor } from "./messages.ts";
import { steadyNow } from "../steady-clock.ts";

/** What a gateway process is besides: the part of its report that only its gateway knows. */
export type ServiceReport = Omit<ProcessReport, "at" | "memory" | "loop" | "cpu">;

/** A gateway at work. */
export interface GatewayService<Work> {
  /** Changes over to `work` without a gap. Rejects with why it cannot; what served goes on. */
  reload(work: Work, generation: number): Promise<void>;
  /** Resolves when nothing is in hand any more and the app has put away what is its. */
  drain(handOver: boolean): Promise<void>;
  /** While it drains with `handOver`: nobody takes over any more, so that kept connections need not be waited for. */
  hurry(): void;
  /** Ends the process once it is drained. Default: `process.exit()`. */
  exit?(): void;
  resize(delta: 1 | -1): void;
  reopenLogs(): void;
  /** What its threads do; it may have been asked on ASK_FD before. */
  dumpStacks(): void;
  /** Requests with that token are answered as probes from now on, for a while. */
  expectProbe(token: string): void;
  report(): ServiceReport;
}

export interface Duty<Work> {
  readonly work: Work;
  readonly worker: number;
  readonly generation: number;
  /** Hands over an entry of the slow log. */
  slow(entry: string): void;
  /** Asks for a replacement. */
  worn(why: string): void;
}

/** Milliseconds between reports, and how often the loop is seen to turn. */
const REPORT_INTERVAL = 1000;
const TURN_INTERVAL = 100;

/** Milliseconds for the other requests after an exception: the one that threw will hardly be answered any more. */
const FAILURE_GRACE = 5_000;

/** Signals are the supervisor's: a terminal and a container send them to every process. */
const IGNORED = ["SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU"] as const;

/** Waits for its work and does it by `begin`; the process ends with it. */
export function serveUnderSupervisor<Work>(
  begin: (duty: Duty<Work>) => Promise<GatewayService<Work>>,
  log: () => Logger,
): void {
  const worker = cluster.worker!;
  // A supervisor that is gone shall not cut off what is in hand, as node would have it.
  worker.exitedAfterDisconnect = true;
  for (const signal of IGNORED) process.on(signal, () => {});
  const tell = (message: ToSupervisor): void => {
    if (process.connected) process.send!(message, undefined, {}, () => {});
  };
  const load = new LoadWatch();
  let service: GatewayService<Work> | null = null;
  let draining = false;
  let memory: ProcessReport["memory"] = { rss: 0, heapUsed: 0, external: 0 };

  const report = (): void => {
    if (service === null) return;
    try {
      const { rss, heapUsed, external } = process.memoryUsage();
      memory = { rss, heapUsed, external };
    } catch {
      // It takes a descriptor, and there may be none: what was known last is told.
    }
    tell({ type: "report", report: { at: steadyNow(), memory, ...load.take(), ...service.report() } });
  };
  const drain = (handOver: boolean): void => {
    if (draining) {
      if (!handOver) service?.hurry();
      return;
    }
    draining = true;
    void (service?.drain(handOver) ?? Promise.resolve()).then(
      () => {
        report();
        if (process.connected) process.disconnect();
        if (service?.exit === undefined) process.exit();
        service.exit();
      },
      (error: unknown) => {
        log().error(String(error));
        process.exit(1);
      },
    );
  };
  const failed = (error: unknown): void => {
    const message: ToSupervisor = { type: "failed", error: carryError(error) };
    process.send!(message, () => process.exit(1));
  };
  const leave = (): void => {
    tell({ type: "leaving" });
    drain(true);
  };
  const serve = async (message: Extract<ToGateway<Work>, { type: "serve" }>): Promise<void> => {
    const { work, worker, generation } = message;
    const slow = (entry: string): void => tell({ type: "slow", entry: entry.slice(0, SLOW_ENTRY_CHARACTERS) });
    const worn = (why: string): void => tell({ type: "worn", why });
    try {
      service = await begin({ work, worker, generation, slow, worn });
      // Loading the app says nothing about the load to come.
      load.take();
      report();
      tell({ type: "ready" });
      setInterval(report, REPORT_INTERVAL).unref();
    } catch (error) {
      failed(error);
    }
  };
  const reload = async ({ work, generation }: Extract<ToGateway<Work>, { type: "reload" }>): Promise<void> => {
    try {
      await service!.reload(work, generation);
      report();
      tell({ type: "reloaded", generation });
    } catch (error) {
      tell({ type: "reloadFailed", generation, error: carryError(error) });
    }
  };

  // Node would end the process at once. What the exception left behind may be broken, so it ends here too, but the
  // other requests in hand are answered first.
  process.on("uncaughtException", (error, origin) => {
    log().error(`${origin}: ${carryError(error).stack}`);
    if (service === null) return failed(error);
    process.exitCode = 1;
    setTimeout(() => process.exit(1), FAILURE_GRACE).unref();
    leave();
  });
  process.on("SIGTERM", leave);
  process.once("disconnect", () => drain(false));
  process.on("message", (message: ToGateway<Work>) => {
    switch (message.type) {
      case "serve":
        void serve(message);
        return;
      case "reload":
        void reload(message);
        return;
      case "drain":
        drain(message.handOver);
        return;
      case "resize":
        service?.resize(message.delta);
        return;
      case "reopenLogs":
        service?.reopenLogs();
        return;
      case "dumpStacks":
        service?.dumpStacks();
        return;
      case "expectProbe":
        service?.expectProbe(message.token);
    }
  });
  tell({ type: "here" });
}

/** Sees how busy the process is, and how late timers come, at the cost of ten a second. */
class LoadWatch {
  #turnedAt = performance.now();
  #delay = 0;
  #takenAt = performance.now();
  #utilization = performance.eventLoopUtilization();
  #cpu = process.cpuUsage();

  constructor() {
    setInterval(() => this.#turned(), TURN_INTERVAL).unref();
  }

  /** Since the last call; nothing after so short a time that it says nothing. */
  take(): Pick<ProcessReport, "loop" | "cpu"> {
    this.#turned();
    const milliseconds = performance.now() - this.#takenAt;
    const utilization = performance.eventLoopUtilization();
    const cpu = process.cpuUsage();
    const busy = performance.eventLoopUtilization(utilization, this.#utilization).utilization;
    const used = (cpu.user + cpu.system - this.#cpu.user - this.#cpu.system) / 1000 / milliseconds;
    const delay = Math.round(this.#delay);
    [this.#takenAt, this.#utilization, this.#cpu, this.#delay] = [performance.now(), utilization, cpu, 0];
    if (milliseconds < TURN_INTERVAL) return { loop: { utilization: 0, delay: 0 }, cpu: 0 };
    return { loop: { utilization: busy, delay }, cpu: used };
  }

  #turned(): void {
    const now = performance.now();
    this.#delay = Math.max(this.#delay, now - this.#turnedAt - TURN_INTERVAL);
    this.#turnedAt = now;
  }
}
