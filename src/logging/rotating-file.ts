/** A log file that is renamed as it grows or as time passes: those of Python's RotatingFileHandler and its timed sister. */
import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import type { Logger } from "../log.ts";
import { LogFile } from "./log-file.ts";

/** Plain data. */
export type Rotation =
  /** Before it is larger than `bytes`: `path.1` is the youngest of `backups`. */
  | { readonly by: "size"; readonly bytes: number; readonly backups: number }
  /** Each `interval` of `when`, counted from the last write; `MIDNIGHT` from midnight. With 0 `backups` all are kept. */
  | {
      readonly by: "time";
      readonly when: When;
      readonly interval: number;
      readonly utc: boolean;
      readonly backups: number;
    };

/** Milliseconds of one, and how much of `2026-01-31T12:00:00` names a file, as it does in Python. */
const STAMPS = {
  S: { length: 1000, stamp: 19 },
  M: { length: 60_000, stamp: 16 },
  H: { length: 3_600_000, stamp: 13 },
  D: { length: 86_400_000, stamp: 10 },
  MIDNIGHT: { length: 86_400_000, stamp: 10 },
} as const;
type When = keyof typeof STAMPS;
export const WHEN: readonly string[] = Object.keys(STAMPS);

export function isWhen(word: string): word is When {
  return Object.hasOwn(STAMPS, word);
}

/** Decides when a file is renamed, and to what. */
interface Policy {
  /** A file is written to that was last written at `at`, in milliseconds since 1970. */
  begin(at: number): void;
  isDue(size: number, more: number, now: number): boolean;
  /** @throws Error of the file system */
  rename(path: string): void;
}

/** As `LogFile`, each line by a write of its own. Another process may rename the file as well: the new one is followed. */
export class RotatingFile {
  readonly #path: string;
  readonly #log: Logger;
  readonly #file: LogFile;
  readonly #policy: Policy;
  readonly #now: () => number;
  #failing = false;

  /** @throws Error of the file system, if the file cannot be opened. */
  constructor(path: string, rotation: Rotation, log: Logger, now: () => number = Date.now) {
    this.#path = path;
    this.#log = log;
    this.#now = now;
    this.#policy = rotation.by === "size" ? bySize(rotation) : byTime(rotation);
    const before = statSync(path, { throwIfNoEntry: false });
    this.#file = new LogFile(path, log);
    this.#policy.begin(before?.mtimeMs ?? now());
  }

  write(line: string): void {
    this.#prepare(Buffer.byteLength(line) + 1);
    this.#file.write(line);
    this.#file.flush();
  }

  reopen(): void {
    const before = this.#file.inode;
    this.#file.reopen();
    if (this.#file.inode !== before) this.#policy.begin(this.#now());
  }

  close(): void {
    this.#file.close();
  }

  #prepare(bytes: number): void {
    try {
      const there = statSync(this.#path, { throwIfNoEntry: false });
      if (there?.ino !== this.#file.inode) return this.reopen();
      if (!this.#policy.isDue(there.size, bytes, this.#now())) return;
      this.#policy.rename(this.#path);
      this.reopen();
      this.#failing = false;
    } catch (error) {
      // The next line tries again; until then the file grows.
      if (!this.#failing) this.#log.error(`cannot rotate ${this.#path}: ${(error as Error).message}`);
      this.#failing = true;
    }
  }
}

function bySize({ bytes, backups }: Extract<Rotation, { by: "size" }>): Policy {
  return {
    begin: () => {},
    isDue: (size, more) => size > 0 && size + more > bytes,
    rename: (path) => {
      for (let i = backups; i > 1; i--) {
        const from = `${path}.${i - 1}`;
        if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, `${path}.${i}`);
      }
      renameSync(path, `${path}.1`);
    },
  };
}

function byTime({ when, interval, utc, backups }: Extract<Rotation, { by: "time" }>): Policy {
  const { length, stamp } = STAMPS[when];
  /** Milliseconds since 1970: when the file was begun, and when it ends. */
  let begun = 0;
  let end = 0;
  return {
    begin: (at) => {
      begun = when === "MIDNIGHT" ? midnight(at, 0, utc) : at;
      end = when === "MIDNIGHT" ? midnight(at, interval, utc) : at + interval * length;
    },
    isDue: (size, _more, now) => size > 0 && now >= end,
    rename: (path) => {
      const name = `${path}.${stampOf(begun, utc).slice(0, stamp)}`;
      if (statSync(name, { throwIfNoEntry: false }) !== undefined) throw new Error(`${name} is there already`);
      renameSync(path, name);
      if (backups > 0) removeAllBut(backups, path, stamp);
    },
  };
}

/** So many days after the midnight before `at`. */
function midnight(at: number, days: number, utc: boolean): number {
  const date = new Date(at);
  return utc
    ? date.setUTCHours(24 * days, 0, 0, 0)
    : new Date(date.setHours(0, 0, 0, 0)).setDate(date.getDate() + days);
}

/** `2026-01-31_12-00-00`, in local time or UTC. */
function stampOf(at: number, utc: boolean): string {
  const shift = utc ? 0 : new Date(at).getTimezoneOffset() * 60_000;
  return new Date(at - shift).toISOString().slice(0, 19).replace("T", "_").replaceAll(":", "-");
}

/** The youngest are kept. Other files beside them are not touched. */
function removeAllBut(backups: number, path: string, stamp: number): void {
  const prefix = `${basename(path)}.`;
  const shape = "dddd-dd-dd_dd-dd-dd".slice(0, stamp);
  const old = readdirSync(dirname(path))
    .filter((name) => name.startsWith(prefix) && name.slice(prefix.length).replace(/\d/g, "d") === shape)
    .toSorted();
  for (const name of old.slice(0, -backups)) rmSync(join(dirname(path), name));
}
