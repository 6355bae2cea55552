/** Loggers by name, below one another as their names are: those of Python's logging, for apps. */
import { formatWithOptions } from "node:util";

import { descriptorWriter } from "../log.ts";
import { LEVELS, type LogRecord, type RecordFormat, levelName } from "./record-format.ts";

/** Where records go. */
export interface LogHandler {
  /** Records of a lower level pass by. */
  readonly level: number;
  readonly format: RecordFormat;
  /** Takes one line, without its end; never throws. */
  write(line: string, level: number): void;
  /** The file was renamed. */
  reopen(): void;
  /** Resolves when what it has taken is written. */
  close(): Promise<void>;
}

/** How one logger is set up. */
export interface LoggerSetup {
  /** Null: that of the next one above which has a level. */
  readonly level: number | null;
  readonly handlers: readonly LogHandler[];
  /** Its records go to the handlers above as well. */
  readonly propagate: boolean;
}

/** What an app logs by. */
export interface AppLogger {
  readonly name: string;
  /** Arguments as those of `console.log`: `%s`, `%d`, `%o`; of an Error the stack is shown. */
  debug(...message: unknown[]): void;
  info(...message: unknown[]): void;
  warning(...message: unknown[]): void;
  /** The same as `warning`. */
  warn(...message: unknown[]): void;
  error(...message: unknown[]): void;
  critical(...message: unknown[]): void;
  /** Whether a record of that level, such as "DEBUG" or 10, would be made. */
  isEnabledFor(level: string | number): boolean;
}

interface Registry {
  /** By name; the root is "". */
  readonly setups: Map<string, LoggerSetup>;
}

/** An app may have another copy of this package than the server that runs it; both must see the same loggers. */
const REGISTRY = Symbol.for("propylon.loggers");

/** Warnings for which there is no handler at all go to standard error, as in Python. A NullHandler is one. */
const LAST_RESORT: LogHandler = {
  level: LEVELS["WARNING"]!,
  format: ({ level, logger, message }) => `${levelName(level)} ${logger}: ${message}`,
  write: (line) => writeLast(`${line}\n`),
  reopen: () => {},
  close: async () => {},
};
const writeLast = descriptorWriter(2);

/**
 * The logger of that name, such as "wiki.pages", which is below "wiki". Without a name the root.
 *
 * @example
 * ```ts
 * import { getLogger } from "propylon";
 *
 * const log = getLogger("wiki.pages");
 * log.warning("%s has no text", "Home"); // WARNING wiki.pages: Home has no text
 * console.log(log.isEnabledFor("INFO")); // false
 * ```
 */
export function getLogger(name = ""): AppLogger {
  const at =
    (level: number) =>
    (...message: unknown[]): void =>
      log(name, level, message);
  const warning = at(LEVELS["WARNING"]!);
  return {
    name: name === "" ? "root" : name,
    debug: at(LEVELS["DEBUG"]!),
    info: at(LEVELS["INFO"]!),
    warning,
    warn: warning,
    error: at(LEVELS["ERROR"]!),
    critical: at(LEVELS["CRITICAL"]!),
    isEnabledFor: (level) => isEnabled(name, typeof level === "number" ? level : (LEVELS[level.toUpperCase()] ?? 0)),
  };
}

/** Sets up all loggers anew: by name, the root under "". */
export function setLoggers(setups: ReadonlyMap<string, LoggerSetup>): void {
  const { setups: all } = registry();
  all.clear();
  for (const [name, setup] of setups) all.set(name, setup);
}

/** Whether anything is set up. */
export function hasLoggers(): boolean {
  return registry().setups.size > 0;
}

function registry(): Registry {
  const realm = globalThis as { [REGISTRY]?: Registry };
  return (realm[REGISTRY] ??= { setups: new Map() });
}

function log(name: string, level: number, message: readonly unknown[]): void {
  if (!isEnabled(name, level)) return;
  const record: LogRecord = {
    logger: name === "" ? "root" : name,
    level,
    message: formatWithOptions({ colors: false }, ...message),
    at: Date.now(),
  };
  for (const handler of handlersOf(name)) {
    if (level >= handler.level) handler.write(handler.format(record), level);
  }
}

/** NOTSET leaves it to the next one above; of the root it means all. */
function isEnabled(name: string, level: number): boolean {
  for (const setup of upwards(name)) if (setup.level !== null && setup.level > 0) return level >= setup.level;
  return level >= (registry().setups.get("")?.level ?? LEVELS["WARNING"]!);
}

function handlersOf(name: string): readonly LogHandler[] {
  const handlers: LogHandler[] = [];
  for (const setup of upwards(name)) {
    handlers.push(...setup.handlers);
    if (!setup.propagate) break;
  }
  return handlers.length === 0 ? [LAST_RESORT] : handlers;
}

/** The setups of a logger and of those above it, up to the root. */
function* upwards(name: string): Generator<LoggerSetup> {
  const { setups } = registry();
  for (let at = name; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const setup = setups.get(at);
    if (setup !== undefined) yield setup;
  }
  const root = setups.get("");
  if (root !== undefined) yield root;
}
