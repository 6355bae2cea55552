/** What a report says to people, in words: what the text for a terminal and the page both show, each in its own way. */
import type { RequestReport, StatusReport, WorkerReport } from "../report.ts";
import { isReady } from "./ready.ts";
import { count, duration, foreign, foreignLines, percent, size } from "./words.ts";

export interface Fact {
  readonly name: string;
  readonly text: string;
  /** Somebody should look at it. */
  readonly alarming: boolean;
}

export interface Column {
  readonly title: string;
  readonly numeric: boolean;
}

/** All of it is safe for a terminal: what others wrote is escaped for that, though not for HTML. */
export interface Summary {
  readonly title: string;
  /** `running`, `running, not ready`. */
  readonly state: string;
  readonly ready: boolean;
  readonly facts: readonly Fact[];
  readonly columns: readonly Column[];
  readonly rows: readonly { readonly cells: readonly string[]; readonly alarming: boolean }[];
  /** Those that are not 0: name, number, how many a second (empty without an earlier report). */
  readonly counters: readonly (readonly [name: string, count: string, rate: string])[];
  /** Line by line. */
  readonly slowLog: readonly (readonly string[])[];
}

/** Characters of an error, a URL, a line of the slow log that are shown. */
const ERROR_SHOWN = 2000;
const URL_SHOWN = 160;
const METHOD_SHOWN = 16;
const LINE_SHOWN = 300;

/** @param earlier an older report of the same server, for what happens in a second. */
export function summaryOf(report: StatusReport, earlier: StatusReport | null = null): Summary {
  const ready = isReady(report);
  const before = earlier !== null && earlier.startedAt === report.startedAt ? earlier : null;
  const seconds = before === null ? 0 : (report.now - before.now) / 1000;
  const served = new Map(before?.workers.map(({ id, served }) => [id, served]));
  const rated = seconds > 0;
  const rate = (now: number, then = 0): string => (rated ? ((now - then) / seconds).toFixed(1) : "");
  return {
    title: foreign(report.where, URL_SHOWN),
    state: ready || report.state !== "running" ? report.state : `${report.state}, not ready`,
    ready,
    facts: [...head(report), ...totals(report), ...(rated ? [requestRate(report, before, rate)] : [])],
    columns: rated ? COLUMNS : COLUMNS.filter(({ title }) => title !== RATE),
    rows: report.workers.map((worker) => {
      const perSecond = rated ? [rate(worker.served, served.get(worker.id))] : [];
      return {
        cells: cellsOf(worker, report.now, perSecond),
        alarming: worker.suspect || worker.state === "killed",
      };
    }),
    counters: Object.entries(report.counters)
      .filter(([, number]) => number !== 0)
      .map(([name, number]) => [foreign(name, URL_SHOWN), String(number), rate(number, before?.counters[name])]),
    slowLog: report.slowLog.map((entry) => foreignLines(entry.trimEnd(), LINE_SHOWN)),
  };
}

const RATE = "req/s";
const COLUMNS: readonly Column[] = [
  { title: "id", numeric: true },
  { title: "pid", numeric: true },
  { title: "gen", numeric: true },
  { title: "state", numeric: false },
  { title: "age", numeric: true },
  { title: "in flight", numeric: true },
  { title: "served", numeric: true },
  { title: RATE, numeric: true },
  { title: "memory", numeric: true },
  { title: "loop", numeric: true },
  { title: "delay", numeric: true },
  { title: "oldest request", numeric: false },
];

