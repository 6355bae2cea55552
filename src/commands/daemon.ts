/** `propylon serve FILE start|stop|restart|status`: a server in the background, known by its pid file. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { type ServerChoice, pidFileOf } from "../deploy/described-server.ts";
import { removePidFileOf, servingPid } from "../deploy/pid-file.ts";
import { escapeControls } from "../log.ts";

/** One server, by the words of the command line. */
export interface DaemonOptions extends ServerChoice {
  /** Without `#NAME`. */
  readonly file: string;
  readonly pidFile: string | undefined;
  readonly logFile: string | undefined;
  /** Milliseconds for `stop`. */
  readonly timeout: number;
  /** What `serve` is called with in the background, but for its pid file. */
  readonly args: readonly string[];
  readonly say: (line: string) => void;
}

/** Of the process in the background: it writes to it when it serves. */
const READY_FD = 3;
/** How often a stop is looked at. Milliseconds. */
const LOOK = 50;
/** Of the log, shown where a start fails. Bytes. */
const MAX_SHOWN = 16_384;
const LOG_MODE = 0o640;

/** A server in the background that does as its words say; 0, or 1 where that could not be done. */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #pidFile: string;
  readonly #logFile: string;

  /** @throws ConfigError for a fault in the file */
  constructor(options: DaemonOptions) {
    const { file, pidFile, logFile } = options;
    this.#options = options;
    this.#pidFile = resolve(pidFile ?? pidFileOf(file, options) ?? beside(file, "pid"));
    this.#logFile = resolve(logFile ?? beside(file, "log"));
  }

  /** Resolves when it serves, or has failed to: then what it wrote is shown. */
  async start(): Promise<0 | 1> {
    const { file, args, say } = this.#options;
    const running = servingPid(this.#pidFile);
    if (running !== null) return this.#fail(`${file} is served already, in PID ${running}, says ${this.#pidFile}`);
    const log = this.#openLog();
    const from = fstatSync(log).size;
    const script = fileURLToPath(new URL("../../bin/propylon.js", import.meta.url));
    const own = ["--pid-file", this.#pidFile, "--ready-fd", String(READY_FD)];
    const child = spawn(process.execPath, [script, "serve", ...args, ...own], {
      detached: true,
      stdio: ["ignore", log, log, "pipe"],
    });
    closeSync(log);
    const ready = child.stdio[READY_FD] as Readable;
    const ended = await new Promise<string | null>((resolve) => {
      ready.once("data", () => resolve(null));
      child.on("error", (error) => resolve(error.message));
      child.on("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    ready.destroy();
    child.unref();
    if (ended === null) {
      say(`${file} is served in PID ${child.pid}; its log is ${this.#logFile}`);
      return 0;
    }
    process.stderr.write(escapeControls(tail(this.#logFile, from)));
    return this.#fail(`${file} is not served (${ended}); the log is ${this.#logFile}`);
  }

  /** Resolves when it has answered what it had in hand and is gone. */
  async stop(): Promise<0 | 1> {
    const { timeout, say } = this.#options;
    const pid = servingPid(this.#pidFile);
    if (pid === null) return this.#notServed();
    try {
      process.kill(pid, "SIGTERM");
    } catch (error) {
      // It has ended by itself meanwhile.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
    for (const end = performance.now() + timeout; servingPid(this.#pidFile) === pid;) {
      if (performance.now() > end) {
        return this.#fail(`PID ${pid} still answers what it has in hand after ${timeout / 1000} s (--timeout)`);
      }
      await sleep(LOOK);
    }
    removePidFileOf(pid, this.#pidFile);
    say(`PID ${pid} is stopped`);
    return 0;
  }

  /** Starts it too if nothing runs. */
  async restart(): Promise<0 | 1> {
    if (servingPid(this.#pidFile) !== null && (await this.stop()) !== 0) return 1;
    return await this.start();
  }

  status(): 0 | 1 {
    const { file, say } = this.#options;
    const pid = servingPid(this.#pidFile);
    if (pid === null) return this.#notServed();
    say(`${file} is served in PID ${pid}`);
    return 0;
  }

  #notServed(): 1 {
    const { file } = this.#options;
    const why = existsSync(this.#pidFile)
      ? `${this.#pidFile} names no server that runs`
      : `there is no ${this.#pidFile}`;
    return this.#fail(`${file} is not served: ${why}; "propylon serve ${file} start" starts it`);
  }

  #openLog(): number {
    try {
      return openSync(this.#logFile, "a", LOG_MODE);
    } catch (error) {
      const message = `the log cannot be opened, --log-file names another one: ${(error as Error).message}`;
      throw new Error(message, { cause: error });
    }
  }

  #fail(message: string): 1 {
    process.stderr.write(`propylon: ${message}\n`);
    return 1;
  }
}

/** `wiki.ini` has `wiki.pid` and `wiki.log`. */
function beside(file: string, extension: string): string {
  return `${file.replace(/\.ini$/, "")}.${extension}`;
}

/** What was written from `from` on, of that the last bytes. */
function tail(path: string, from: number): string {
  const log = openSync(path, "r");
  try {
    const { size } = fstatSync(log);
    const bytes = Buffer.alloc(Math.min(MAX_SHOWN, Math.max(0, size - from)));
    return bytes.toString("utf8", 0, readSync(log, bytes, 0, bytes.length, size - bytes.length));
  } finally {
    closeSync(log);
  }
}
