/** Records to syslog (RFC 3164): by UDP, or to its socket on this machine. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Writable } from "node:stream";

import type { Logger } from "../log.ts";
import type { LogHandler } from "./loggers.ts";
import { LEVELS } from "./record-format.ts";

/** Plain data. `path`: of a socket such as `/dev/log`. */
export type SyslogTarget = { readonly facility: number } & (
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
);

type Sink = Pick<LogHandler, "write" | "reopen" | "close">;

/** The severities of RFC 3164, by the level of a record. */
const SEVERITIES = [
  [LEVELS["CRITICAL"]!, 2],
  [LEVELS["ERROR"]!, 3],
  [LEVELS["WARNING"]!, 4],
  [LEVELS["INFO"]!, 6],
] as const;
const DEBUG_SEVERITY = 7;

/** Bytes of one message, and of those that wait for `logger`. */
const MAX_MESSAGE = 16_384;
const MAX_WAITING = 1024 * 1024;
/** Milliseconds between two starts of `logger`, and for its last words. */
const PAUSE = 1000;

/** @param log - is told, once, of a socket that cannot be written to */
export function syslog(target: SyslogTarget, log: Logger): Sink {
  const priorityOf = (level: number): number => {
    const severity = SEVERITIES.find(([least]) => level >= least)?.[1] ?? DEBUG_SEVERITY;
    return target.facility * 8 + severity;
  };
  return "path" in target ? localSyslog(target.path, priorityOf, log) : udpSyslog(target, priorityOf);
}

function udpSyslog({ host, port }: { host: string; port: number }, priorityOf: (level: number) => number): Sink {
  const socket = createSocket("udp4");
  let closed = false;
  socket.on("error", () => {});
  socket.unref();
  return {
    write: (line, level) => {
      if (!closed) socket.send(`<${priorityOf(level)}>${line}`, port, host, () => {});
    },
    reopen: () => {},
    close: async () => {
      closed = true;
      await new Promise<void>((resolve) => void socket.close(resolve));
    },
  };
}

/** Node has no datagrams of Unix: `logger` of util-linux, one for each handler, passes on what it reads. */
function localSyslog(path: string, priorityOf: (level: number) => number, log: Logger): Sink {
  let child: ChildProcessByStdio<Writable, null, null> | null = null;
  let started = Number.NEGATIVE_INFINITY;
  let closed = false;
  let told = false;
  const fail = (why: string): void => {
    if (!told) log.error(`cannot write to syslog at ${path}: ${why}`);
    told = true;
  };
  const start = (): void => {
    started = performance.now();
    const args = [
      "--socket",
      path,
      "--socket-errors=on",
      "--prio-prefix",
      "--tag",
      "propylon",
      "--size",
      `${MAX_MESSAGE}`,
    ];
    const logger = spawn("logger", args, { stdio: ["pipe", "ignore", "ignore"] });
    child = logger;
    logger.stdin.on("error", () => {});
    logger.on("error", (error) => fail(error.message));
    logger.once("close", (code) => {
      if (child === logger) child = null;
      if (code !== 0 && !closed) fail(`logger ended with ${code}`);
    });
    // It ends when the other end of its pipe is gone.
    logger.unref();
    (logger.stdin as Writable & { unref?: () => void }).unref?.();
  };
  return {
    write: (line, level) => {
      if (closed) return;
      if (child === null && performance.now() - started >= PAUSE) start();
      if (child === null) return;
      if (child.stdin.writableLength > MAX_WAITING) return fail("it takes nothing more");
      const prefix = `<${priorityOf(level)}>`;
      child.stdin.write(`${prefix}${line.replaceAll("\n", `\n${prefix}`)}\n`);
    },
    reopen: () => {},
    close: async () => {
      closed = true;
      if (child === null) return;
      const gone = once(child, "close", { signal: AbortSignal.timeout(PAUSE) });
      child.ref();
      child.stdin.end();
      await gone.catch(() => {});
    },
  };
}
