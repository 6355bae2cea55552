/** A log file that takes whole lines, cheaply: they are gathered while the event loop turns and appended by one write. */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";

import type { Logger } from "../log.ts";

/** Characters: so much is written at once, before the loop has turned. */
const BATCH = 64 * 1024;
/** Bytes that may wait for a file that takes none; what comes beyond is dropped and counted. */
const MAX_WAITING = 8 * 1024 * 1024;
/** Milliseconds until a write that failed is tried again. */
const RETRY = 1000;
const MODE = 0o640;
/** A pipe without a reader, or with a slow one, fails at once; to a file the last flag means nothing. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
/** Bytes that a pipe takes in one piece, whoever else writes to it (PIPE_BUF of Linux). */
const PIPE_PIECE = 4096;
const NEWLINE = 10;

const DESCRIPTORS: Readonly<Record<string, number | undefined>> = { stdout: 1, stderr: 2 };

/** `write(2)`: how many bytes were taken. */
type Append = (fd: number, bytes: Uint8Array) => number;

const append: Append = (fd, bytes) => writeSync(fd, bytes);

/**
 * Appends to the file `path`; `stdout` and `stderr` mean those descriptors. The file is made if need be, with mode 0640.
 * Several processes may append to one file: each write is of whole lines.
 *
 * Writing never throws. A file that cannot be written is reported once, and again when it has recovered; meanwhile up to
 * 8 MiB wait for it.
 */
export class LogFile {
  readonly #path: string;
  readonly #log: Logger;
  readonly #append: Append;
  #fd: number;
  #pipe: boolean;
  /** Lines of this turn, not encoded yet. */
  #lines = "";
  /** Batches that could not be written, oldest first, and their bytes. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #immediate: NodeJS.Immediate | null = null;
  #retry: NodeJS.Timeout | null = null;
  #failing = false;
  #closed = false;

  /** @throws Error of the file system, if the file cannot be opened. */
  constructor(path: string, log: Logger, write: Append = append) {
    this.#path = path;
    this.#log = log;
    this.#append = write;
    this.#fd = open(path);
    this.#pipe = fstatSync(this.#fd).isFIFO();
  }

  /** Lines that were lost so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Of the open file: one of that name that has another is another file. */
  get inode(): number {
    return fstatSync(this.#fd).ino;
  }

  /** Appends `line`, which has no newline of its own. Text is written as UTF-8. */
  write(line: string): void {
    if (this.#closed) return;
    this.#lines += `${line}\n`;
    if (this.#lines.length >= BATCH) this.flush();
    else this.#immediate ??= setImmediate(() => this.flush());
  }

  /** After the file was renamed: what was written so far goes to the old one, what follows to a new one of that name. */
  reopen(): void {
    if (this.#closed) return;
    this.flush();
    if (DESCRIPTORS[this.#path] !== undefined) return;
    try {
      const next = open(this.#path);
      closeSync(this.#fd);
      this.#fd = next;
      this.#pipe = fstatSync(next).isFIFO();
    } catch (error) {
      this.#log.error(`cannot reopen ${this.#path}, the old file is written on: ${(error as Error).message}`);
      return;
    }
    if (this.#waiting.length > 0) this.flush();
  }

  /** Writes what there is, and takes no more. */
  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (DESCRIPTORS[this.#path] === undefined) closeSync(this.#fd);
  }

  /** Writes at once what was gathered, as far as the file takes it. */
  flush(): void {
    if (this.#closed) return;
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#immediate = null;
    this.#gather();
    try {
      while (this.#waiting.length > 0) this.#writeFirst();
      if (this.#failing) this.#recovered();
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException);
    }
  }

  /** Lines become a batch of bytes, if there is room for one more. */
  #gather(): void {
    if (this.#lines === "") return;
    const bytes = Buffer.from(this.#lines);
    if (this.#waitingBytes + bytes.length > MAX_WAITING) {
      this.#dropped += countLines(bytes);
      if (!this.#failing) this.#log.error(`${this.#path} takes lines too slowly: some are lost`);
      this.#failing = true;
    } else {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
    }
    this.#lines = "";
  }

  /** A disk that fills up takes a part: the rest of the line follows when it has room again. */
  #writeFirst(): void {
    const first = this.#waiting[0]!;
    const written = this.#append(this.#fd, this.#pipe ? linesForPipe(first) : first);
    this.#waitingBytes -= written;
    if (written === first.length) this.#waiting.shift();
    else this.#waiting[0] = first.subarray(written);
  }

  /** A pipe that is full (EAGAIN) is no failure, as long as nothing is dropped for it: its reader is slow. */
  #failed(error: NodeJS.ErrnoException): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.flush();
    }, RETRY).unref();
    if (this.#failing || error.code === "EAGAIN") return;
    this.#failing = true;
    this.#log.error(`cannot write ${this.#path}: ${error.message}`);
  }

  #recovered(): void {
    this.#failing = false;
    this.#log.warn(`${this.#path} is written again; ${this.#dropped} lines were lost so far`);
  }
}

function open(path: string): number {
  return DESCRIPTORS[path] ?? openSync(path, FLAGS, MODE);
}

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (const byte of bytes) if (byte === NEWLINE) lines++;
  return lines;
}

/** The whole lines that a pipe takes in one piece, at least one. */
function linesForPipe(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= PIPE_PIECE) return bytes;
  const last = bytes.lastIndexOf(NEWLINE, PIPE_PIECE - 1);
  return bytes.subarray(0, (last < 0 ? bytes.indexOf(NEWLINE) : last) + 1);
}
