/** The logger that every room is handed, and the one that writes to standard error. */

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
 * One line per message on standard error: `2026-01-31T12:00:00.000Z level message`.
 * Messages of a lower level than `level` are dropped.
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
      : (message) => write(`${new Date().toISOString()} ${name} ${escapeControls(message)}\n`);
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}

/** C0 and C1 controls (but tab and the newline of a stack trace) become `\xNN`, so that no peer can forge a log line. */
export function escapeControls(text: string): string {
  const cut = text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)} [cut]` : text;
  // oxlint-disable-next-line no-control-regex
  return cut.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
