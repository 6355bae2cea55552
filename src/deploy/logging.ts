/** Sets up the loggers that a configuration describes, in the thread that calls. */
import { formatWithOptions } from "node:util";

import { ConfigError } from "../errors.ts";
import { type Logger, silentLogger } from "../log.ts";
import { openHandler } from "../logging/handlers.ts";
import { type LogHandler, type LoggerSetup, getLogger, setLoggers } from "../logging/loggers.ts";
import { ConfigFile, type FileTexts } from "./config-file.ts";
import type { Conf } from "./context.ts";
import { type LoggingPlan, describeLogging } from "./logging-sections.ts";

export interface RunningLogging {
  /** After log files were renamed. */
  reopen(): void;
  /** Resolves when what was logged is written. */
  close(): Promise<void>;
}

/** What is read besides the file itself. */
interface LoggingSurroundings {
  readonly globalConf?: Conf | undefined;
  readonly files: FileTexts;
  readonly log: Logger;
}

const NOTHING: RunningLogging = { reopen: () => {}, close: async () => {} };

/**
 * The `[loggers]` of a file and what belongs to them; null where it has none.
 *
 * @throws ConfigError
 */
export function readLogging(path: string, { globalConf, files, log }: LoggingSurroundings): LoggingPlan | null {
  // What is said of the file itself is said where the app is described.
  const surroundings = { inherited: {}, caller: globalConf ?? {}, files, log: silentLogger };
  return describeLogging(new ConfigFile(path, surroundings, {}), log);
}

/**
 * @param worker - its number; 0 where there are no workers
 * @throws ConfigError CONFIG_BAD_VALUE for a file that cannot be opened
 */
export function startLogging(plan: LoggingPlan | null, worker: number, log: Logger): RunningLogging {
  if (plan === null) return NOTHING;
  const where = { threadName: worker === 0 ? "MainThread" : `worker-${worker}`, thread: worker };
  const used = new Set(plan.loggers.flatMap(({ handlers }) => handlers));
  const handlers = new Map<string, LogHandler>();
  for (const handler of plan.handlers) {
    if (!used.has(handler.name)) continue;
    try {
      handlers.set(handler.name, openHandler(handler, where, log));
    } catch (error) {
      const message = `its file cannot be opened: ${(error as Error).message}`;
      throw new ConfigError("CONFIG_BAD_VALUE", message, handler.place, { cause: error });
    }
  }
  const setups = plan.loggers.map(({ name, level, handlers: names, propagate }): [string, LoggerSetup] => [
    name,
    { level, propagate, handlers: names.map((each) => handlers.get(each)!) },
  ]);
  setLoggers(new Map(setups));
  const restore = consoleToLogger();
  return {
    reopen: () => {
      for (const handler of handlers.values()) handler.reopen();
    },
    close: async () => {
      restore();
      await Promise.all([...handlers.values()].map(async (handler) => await handler.close()));
      setLoggers(new Map());
    },
  };
}

/** What an app writes to `console` goes to the logger of that name. */
function consoleToLogger(): () => void {
  const logger = getLogger("console");
  const METHODS = {
    debug: logger.debug,
    log: logger.info,
    info: logger.info,
    warn: logger.warning,
    error: logger.error,
  };
  const names = Object.keys(METHODS) as (keyof typeof METHODS)[];
  // oxlint-disable-next-line no-console
  const before = names.map((name) => console[name]);
  for (const name of names) {
    // oxlint-disable-next-line no-console
    console[name] = (...args: unknown[]): void => METHODS[name](formatWithOptions({ colors: false }, ...args));
  }
  return () => {
    // oxlint-disable-next-line no-console
    for (const [i, name] of names.entries()) console[name] = before[i]!;
  };
}
