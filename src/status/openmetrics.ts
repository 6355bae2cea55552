/** A report as OpenMetrics 1.0 text, for Prometheus and its kin. */
import type { LoopReport, MemoryReport, ServerState, StatusReport, WorkerState } from "../report.ts";
import { isReady } from "./ready.ts";

export const OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [labels: Labels, value: number];

interface Family {
  /** Without `propylon_`, with the unit, without `_total`. */
  readonly name: string;
  readonly type: "gauge" | "counter" | "info" | "stateset";
  /** A name ends in it. */
  readonly unit?: "seconds" | "bytes" | "ratio";
  readonly help: string;
  readonly samples: readonly Sample[];
}

const STATES: readonly ServerState[] = ["starting", "running", "reloading", "stopping"];
const WORKER_STATES: readonly WorkerState[] = ["starting", "ready", "draining", "killed"];
/** What a counter's name has after that of its family, by type. */
const SUFFIX = { gauge: "", counter: "_total", info: "_info", stateset: "" };

/** URLs are not in it: each would be a time series of its own. Families without samples are left out. */
export function openMetricsOf(report: StatusReport): string {
  const families = [...ofServer(report), ...ofWorkers(report), ...ofProcesses(report)];
  return `${families
    .filter(({ samples }) => samples.length > 0)
    .map(render)
    .join("")}# EOF\n`;
}

function ofServer(report: StatusReport): Family[] {
  const { where, file, mode, version, node, state, reload, backoff, queue, counters } = report;
  const { requests, ...events } = counters;
  const last = reload.last === null ? [] : [reload.last];
  return [
    {
      ...{ name: "server", type: "info", help: "The server." },
      samples: [[{ where, file: file ?? "", mode, version, node }, 1]],
    },
    {
      ...{ name: "state", type: "stateset", help: "What the server is doing." },
      samples: STATES.map((each): Sample => [{ propylon_state: each }, each === state ? 1 : 0]),
    },
    gauge("ready", "1 if a request that came now would be answered.", isReady(report) ? 1 : 0),
    time("start_time_seconds", "When the server was started, since 1970.", report.startedAt),
    gauge("generation", "The generation that serves.", report.generation),
    {
      ...{ name: "reloads", type: "counter", help: "Reloads that have ended, by result." },
      samples: [
        [{ result: "succeeded" }, reload.count - reload.failed],
        [{ result: "failed" }, reload.failed],
      ],
    },
    {
      ...{ name: "last_reload_time_seconds", type: "gauge", unit: "seconds" },
      help: "When the last reload ended, since 1970.",
      samples: last.map(({ at }): Sample => [{}, at / 1000]),
    },
    {
      ...{ name: "last_reload_failed", type: "gauge", help: "1 if the last reload left the old generation serving." },
      samples: last.map(({ error }): Sample => [{}, error === null ? 0 : 1]),
    },
    gauge("start_failures", "Consecutive failures to start a worker.", backoff.failures),
    gauge("connections", "Connections of web servers.", report.connections),
    gauge("upgraded_connections", "Those that are upgraded (WebSockets).", report.upgraded),
    gauge("queue_requests", "Requests that wait for a worker.", queue.length),
    gauge("queue_limit_requests", "Requests that may wait for a worker.", queue.limit),
    time("queue_oldest_seconds", "How long the first of them has waited.", queue.oldest),
    gauge("zombies", "Threads that were ended but will not end.", report.zombies),
    {
      ...{ name: "requests", type: "counter", help: "Requests, those refused included." },
      samples: requests === undefined ? [] : [[{}, requests]],
    },
    {
      ...{ name: "events", type: "counter", help: "What else happened, by reason." },
      samples: Object.entries(events).map(([name, number]): Sample => [{ reason: snakeCase(name) }, number]),
    },
  ];
}

