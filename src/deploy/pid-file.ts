/** The file with the supervisor's process id: there while it serves. */
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";

import { ConfigError, ListenError } from "../errors.ts";

/** Whoever asks for it may be anybody. */
const MODE = 0o644;

/** The command line and a section may both name the same one. */
let made = 0;

export class PidFile {
  readonly #path: string;
  /** Written first, so that nobody reads half a number, and that a fault is known before the server starts. */
  readonly #temporary: string;
  readonly #release = (): void => this.release();
  #published = false;

  /**
   * Prepares the file and leaves what is there as it is. A relative path is relative to the working directory.
   *
   * @throws ListenError LISTEN_IN_USE if another server that runs has the file; ConfigError CONFIG_BAD_VALUE if it cannot
   * be written
   */
  constructor(path: string) {
    this.#path = resolve(path);
    this.#temporary = `${this.#path}.${process.pid}.${++made}`;
    this.#attempt(() => {
      this.#refuseAnother();
      rmSync(this.#temporary, { force: true });
      writeFileSync(this.#temporary, `${process.pid}\n`, { flag: "wx" });
      chmodSync(this.#temporary, MODE);
    });
    // A start that fails ends the process, and leaves nothing.
    process.on("exit", this.#release);
  }

  /**
   * From now on it is there, until `release` or the end of this process. Of two servers that start at the same time one
   * gets it: a link takes no name that is taken. Once more it does nothing.
   *
   * @throws as the constructor
   */
  publish(): void {
    if (this.#published) return;
    this.#attempt(() => {
      while (!this.#link()) {
        this.#refuseAnother();
        rmSync(this.#path, { force: true });
      }
      rmSync(this.#temporary);
    });
    this.#published = true;
  }

  /** Removes the file unless it is another's by now. Never throws. */
  release(): void {
    process.removeListener("exit", this.#release);
    try {
      rmSync(this.#temporary, { force: true });
      if (pidIn(this.#path) === process.pid) rmSync(this.#path);
    } catch {
      // A directory that is no longer writable: the next start sees that the process is gone.
    }
  }

  #refuseAnother(): void {
    const other = servingPid(this.#path);
    if (other === null || other === process.pid) return;
    throw new ListenError("LISTEN_IN_USE", `pid_file ${this.#path} is that of process ${other}, which is serving`);
  }

  /** False if there is such a file. */
  #link(): boolean {
    try {
      linkSync(this.#temporary, this.#path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof ListenError) throw error;
      const message = `the file cannot be written: ${(error as Error).message}`;
      throw new ConfigError("CONFIG_BAD_VALUE", message, { key: "pid_file" }, { cause: error });
    }
  }
}

/** Removes the file of a server that is gone, and had no right to do so. @throws Error of the file system */
export function removePidFileOf(pid: number, path: string): void {
  if (pidIn(path) === pid) rmSync(path);
}

/** The server that a pid file names, if it lives. @throws for a file that cannot be read */
export function servingPid(path: string): number | null {
  const pid = pidIn(path);
  return pid !== null && isServing(pid) ? pid : null;
}

function pidIn(path: string): number | null {
  if (!existsSync(path)) return null;
  const text = readText(path).trim();
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    // The system names the file for some faults only.
    throw new Error(`the pid file ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Numbers are given again: that of a server which was killed may be anybody's. Where nothing tells, it is a server. */
function isServing(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  if (!existsSync("/proc/self/cmdline")) return true;
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    // A program that serves by the library is known by its own name.
    const names = new Set(["propylon", "propylon.js", basename(process.argv[1] || "propylon")]);
    return command.some((word) => names.has(basename(word)));
  } catch {
    return true;
  }
}
