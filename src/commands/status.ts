/** `propylon status`: what a running server tells of itself, once or again and again. */
import type { StatusReport } from "../report.ts";
import { openMetricsOf } from "../status/openmetrics.ts";
import { isReady } from "../status/ready.ts";
import { textOf } from "../status/text.ts";
import { NotAnswering, type ServerFlags, fetchFirst, statusPaths } from "./arguments.ts";
import { UsageError, exitCodeOf, reportFailure } from "./failure.ts";

export interface StatusFlags extends ServerFlags {
  readonly json?: boolean;
  readonly metrics?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  /** Seconds between two looks; true for the usual. */
  readonly watch?: string | true;
}

const EXIT_READY = 0;
const EXIT_NOT_READY = 3;
/** Seconds between two looks. */
const USUAL_PAUSE = 2;
const MIN_PAUSE = 0.1;
const MAX_PAUSE = 86_400;

export async function status(
  target: string | undefined,
  variables: readonly string[],
  flags: StatusFlags,
): Promise<void> {
  try {
    const pause = flags.watch === undefined ? null : pauseOf(flags.watch);
    const paths = await statusPaths(target, variables, flags);
    if (pause !== null) {
      await watch(paths, pause);
      return;
    }
    const report = await fetchFirst(paths);
    if (flags.quiet !== true) process.stdout.write(render(report, flags));
    process.exitCode = isReady(report) ? EXIT_READY : EXIT_NOT_READY;
  } catch (error) {
    reportFailure(error, flags.verbose === true);
    process.exitCode = exitCodeOf(error);
  }
}

function render(report: StatusReport, { json = false, metrics = false }: StatusFlags): string {
  if (json) return `${JSON.stringify(report, null, 2)}\n`;
  return metrics ? openMetricsOf(report) : textOf(report);
}

function pauseOf(given: string | true): number {
  const seconds = given === true ? USUAL_PAUSE : Number(given);
  if (seconds >= MIN_PAUSE && seconds <= MAX_PAUSE) return seconds * 1000;
  throw new UsageError(
    `--watch: "${String(given)}" is no number of seconds from ${MIN_PAUSE} to ${MAX_PAUSE} (the file stands before it)`,
  );
}

/** xterm's: the other screen, which leaves what was there; no cursor. */
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
/** To the end of the line, of the screen. */
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** Until a signal, or until nobody reads: a server that goes away may come back. */
async function watch(paths: readonly string[], pause: number): Promise<void> {
  const { stdout } = process;
  if (stdout.isTTY) stdout.write(ENTER);
  const leave = (): never => {
    if (stdout.isTTY) stdout.write(LEAVE);
    process.exit(EXIT_READY);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, leave);
  stdout.on("error", leave);
  let earlier: StatusReport | null = null;
  for (;;) {
    let text: string;
    const width = stdout.isTTY ? stdout.columns : undefined;
    try {
      const report = await fetchFirst(paths);
      text = textOf(report, { earlier, width });
      earlier = report;
    } catch (error) {
      if (!(error instanceof NotAnswering)) throw error;
      text = `${error.message}\n`;
      earlier = null;
    }
    stdout.write(stdout.isTTY ? screen(text, stdout.rows) : `${text}\n`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Written over what is there, so that nothing flickers; what is below the last row is left out. */
function screen(text: string, rows: number): string {
  const lines = text.trimEnd().split("\n").slice(0, rows);
  return `${HOME}${lines.map((line) => line + CLEAR_LINE).join("\r\n")}${CLEAR_BELOW}`;
}