function head(report: StatusReport): Fact[] {
  const { mode, file, pid, generation, version, node, now, startedAt, reload, backoff } = report;
  const facts = [
    fact("server", `propylon ${version} on node ${node.replace(/^v/, "")}, ${mode} mode, pid ${pid}`),
    fact("generation", `${generation}, up ${duration(now - startedAt)}`),
  ];
  if (file !== null) facts.push(fact("file", file));
  const { last } = reload;
  if (last === null) facts.push(fact("reloads", "none"));
  else {
    const times = `${reload.count}, ${reload.failed} failed; the last ${duration(now - last.at)} ago`;
    const how =
      last.error === null ? `took ${duration(last.milliseconds)}` : `failed, what served goes on: ${last.error}`;
    facts.push(fact("reloads", `${times} ${how}`, last.error !== null));
  }
  if (backoff.failures > 0) {
    const next = backoff.until === null || backoff.until <= now ? "" : `, next try in ${duration(backoff.until - now)}`;
    const why = backoff.error === null ? "" : `: ${backoff.error}`;
    facts.push(fact("back-off", `${count(backoff.failures, "failure")} to start a worker${next}${why}`, true));
  }
  return facts;
}

function totals({ workers, queue, connections, upgraded, zombies, processes, mode }: StatusReport): Fact[] {
  const inFlight = workers.reduce((sum, { inFlight }) => sum + inFlight, 0);
  const suspect = workers.filter(({ suspect }) => suspect).length;
  const named = [...tally(workers)].map(([state, number]) => `${number} ${state}`);
  if (suspect > 0) named.push(`${suspect} not answering`);
  const detail = named.length === 0 ? "" : ` (${named.join(", ")})`;
  const facts = [
    fact("workers", `${workers.length}${detail}`, suspect > 0 || workers.length === 0),
    fact("requests", `${inFlight} in flight on ${count(connections, "connection")}`),
  ];
  if (upgraded > 0) facts.push(fact("upgraded", count(upgraded, "connection")));
  if (queue.limit > 0) {
    const oldest = queue.length === 0 ? "" : `, the first for ${duration(queue.oldest)}`;
    facts.push(fact("queue", `${queue.length} of ${queue.limit}${oldest}`, queue.length >= queue.limit));
  }
  if (zombies > 0) facts.push(fact("zombies", `${count(zombies, "thread")} in a call that does not end`, true));
  if (mode === "thread") {
    for (const { pid, memory, loop } of processes) {
      const busy = `loop ${percent(loop.utilization)}, delay ${duration(loop.delay)}`;
      facts.push(fact("gateway", `pid ${pid}, ${size(memory.rss)}, ${busy}`));
    }
  }
  return facts;
}

function tally(workers: readonly WorkerReport[]): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const { state } of workers) numbers.set(state, (numbers.get(state) ?? 0) + 1);
  return numbers;
}

function requestRate(
  { counters }: StatusReport,
  before: StatusReport | null,
  rate: (now: number, then?: number) => string,
): Fact {
  return fact("rate", `${rate(counters["requests"] ?? 0, before?.counters["requests"])} requests/s`);
}

function cellsOf(worker: WorkerReport, now: number, perSecond: readonly string[]): string[] {
  const { id, pid, generation, state, suspect, startedAt, inFlight, served, memory, loop, requests } = worker;
  return [
    ...[String(id), pid === null ? "-" : String(pid), String(generation), suspect ? `${state}, stuck?` : state],
    ...[duration(now - startedAt), String(inFlight), String(served), ...perSecond],
    // A thread has no resident memory of its own.
    ...[size(memory.rss || memory.heapUsed + memory.external), percent(loop.utilization), duration(loop.delay)],
    oldestOf(requests, inFlight, now),
  ];
}

/** `4.2 s GET /wiki?page=1 (and 2 more)`. */
function oldestOf(requests: readonly RequestReport[], inFlight: number, now: number): string {
  if (requests.length === 0) return "";
  const { since, method, url } = requests.reduce((a, b) => (b.since < a.since ? b : a));
  const others = Math.max(inFlight, requests.length) - 1;
  const what = `${duration(now - since)} ${foreign(method, METHOD_SHOWN)} ${foreign(url, URL_SHOWN)}`;
  return others > 0 ? `${what} (and ${others} more)` : what;
}

function fact(name: string, text: string, alarming = false): Fact {
  return { name, text: foreign(text, ERROR_SHOWN), alarming };
}
