/**
 * Keeps gateway processes as `supervise` decides: starts, drains, kills, replaces them, and changes generations.
 *
 * It holds the listening sockets and sees neither requests nor code of an app. What a process serves is `Work`, which
 * passes through here unread.
 */
import { availableParallelism } from "node:os";

import { EARLY_DEATH, StartFailures } from "../modes/start-failures.ts";
import { reviveError } from "../carried-error.ts";
import type { ListenAddress } from "../gateway/listen-address.ts";
import type { Logger } from "../log.ts";
import {
  type Action,
  type PoolLimits,
  type PoolView,
  type WorkerView,
  backOff,
  supervise,
} from "../modes/supervision.ts";
import { type CounterReport, type ProcessReport, SLOW_ENTRIES_SHOWN, type ServerState } from "../report.ts";
import { GatewayProcess } from "./gateway-process.ts";
import { HeldListener } from "./held-listener.ts";
import type { ToSupervisor } from "./messages.ts";
import { ReloadHistory } from "./reload-history.ts";
import { steadyNow } from "../steady-clock.ts";

/** What one generation of gateway processes is like. */
export interface Site<Work> {
  readonly work: Work;
  readonly address: ListenAddress;
  /** Connections that may wait to be accepted. */
  readonly backlog: number;
  readonly limits: PoolLimits;
  /** A process retires after so many requests, spread over 10 % more; 0 for never. */
  readonly maxRequests: number;
  /** Bytes of JavaScript heap of a process; 0 for node's own limit. */
  readonly maxHeap: number;
  /**
   * A process that serves a site with the same word takes this one over without being replaced: its worker threads
   * change, its sockets stay. Null where every reload needs new processes.
   */
  readonly inPlace: string | null;
}

export interface SupervisorSetup<Work> {
  /** The script of gateway processes. */
  readonly entry: URL;
  readonly site: Site<Work>;
  /** Reads the configuration anew, for a reload. */
  readonly reread: () => Promise<Site<Work>>;
  readonly log: Logger;
}

interface Generation<Work> {
  readonly site: Site<Work>;
  readonly listener: HeldListener;
}

/** How often the pool is looked at when nothing happens. Milliseconds. */
const TICK = 250;
/** Milliseconds. */
const PAUSE = 2000;
/** A process that was not heard of for so long is in some call that does not end. Milliseconds. */
const SILENT = 2500;
/** The share of its time in which a loop that has no time for more is not idle. */
const BUSY = 0.9;
const HALF = 0.5;
/** `maxRequests` is spread over so much more. */
const JITTER = 0.1;

export class Supervisor<Work> {
  readonly reloads: ReloadHistory = new ReloadHistory();
  readonly startedAt: number = steadyNow();
  readonly slowLog: string[] = [];
  readonly #setup: SupervisorSetup<Work>;
  readonly #processes = new Map<number, GatewayProcess<Work>>();
  /** By number: those that serve, shall serve, or still have processes. */
  readonly #generations = new Map<number, Generation<Work>>();
  #generation = 0;
  #next: number | null = null;
  #lastGeneration = 0;
  #lastProcess = 0;
  #extra = 0;
  readonly #failures = new StartFailures();
  #lookedAt = steadyNow();
  #stopping = false;
  #timer: NodeJS.Timeout | null = null;
  /** The reload that is under way, and the one that begins when it has ended. */
  #reloading: Promise<void> | null = null;
  #waiting: Promise<void> | null = null;
  #decided: ((error: Error | null) => void) | null = null;
  #inPlace: { readonly process: GatewayProcess<Work>; readonly generation: number } | null = null;
  #stopped: (() => void) | null = null;
  #closing: Promise<void> | null = null;
  readonly #counters = { processesStarted: 0, processesDied: 0, processesStalled: 0, processesRetired: 0 };
  /** What the processes that are gone had counted. */
  readonly #gone: Record<string, number> = {};

  constructor(setup: SupervisorSetup<Work>) {
    this.#setup = setup;
  }

