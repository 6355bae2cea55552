/** `propylon reload`: tells a running server to change over to its configuration, and waits for what comes of it. */
import { setTimeout as sleep } from "node:timers/promises";

import type { StatusReport } from "../report.ts";
import { NotAnswering, type ServerFlags, fetchFirst, statusPaths } from "./arguments.ts";
import { UsageError, exitCodeOf, reportFailure } from "./failure.ts";

export interface ReloadFlags extends ServerFlags {
  /** Seconds. */
  readonly timeout: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Milliseconds between two looks. */
const PAUSE = 200;
const MAX_SECONDS = 86_400;

export async function reload(target: string, variables: readonly string[], flags: ReloadFlags): Promise<void> {
  try {
    const seconds = Number(flags.timeout);
    if (!(seconds > 0 && seconds <= MAX_SECONDS)) {
      throw new UsageError(`--timeout: "${flags.timeout}" is no number of seconds up to ${MAX_SECONDS}`);
    }
    const paths = await statusPaths(target, variables, flags);
    const before = await fetchFirst(paths);
    checkThatSignalIsKnown(before);
    process.kill(before.pid, "SIGHUP");
    const after = await ended(before, paths, seconds * 1000);
    const error = after.reload.last?.error ?? null;
    if (error !== null) throw new Error(`reload failed, generation ${after.generation} goes on: ${error}`);
    if (flags.quiet !== true)
      process.stdout.write(`generation ${after.generation} serves (before: ${before.generation})\n`);
  } catch (error) {
    reportFailure(error, flags.verbose === true);
    process.exitCode = exitCodeOf(error);
  }
}

/** SIGHUP ends a process that does not expect it. */
function checkThatSignalIsKnown({ state, file, where }: StatusReport): void {
  if (file === null) throw new Error(`${where} was started by a program, which alone can reload it`);
  if (state === "starting" || state === "stopping") throw new Error(`${where} is ${state}`);
}

/** Reloads follow each other: one that is under way is not ours. */
async function ended(before: StatusReport, paths: readonly string[], timeout: number): Promise<StatusReport> {
  const count = before.reload.count + (before.state === "reloading" ? 2 : 1);
  const end = performance.now() + timeout;
  let last: unknown = null;
  while (performance.now() < end) {
    await sleep(PAUSE);
    try {
      const report = await fetchFirst(paths);
      if (report.pid !== before.pid) throw new Error(`the server with pid ${before.pid} is gone`);
      if (report.reload.count >= count) return report;
      last = null;
    } catch (error) {
      if (!(error instanceof NotAnswering)) throw error;
      last = error;
    }
  }
  const why = last instanceof Error ? `: ${last.message}` : "; it is still under way";
  throw new Error(`the reload has not ended within ${timeout / 1000} s${why}`);
}
