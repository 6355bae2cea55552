/** The running server by its own word, beside what the file says. */
import { readFileSync, statSync } from "node:fs";

import type { StatusReport } from "../report.ts";
import { fetchStatus } from "../status/client.ts";
import { isReady } from "../status/ready.ts";
import { duration, foreign } from "../status/words.ts";
import type { Context, Patient } from "./context.ts";
import { type Finding, found } from "./finding.ts";

/** A file's time and the server's clock may be a little apart. Milliseconds. */
const CLOCKS = 2_000;
/** Milliseconds that a request waits for a worker before it is worth a word. */
const LONG_WAIT = 1_000;
const TEXT_SHOWN = 300;

export interface Told {
  readonly report: StatusReport | null;
  /** Why there is none. */
  readonly failure: NodeJS.ErrnoException | null;
}

export async function askStatus({ patient, bounds }: Omit<Context, "report">): Promise<Told> {
  if (patient.statusPath === null) return { report: null, failure: null };
  try {
    return { report: await fetchStatus({ path: patient.statusPath }, bounds.short), failure: null };
  } catch (error) {
    return { report: null, failure: error as NodeJS.ErrnoException };
  }
}

/** A server that answers, and tells nothing of itself. */
export function checkStatus({ patient, skip }: Context, { report, failure }: Told): Finding[] {
  if (report !== null) return [];
  const { statusPath } = patient;
  if (failure === null) {
    skip("the workers, and whether the server runs by this file (a single server has no status)");
    return [];
  }
  if (failure.code === "EACCES") {
    skip(`the workers (this user may not connect to ${statusPath}; ask as root, or as the server's user)`);
    return [];
  }
  const seen = `a server answers, and its status at ${statusPath} does not (${failure.code ?? failure.message})`;
  return [found("STATUS_SILENT", seen, "find out what was started in place of this file, and restart it")];
}

export function checkServer({ patient, report, asked }: Context): Finding[] {
  if (report === null) return [...checkPidFile(patient, null)];
  const same = report.file === null || report.file === patient.file;
  return [
    ...(same ? configuration(patient, report) : [otherFile(patient, report)]),
    ...workers(report),
    ...version(report, asked.version),
    ...checkPidFile(patient, report),
  ];
}

function otherFile({ file }: Patient, report: StatusReport): Finding {
  const seen = `the server (pid ${report.pid}) was started with ${foreign(report.file ?? "", TEXT_SHOWN)}, not with ${file}`;
  return found(
    "SERVER_OF_OTHER_FILE",
    seen,
    "give each server a socket or port of its own, or name the file that runs",
  );
}

function configuration(patient: Patient, report: StatusReport): Finding[] {
  const { last } = report.reload;
  if (last !== null && last.error !== null) {
    const seen = `the last reload failed, and generation ${report.generation} goes on: ${foreign(last.error, TEXT_SHOWN)}`;
    return [found("RELOAD_FAILED", seen, `mend what it says, then "propylon reload ${patient.file}"`)];
  }
  // Another version may have other options; how many workers that makes depends on where one looks from.
  const differing = Object.keys(report.limits).filter(
    (key) => key !== "workers" && key in patient.limits && patient.limits[key] !== report.limits[key],
  );
  if (patient.mode !== report.mode) differing.unshift(`the mode (${report.mode})`);
  const reload = `"propylon reload ${patient.file}", or restart the server`;
  if (differing.length > 0) {
    const seen = `the running server has other values than the file: ${differing.join(", ")}`;
    return [found("SERVER_DIFFERS", seen, reload)];
  }
  const written = statSync(patient.file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (written <= (last?.at ?? report.startedAt) + CLOCKS) return [];
  const seen = `${patient.file} was written after the server had read it`;
  return [found("CONFIGURATION_NEWER", seen, `if something has changed in it: ${reload}`)];
}

function workers(report: StatusReport): Finding[] {
  const stuck = report.workers.filter(({ suspect }) => suspect);
  const { backoff, queue } = report;
  const findings: Finding[] = [];
  if (stuck.length > 0) {
    const [request] = stuck.flatMap(({ requests }) => requests);
    const what =
      request === undefined ? "" : `, the oldest with ${foreign(`${request.method} ${request.url}`, TEXT_SHOWN)}`;
    const seen = `${stuck.length} of ${report.workers.length} workers do not answer${what}`;
    const cure = 'see what they do, by slowlog_timeout and the stacks in the slow log, or set "stall_timeout"';
    findings.push(found("WORKERS_STUCK", seen, cure));
  }
  if (!isReady(report) && stuck.length === 0) {
    const why =
      backoff.error === null ? `it is ${report.state}` : `a worker cannot start: ${foreign(backoff.error, TEXT_SHOWN)}`;
    const seen = `the server runs and is not ready: ${why}`;
    findings.push(found("SERVER_NOT_READY", seen, "see its log; mend the app, or wait until it has started"));
  }
  if (queue.length > 0 && queue.oldest >= LONG_WAIT) {
    const seen = `${queue.length} requests wait for a worker, the first for ${duration(queue.oldest)}`;
    const cure = 'see with "propylon status" what keeps the workers, and raise maxThreads or concurrency';
    findings.push(found("WORKERS_BUSY", seen, cure));
  }
  return findings;
}

function version(report: StatusReport, here: string): Finding[] {
  if (report.version === here) return [];
  const seen = `the server runs propylon ${foreign(report.version, 40)}, and this is ${here}`;
  return [found("SERVER_OTHER_VERSION", seen, "restart it, if it was started before an update")];
}

function checkPidFile({ pidFile }: Patient, report: StatusReport | null): Finding[] {
  if (pidFile === null) return [];
  let pid: number | null;
  try {
    pid = Number(readFileSync(pidFile, "latin1"));
  } catch {
    pid = null;
  }
  if (report === null ? pid === null || isAlive(pid) : pid === report.pid) return [];
  const names = pid === null ? "cannot be read" : `names process ${pid}`;
  const truth = report === null ? "which is gone" : `and the server is process ${report.pid}`;
  const cure =
    report === null ? "start the server, which replaces the file" : "restart the server, which writes it anew";
  return [found("PID_FILE_WRONG", `${pidFile} ${names}, ${truth}`, cure)];
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