  /**
   * Listens and resolves once the first processes serve.
   *
   * @throws ListenError; what the first process failed with, be it the app's error
   */
  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#look(), TICK);
    try {
      await this.#replaceBy(this.#setup.site);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get state(): ServerState {
    if (this.#stopping) return "stopping";
    if (this.#generation === 0) return "starting";
    return this.#reloading === null ? "running" : "reloading";
  }

  get generation(): number {
    return this.#generation;
  }

  get site(): Site<Work> {
    return this.#generations.get(this.#generation)?.site ?? this.#setup.site;
  }

  get processes(): readonly GatewayProcess<Work>[] {
    return [...this.#processes.values()];
  }

  /** For people. */
  get where(): string {
    return this.#generations.get(this.#generation)?.listener.where ?? "";
  }

  get backoff(): { readonly failures: number; readonly until: number | null; readonly error: string | null } {
    const { count: failures, at, error } = this.#failures;
    if (failures === 0) return { failures, until: null, error: null };
    return { failures, until: at + backOff(failures), error: error?.message ?? null };
  }

  /** Sums over all processes that ever were, beside the supervisor's own. */
  get counters(): CounterReport {
    const sums: Record<string, number> = { ...this.#gone };
    for (const { report } of this.#processes.values()) add(sums, report?.counters);
    return { ...sums, ...this.#counters };
  }

  /**
   * Reads the configuration again and changes over to it, without a gap. One reload follows the other; calls while one
   * is waiting are that one.
   *
   * @throws what the new configuration or its app failed with; what served goes on
   */
  async reload(): Promise<void> {
    if (this.#reloading === null) await this.#reloadNow();
    else await (this.#waiting ??= this.#reloadAfter(this.#reloading));
  }

  /** One worker more or less, until the next reload. */
  resize(delta: 1 | -1): void {
    const { inPlace } = this.site;
    if (inPlace === null) this.#extra = Math.max(1 - this.site.limits.max, this.#extra + delta);
    else this.#tellAll({ type: "resize", delta });
    this.#look();
  }

  reopenLogs(): void {
    this.#tellAll({ type: "reopenLogs" });
  }

  dumpStacks(): void {
    for (const process of this.#processes.values()) process.askForStack();
  }

  /** Every process that serves now answers requests with that token as probes. */
  expectProbe(token: string): void {
    this.#tellAll({ type: "expectProbe", token });
  }

  /** Takes nothing new, lets what is in hand finish within `gracefulTimeout`, resolves when all processes are gone. */
  async close(): Promise<void> {
    await (this.#closing ??= this.#close());
  }

  /** Ends everything at once. */
  kill(): void {
    this.#closing ??= this.#close();
    for (const process of this.#processes.values()) process.kill();
  }

  async #close(): Promise<void> {
    this.#stopping = true;
    for (const { listener } of this.#generations.values()) listener.close();
    this.#decided?.(new Error("the server is stopping"));
    for (const process of this.#processes.values()) if (process.state === "draining") process.drain(false);
    if (this.#processes.size > 0) {
      const gone = new Promise<void>((resolve) => (this.#stopped = resolve));
      this.#look();
      await gone;
    }
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  async #reloadAfter(before: Promise<void>): Promise<void> {
    await before.catch(() => {});
    this.#waiting = null;
    await this.#reloadNow();
  }

  async #reloadNow(): Promise<void> {
    const reloading = this.#reload();
    this.#reloading = reloading;
    try {
      await reloading;
    } finally {
      this.#reloading = null;
    }
  }

  async #reload(): Promise<void> {
    const begun = steadyNow();
    try {
      const site = await this.#setup.reread();
      if (this.#stopping) throw new Error("the server is stopping");
      const able = [...this.#processes.values()].find(({ state }) => state === "ready");
      const alone = site.inPlace !== null && site.inPlace === this.site.inPlace && able !== undefined;
      await (alone ? this.#changeInPlace(able, site) : this.#replaceBy(site));
      this.#extra = 0;
      this.reloads.succeeded(begun);
      this.#setup.log.info(`generation ${this.#generation} serves`);
    } catch (error) {
      this.reloads.failed(begun, error);
      throw error;
    }
  }

  async #changeInPlace(process: GatewayProcess<Work>, site: Site<Work>): Promise<void> {
    const { listener } = this.#generations.get(this.#generation)!;
    const generation = ++this.#lastGeneration;
    this.#inPlace = { process, generation };
    process.send({ type: "reload", generation, work: site.work });
    await this.#decision();
    this.#generations.set(generation, { site, listener });
    process.generation = generation;
    this.#generation = generation;
    this.#look();
  }

  async #replaceBy(site: Site<Work>): Promise<void> {
    const listener = await this.#listenerFor(site);
    if (this.#stopping) {
      listener.close();
      throw new Error("the server is stopping");
    }
    const generation = ++this.#lastGeneration;
    this.#generations.set(generation, { site, listener });
    this.#next = generation;
    this.#failures.nextChanged();
    const decided = this.#decision();
    this.#look();
    await decided;
  }

  async #decision(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#decided = (error) => {
        this.#decided = null;
        this.#inPlace = null;
        if (error === null) resolve();
        else reject(error);
      };
    });
  }

  /** The one that is held, if it is for the same address: its backlog, and a path's rights, stay as they are. */
  async #listenerFor({ address, backlog }: Site<Work>): Promise<HeldListener> {
    for (const { site, listener } of this.#generations.values()) {
      // A generation whose last processes are on their way out may have a closed one.
      if (listener.closed || placeOf(site.address) !== placeOf(address)) continue;
      const same = JSON.stringify([site.address, site.backlog]) === JSON.stringify([address, backlog]);
      if (!same) this.#setup.log.warn(`${listener.where} is open: its backlog and rights change at a restart only`);
      return listener;
    }
    return await HeldListener.hold(address, backlog, this.#setup.log);
  }

  #look(): void {
    const now = steadyNow();
    // This process was stopped for so long: nobody is to blame for not having been heard.
    if (now - this.#lookedAt > PAUSE) for (const process of this.#processes.values()) process.heardAt = now;
    this.#lookedAt = now;
    this.#failures.look(this.#processes.values(), now);
    for (const action of supervise(this.#view(now), now)) this.#perform(action);
    this.#forget();
    if (this.#stopping && this.#processes.size === 0) this.#stopped?.();
  }

  #view(now: number): PoolView {
    const idle = availableParallelism() - this.#processes.size;
    return {
      limits: this.limits,
      generation: this.#generation,
      next: this.#next,
      workers: [...this.#processes.values()].map((process) => viewOf(process, now, idle)),
      waiting: 0,
      failures: this.#failures.count,
      failedAt: this.#failures.at,
      nextFailures: this.#failures.ofNext,
      stopping: this.#stopping,
    };
  }

  /** Those of the generation that serves or shall serve, and what `resize` has made of them. */
  get limits(): PoolLimits {
    const { limits } = (this.#generations.get(this.#next ?? this.#generation) ?? { site: this.#setup.site }).site;
    if (this.#extra === 0) return limits;
    const { max, minSpare, maxSpare } = limits;
    const changed = (count: number): number => Math.max(1, count + this.#extra);
    return { ...limits, max: changed(max), minSpare: changed(minSpare), maxSpare: changed(maxSpare) };
  }

  #perform(action: Action): void {
    const { log } = this.#setup;
    switch (action.type) {
      case "start":
        this.#start(action.generation, action.replaces);
        return;
      case "drain": {
        const process = this.#processes.get(action.id)!;
        if (action.why !== "stopping" && action.why !== "oldGeneration") this.#counters.processesRetired++;
        log.debug(`gateway process ${process.pid} retires: ${action.why}`);
        process.drain(!this.#stopping);
        return;
      }
      case "kill": {
        const process = this.#processes.get(action.id)!;
        if (action.why === "stalled") this.#counters.processesStalled++;
        if (action.why === "startTimeout") this.#failed(process, "was not ready within start_timeout");
        log.warn(`gateway process ${process.pid} is killed: ${action.why}`);
        process.kill();
        return;
      }
      case "promote":
        this.#generation = action.generation;
        this.#next = null;
        this.#failures.nextChanged();
        this.#decided?.(null);
        return;
      case "abandon": {
        const { error } = this.#failures;
        this.#next = null;
        this.#failures.nextChanged();
        this.#decided?.(error ?? new Error("no process of the new generation came up"));
      }
    }
  }

  #start(generation: number, replaces: number | null): void {
    const { site, listener } = this.#generations.get(generation)!;
    const { entry } = this.#setup;
    const id = ++this.#lastProcess;
    const maxRequests = Math.round(site.maxRequests * (1 + Math.random() * JITTER));
    this.#counters.processesStarted++;
    try {
      const process = new GatewayProcess<Work>({
        ...{ entry, id, generation, replaces, maxRequests, listener: listener.fd },
        ...{ work: site.work, maxHeap: site.maxHeap },
        changed: (process) => (process.gone ? this.#buried(process) : this.#look()),
        heard: (process, message) => this.#hear(process, message),
        babbles: ({ pid }) =>
          this.#setup.log.warn(`gateway process ${pid} sends messages that are not propylon's: passed over`),
        leftEarly: (process) => this.#failed(process, "failed as soon as it served"),
      });
      this.#processes.set(id, process);
    } catch (error) {
      this.#setup.log.error(`a gateway process cannot be started: ${(error as Error).message}`);
      this.#failures.add({ generation, startedAt: steadyNow() }, this.#next, error as Error);
    }
  }

  #hear(process: GatewayProcess<Work>, message: ToSupervisor): void {
    switch (message.type) {
      case "reloaded":
        if (this.#inPlace?.generation === message.generation) this.#decided?.(null);
        return;
      case "reloadFailed":
        if (this.#inPlace?.generation === message.generation) this.#decided?.(reviveError(message.error));
        return;
      case "slow":
        this.slowLog.push(message.entry);
        if (this.slowLog.length > SLOW_ENTRIES_SHOWN) this.slowLog.shift();
        return;
      case "worn":
        this.#setup.log.warn(`gateway process ${process.pid} asks to be replaced: ${message.why}`);
        this.#look();
        return;
      case "here":
      case "ready":
      case "failed":
      case "leaving":
      case "report":
    }
  }

  #buried(process: GatewayProcess<Work>): void {
    const { id, pid, state, since, ending } = process;
    this.#processes.delete(id);
    add(this.#gone, process.report?.counters);
    switch (state) {
      case "starting":
        this.#failed(process, `ended before it was ready (${ending || "exit code 0"})`);
        break;
      case "ready":
        this.#counters.processesDied++;
        this.#setup.log.error(`gateway process ${pid} died (${ending || "exit code 0"}); its requests are lost`);
        // One that served and is killed from outside has not failed to start.
        if (ending !== "SIGKILL" && steadyNow() - since < EARLY_DEATH) {
          this.#failed(process, `died as soon as it served (${ending})`);
        }
        break;
      case "draining":
        if (ending !== "") this.#counters.processesDied++;
        break;
      case "killed":
    }
    if (this.#inPlace?.process === process) this.#decided?.(new Error(`gateway process ${pid} died (${ending})`));
    this.#look();
  }

  #failed(process: GatewayProcess<Work>, what: string): void {
    const error = process.failure ?? new Error(`gateway process ${process.pid} ${what}`);
    this.#failures.add(process, this.#next, error);
    // Of a reload, and of the first start, whoever asked for it is told.
    if (process.generation !== this.#next) this.#setup.log.error(`a gateway process failed: ${error.message}`);
  }

  /** Lets go of sockets for which no process will be started any more, and of generations that are gone. */
  #forget(): void {
    const startable = [this.#generation, this.#next].flatMap((number) => this.#generations.get(number ?? 0) ?? []);
    const alive = new Set([...this.#processes.values()].map(({ generation }) => generation));
    for (const [number, generation] of this.#generations) {
      if (startable.includes(generation)) continue;
      if (!startable.some(({ listener }) => listener === generation.listener)) {
        generation.listener.close();
      }
      if (!alive.has(number)) this.#generations.delete(number);
    }
  }

  #tellAll(message: Parameters<GatewayProcess<Work>["send"]>[0]): void {
    for (const process of this.#processes.values()) process.send(message);
  }
}

function placeOf(address: ListenAddress): string {
  if ("path" in address) return address.path;
  return "fd" in address ? `descriptor ${address.fd}` : `${address.host}:${address.port}`;
}

/** `processors`: so many of them have nothing to do but what these processes give them. */
function viewOf<Work>(process: GatewayProcess<Work>, now: number, processors: number): WorkerView {
  const { id, generation, state, since, startedAt, heardAt, busyAt, maxRequests, replaces, report } = process;
  return {
    ...{ id, generation, state, since, startedAt, heardAt, busyAt, maxRequests, replaces },
    inFlight: report?.inFlight ?? 0,
    full: now - heardAt > SILENT || (report !== null && isFull(report, processors)),
    served: report?.served ?? 0,
    memory: report?.memory.rss ?? 0,
  };
}

/** Where the loop is never idle, another process helps if a processor is free, or if this one waits for something else. */
function isFull({ loop, cpu }: ProcessReport, processors: number): boolean {
  return loop.utilization > BUSY && (processors > 0 || cpu < HALF);
}

function add(sums: Record<string, number>, counters: CounterReport | undefined): void {
  for (const [name, count] of Object.entries(counters ?? {})) sums[name] = (sums[name] ?? 0) + count;
}