function ofWorkers({ workers, processes, now }: StatusReport): Family[] {
  // Each process numbers its own threads, and there are two of them while one replaces the other.
  const labelsOf = ({ id, pid }: (typeof workers)[number]): Labels => ({
    worker: id,
    process: processes.find((process) => process.pid === pid)?.id ?? "",
  });
  const each = (value: (worker: (typeof workers)[number]) => number): Sample[] =>
    workers.map((worker) => [labelsOf(worker), value(worker)]);
  return [
    {
      ...{ name: "workers", type: "gauge", help: "Workers, by state." },
      samples: WORKER_STATES.map((state): Sample => [
        { state },
        workers.filter((worker) => worker.state === state).length,
      ]),
    },
    {
      ...{ name: "worker", type: "info", help: "A worker." },
      samples: workers.map((worker): Sample => {
        return [{ ...labelsOf(worker), pid: worker.pid ?? "", generation: worker.generation }, 1];
      }),
    },
    {
      ...{ name: "worker_suspect", type: "gauge", help: "1 if it has not answered for a while." },
      samples: each(({ suspect }) => (suspect ? 1 : 0)),
    },
    {
      ...{ name: "worker_start_time_seconds", type: "gauge", unit: "seconds" },
      help: "When it was started, since 1970.",
      samples: each(({ startedAt }) => startedAt / 1000),
    },
    {
      ...{ name: "worker_in_flight_requests", type: "gauge", help: "Requests in hand." },
      samples: each(({ inFlight }) => inFlight),
    },
    {
      ...{ name: "worker_served_requests", type: "counter", help: "Requests that it has answered." },
      samples: each(({ served }) => served),
    },
    {
      ...{ name: "worker_oldest_request_seconds", type: "gauge", unit: "seconds" },
      help: "The age of the oldest request in hand, 0 without one.",
      samples: each(({ requests }) => {
        return requests.length === 0 ? 0 : Math.max(0, now - Math.min(...requests.map(({ since }) => since))) / 1000;
      }),
    },
    ...ofLoops(
      "worker",
      workers.map((worker) => ({ labels: labelsOf(worker), memory: worker.memory, loop: worker.loop })),
    ),
  ];
}

function ofProcesses({ processes }: StatusReport): Family[] {
  return ofLoops(
    "process",
    processes.map(({ id, memory, loop }) => ({ labels: { process: id }, memory, loop })),
  );
}

function ofLoops(
  what: "worker" | "process",
  all: readonly { readonly labels: Labels; readonly memory: MemoryReport; readonly loop: LoopReport }[],
): Family[] {
  return [
    {
      ...{ name: `${what}_memory_bytes`, type: "gauge", unit: "bytes", help: "Memory, by kind." },
      samples: all.flatMap(({ labels, memory }): Sample[] => [
        [{ ...labels, kind: "rss" }, memory.rss],
        [{ ...labels, kind: "heap_used" }, memory.heapUsed],
        [{ ...labels, kind: "external" }, memory.external],
      ]),
    },
    {
      ...{ name: `${what}_loop_utilization_ratio`, type: "gauge", unit: "ratio" },
      help: "How busy the event loop was since the last report.",
      samples: all.map(({ labels, loop }): Sample => [labels, loop.utilization]),
    },
    {
      ...{ name: `${what}_loop_delay_seconds`, type: "gauge", unit: "seconds" },
      help: "The longest that the event loop kept a due timer waiting since the last report.",
      samples: all.map(({ labels, loop }): Sample => [labels, loop.delay / 1000]),
    },
  ];
}

function gauge(name: string, help: string, value: number): Family {
  return { name, type: "gauge", help, samples: [[{}, value]] };
}

function time(name: string, help: string, milliseconds: number): Family {
  return { name, type: "gauge", unit: "seconds", help, samples: [[{}, milliseconds / 1000]] };
}

function render({ name, type, unit, help, samples }: Family): string {
  const full = `propylon_${name}`;
  const lines = [`# TYPE ${full} ${type}`, ...(unit === undefined ? [] : [`# UNIT ${full} ${unit}`])];
  lines.push(`# HELP ${full} ${help}`);
  for (const [labels, value] of samples) lines.push(`${full}${SUFFIX[type]}${renderLabels(labels)} ${value}`);
  return lines.map((line) => `${line}\n`).join("");
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(String(value))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Only these three have a meaning of their own in a label's value. */
function escapeValue(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
