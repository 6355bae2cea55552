/** Where log records go: the handlers of Python's logging that mean something here. */
import { type Logger, descriptorWriter } from "../log.ts";
import { LogFile } from "./log-file.ts";
import type { LogHandler } from "./loggers.ts";
import { type Rotation, RotatingFile } from "./rotating-file.ts";
import { type RecordFormat, type Whereabouts, jsonFormat, percentFormat } from "./record-format.ts";
import { type SyslogTarget, syslog } from "./syslog.ts";

/** Plain data, so that it may cross to a worker. */
export interface HandlerPlan {
  readonly name: string;
  readonly level: number;
  readonly format: FormatPlan;
  readonly to:
    | { readonly kind: "null" }
    | { readonly kind: "stream"; readonly stream: "stdout" | "stderr" }
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "rotating"; readonly path: string; readonly rotation: Rotation }
    | { readonly kind: "syslog"; readonly target: SyslogTarget };
}

export type FormatPlan =
  | { readonly kind: "json" }
  | { readonly kind: "percent"; readonly format: string; readonly datefmt: string | null };

/** @throws RangeError as `percentFormat` */
export function recordFormat(plan: FormatPlan, where: Whereabouts): RecordFormat {
  return plan.kind === "json" ? jsonFormat(where) : percentFormat(plan.format, plan.datefmt, where);
}

/**
 * @param log - is told, once, of a file or a socket that cannot be written
 * @throws Error of the file system for a file that cannot be opened
 */
export function openHandler({ level, format, to }: HandlerPlan, where: Whereabouts, log: Logger): LogHandler {
  return { level, format: recordFormat(format, where), ...openSink(to, log) };
}

type Sink = Pick<LogHandler, "write" | "reopen" | "close">;

function openSink(to: HandlerPlan["to"], log: Logger): Sink {
  switch (to.kind) {
    case "null":
      return { write: () => {}, reopen: () => {}, close: async () => {} };
    case "stream": {
      const write = descriptorWriter(to.stream === "stdout" ? 1 : 2);
      return { write: (line) => write(`${line}\n`), reopen: () => {}, close: async () => {} };
    }
    case "file": {
      const file = new LogFile(to.path, log);
      return {
        // At once: the last lines of a process that dies or hangs are those that matter.
        write: (line) => {
          file.write(line);
          file.flush();
        },
        reopen: () => file.reopen(),
        close: async () => file.close(),
      };
    }
    case "rotating": {
      const file = new RotatingFile(to.path, to.rotation, log);
      return {
        write: (line) => file.write(line),
        reopen: () => file.reopen(),
        close: async () => file.close(),
      };
    }
    case "syslog":
      return syslog(to.target, log);
  }
}
