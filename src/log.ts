/** The logger that every room is handed, and the one that writes to standard error. */
import { writeSync } from "node:fs";

export interface Logger {
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
}

const ignore = (): void => {};

/** Says nothing: the default of the library. */
export const silentLogger: Logger = { error: ignore, warn: ignore, info: ignore, debug: ignore };

const LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LEVELS)[number];

/** A line may hold this many characters; the rest is cut and said to be. */
const MAX_LINE = 16 * 1024;

/**
 * One line per message on standard error: `2026-01-31T12:00:00.000Z level message`; further lines of it are indented.
 * Messages of a lower level than `level` are dropped.
 *
 * @example
 * ```ts
 * import { createServer, stderrLogger } from "propylon";
 *
 * const server = createServer({ log: stderrLogger("warn") }, (_req, res) => res.end("Hello"));
 * server.listen("/run/propylon/app.sock");
 * // GET /: Hello
 * ```
 */
export function stderrLogger(level: LogLevel = "info"): Logger {
  return lineLogger(level, (line) => void process.stderr.write(line));
}

/** As `stderrLogger`, to where `write` puts a line. */
export function lineLogger(level: LogLevel, write: (line: string) => void): Logger {
  const limit = LEVELS.indexOf(level);
  const at = (name: LogLevel): ((message: string) => void) =>
    LEVELS.indexOf(name) > limit
      ? ignore
      : (message) => write(`${new Date().toISOString()} ${name} ${indented(escapeControls(message))}\n`);
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}

/** Milliseconds that a line waits for a pipe that is full: the thread stands still meanwhile. */
const FULL_WAIT = 5;

/** `write(2)`: how many bytes were taken. */
type Append = (fd: number, bytes: Uint8Array) => number;

/**
 * Writes lines to a descriptor at once, from any thread, and never throws. A full pipe (EAGAIN) is waited for shortly,
 * then its lines are dropped without waiting until it takes some again, which says how many were lost.
 */
export function descriptorWriter(fd: number, append: Append = writeSync): (line: string) => void {
  /** What is left of a line of which a part was taken. */
  let rest: Uint8Array = Buffer.alloc(0);
  let full = false;
  let lost = 0;
  const drain = (): boolean => {
    let tries = full ? 0 : FULL_WAIT;
    full = true;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(append(fd, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN" || tries-- === 0) return false;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
    full = false;
    return true;
  };
  return (line) => {
    if (rest.length > 0 && !drain()) {
      lost++;
      return;
    }
    const before = lost === 0 ? "" : `${new Date().toISOString()} warn lines of this log that were lost: ${lost}\n`;
    const bytes = Buffer.from(before + line);
    rest = bytes;
    // Of a line that was begun the end follows, so that no other is joined to it.
    if (drain() || rest.length < bytes.length) lost = 0;
    else {
      rest = Buffer.alloc(0);
      lost++;
    }
  };
}

/** What begins at the margin is a new entry, and nothing else is. */
export function indented(text: string): string {
  return text.replace(/\n(?![ \t])/g, "\n    ");
}

/** C0 and C1 controls (but tab and the newline of a stack trace) become `\xNN`, so that no peer can forge a log line. */
export function escapeControls(text: string): string {
  const cut = text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)} [cut]` : text;
  // oxlint-disable-next-line no-control-regex
  return cut.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** As `escapeControls`, for what has to stay on one line. */
export function escapeLine(text: string): string {
  return escapeControls(text)
    .replaceAll("\t", String.raw`\x09`)
    .replaceAll("\n", String.raw`\x0a`);
}
