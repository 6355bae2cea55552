/** The status of a server, put together from what its supervisor knows. */
import { readFileSync } from "node:fs";

import type { ProcessReport, QueueReport, StatusReport, WorkerReport } from "../report.ts";
import type { GatewayProcess } from "../supervisor/gateway-process.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { SERVER_OPTIONS } from "./options.ts";
import { TITLES, poolLimits } from "./plan.ts";
import { steadyNow } from "../steady-clock.ts";

const UNKNOWN = { rss: 0, heapUsed: 0, external: 0 };
/** A process that was not heard of for so long does not answer; it tells how it is once a second. Milliseconds. */
const SUSPECT = 2500;

export function statusOf(supervisor: Supervisor<GatewayWork>, file: string | null): StatusReport {
  const { plan } = supervisor.site.work;
  const processes = supervisor.processes.filter(({ pid }) => pid !== 0);
  const reports = processes.flatMap(({ report }) => (report === null ? [] : [report]));
  const threads = reports.flatMap(({ threads }) => (threads === null ? [] : [threads]));
  const now = steadyNow();
  return {
    where: `${TITLES[plan.protocol]} on ${supervisor.where}`,
    ...{ file, now, version: VERSION, node: process.version, pid: process.pid },
    mode: plan.mode === "thread" ? "thread" : "fork",
    startedAt: supervisor.startedAt,
    state: supervisor.state,
    generation: supervisor.generation,
    reload: supervisor.reloads.report,
    backoff: supervisor.backoff,
    limits: limitsOf(supervisor.site.work),
    connections: reports.reduce((sum, { connections }) => sum + connections, 0),
    upgraded: reports.reduce((sum, { upgraded }) => sum + upgraded, 0),
    queue: sumOf(threads.map(({ queue }) => queue)),
    zombies: threads.reduce((sum, { zombies }) => sum + zombies, 0),
    counters: supervisor.counters,
    workers:
      plan.mode === "thread"
        ? processes.flatMap((each) => threadsOf(each, now))
        : processes.map((each) => workerOf(each, now)),
    processes: processes.map(({ id, pid, heardAt, report }) => {
      const { memory = UNKNOWN, loop = { utilization: 0, delay: 0 } } = report ?? ({} as Partial<ProcessReport>);
      return { id, pid, heardAt, memory, loop };
    }),
    slowLog: [...supervisor.slowLog],
  };
}

/** A new gateway process has its queue beside that of the one it replaces. */
function sumOf(queues: readonly QueueReport[]): QueueReport {
  return {
    length: queues.reduce((sum, { length }) => sum + length, 0),
    limit: queues.reduce((sum, { limit }) => sum + limit, 0),
    oldest: Math.max(0, ...queues.map(({ oldest }) => oldest)),
  };
}

/** What a process said of its threads holds only as long as it is itself well: it is their way to the web server. */
function threadsOf({ state, heardAt, report }: GatewayProcess<GatewayWork>, now: number): WorkerReport[] {
  const silent = now - heardAt > SUSPECT;
  const leaving = state === "draining" || state === "killed" ? state : null;
  return (report?.threads?.workers ?? []).map((worker) => ({
    ...worker,
    suspect: worker.suspect || silent,
    state: worker.state === "ready" ? (leaving ?? worker.state) : worker.state,
  }));
}

function workerOf(process: GatewayProcess<GatewayWork>, now: number): WorkerReport {
  const { id, generation, state, startedAt, heardAt, pid, report } = process;
  const { inFlight = 0, served = 0, requests = [] } = report ?? ({} as Partial<ProcessReport>);
  const { memory = UNKNOWN, loop = { utilization: 0, delay: 0 } } = report ?? ({} as Partial<ProcessReport>);
  const suspect = state !== "starting" && now - heardAt > SUSPECT;
  return { id, generation, state, startedAt, heardAt, suspect, pid, inFlight, served, memory, loop, requests };
}

/** What was configured, by its name in an .ini file, and how many workers that makes. The secret stays one. */
export function limitsOf({ plan }: Pick<GatewayWork, "plan">): Record<string, number | string> {
  const limits: Record<string, number | string> = {};
  for (const { name, key, scope, default: usual } of SERVER_OPTIONS) {
    if ((scope !== "gateway" && scope !== "pool") || name === "secret") continue;
    const value = (plan.settings[scope] as Record<string, unknown>)[name] ?? usual;
    if (typeof value === "number" || typeof value === "string") limits[key] = value;
  }
  return { ...limits, workers: poolLimits(plan).max };
}

const { version: VERSION } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};
