/** Opens the access log that a plan asks for. */
import { resolve } from "node:path";

import { ConfigError } from "../errors.ts";
import type { ExchangeRecord } from "../exchange.ts";
import type { Logger } from "../log.ts";
import { accessLogFormat } from "../logging/access-log.ts";
import { LogFile } from "../logging/log-file.ts";
import { type GatewayPlan, valueOf } from "./plan.ts";

export interface AccessLog {
  readonly write: (record: ExchangeRecord) => void;
  /** After the file was renamed. */
  reopen(): void;
  close(): void;
}

/**
 * Null where none is asked for. A relative path is relative to the working directory.
 *
 * @throws ConfigError CONFIG_BAD_VALUE for a file that cannot be opened, or a format that is none
 */
export function openAccessLog(plan: GatewayPlan, log: Logger): AccessLog | null {
  const { accessLog: path } = plan.settings.process;
  if (path === undefined) return null;
  const format = accessLogFormat(valueOf(plan, "process", "accessLogFormat"));
  const file = openLog(path, "access_log", log);
  return {
    write: (record) => file.write(format(record)),
    reopen: () => file.reopen(),
    close: () => file.close(),
  };
}

/** @throws ConfigError CONFIG_BAD_VALUE of the option `key`, for a file that cannot be opened */
export function openLog(path: string, key: string, log: Logger): LogFile {
  try {
    return new LogFile(logPath(path), log);
  } catch (error) {
    const message = `the log cannot be opened: ${(error as Error).message}`;
    throw new ConfigError("CONFIG_BAD_VALUE", message, { key }, { cause: error });
  }
}

/** `stdout`, `stderr`, or an absolute path, which stays what it is where the app changes the working directory. */
export function logPath(path: string): string {
  return path === "stdout" || path === "stderr" ? path : resolve(path);
}
