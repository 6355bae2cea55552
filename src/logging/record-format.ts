/** The text of a log record, by the formats of Python's logging. */
import { escapeControls, indented } from "../log.ts";
import { safeJson } from "./escape.ts";
import { compilePercent } from "./percent.ts";

export interface LogRecord {
  readonly logger: string;
  readonly level: number;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Where a process stands: for `%(threadName)s` and `%(processName)s`. */
export interface Whereabouts {
  readonly threadName: string;
  readonly thread: number;
}

export type RecordFormat = (record: LogRecord) => string;

export const LEVELS: Readonly<Record<string, number>> = {
  NOTSET: 0,
  DEBUG: 10,
  INFO: 20,
  WARN: 30,
  WARNING: 30,
  ERROR: 40,
  CRITICAL: 50,
  FATAL: 50,
};

const NAMES: Readonly<Record<number, string>> = { 10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL" };
const THOUSAND = 1000;

export function levelName(level: number): string {
  return NAMES[level] ?? `Level ${level}`;
}

/**
 * A `%` format: `%(asctime)s,%(msecs)03d %(levelname)-5.5s [%(name)s] %(message)s`.
 *
 * @param datefmt of `strftime`, for `%(asctime)s`; without it `2026-01-31 12:00:00,123`
 * @throws RangeError for what is no directive, or names a field that there is not
 */
export function percentFormat(format: string, datefmt: string | null, where: Whereabouts): RecordFormat {
  const date = datefmt === null ? defaultTime : strftime(datefmt);
  return compilePercent<LogRecord>(format, {
    asctime: ({ at }) => date(at),
    created: ({ at }) => at / THOUSAND,
    levelname: ({ level }) => levelName(level),
    levelno: ({ level }) => level,
    // Further lines are indented, so that none is taken for a record.
    message: ({ message }) => indented(escapeControls(message)),
    msecs: ({ at }) => at % THOUSAND,
    name: ({ logger }) => logger,
    process: () => process.pid,
    processName: () => "MainProcess",
    thread: () => where.thread,
    threadName: () => where.threadName,
  });
}

/** One object a line: time, level, logger, message, process and worker. */
export function jsonFormat(where: Whereabouts): RecordFormat {
  return ({ at, level, logger, message }) =>
    safeJson({
      time: new Date(at).toISOString(),
      level: levelName(level),
      logger,
      message,
      process: process.pid,
      thread: where.threadName,
    });
}

const two = (number: number): string => String(number).padStart(2, "0");

const DATE_PARTS: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getFullYear()),
  y: (date) => two(date.getFullYear() % 100),
  m: (date) => two(date.getMonth() + 1),
  d: (date) => two(date.getDate()),
  H: (date) => two(date.getHours()),
  I: (date) => two(date.getHours() % 12 || 12),
  M: (date) => two(date.getMinutes()),
  S: (date) => two(date.getSeconds()),
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  a: (date) => date.toLocaleString("en", { weekday: "short" }),
  A: (date) => date.toLocaleString("en", { weekday: "long" }),
  b: (date) => date.toLocaleString("en", { month: "short" }),
  B: (date) => date.toLocaleString("en", { month: "long" }),
  z: (date) => {
    const minutes = Math.abs(date.getTimezoneOffset());
    return `${date.getTimezoneOffset() > 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`;
  },
  "%": () => "%",
};

const DEFAULT_DATE = "%Y-%m-%d %H:%M:%S";
const atDefault = strftime(DEFAULT_DATE);

function defaultTime(at: number): string {
  return `${atDefault(at)},${String(at % THOUSAND).padStart(3, "0")}`;
}

/** @throws RangeError for a directive that there is not */
function strftime(format: string): (at: number) => string {
  for (const [all, letter] of format.matchAll(/%(.?)/gs)) {
    if (!Object.hasOwn(DATE_PARTS, letter!)) {
      throw new RangeError(
        `${all} in datefmt; there are ${Object.keys(DATE_PARTS)
          .map((part) => `%${part}`)
          .join(" ")}`,
      );
    }
  }
  return (at) => {
    const date = new Date(at);
    return format.replace(/%(.)/gs, (_all, letter: string) => DATE_PARTS[letter]!(date));
  };
}
