import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Logger } from "../../../src/log.ts";
import { LogFile } from "../../../src/logging/log-file.ts";

const turn = async (): Promise<void> => {
  await new Promise(setImmediate);
  await new Promise(setImmediate);
};

let directory: string;
let path: string;
let said: string[];
let log: Logger;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "log-file-"));
  path = join(directory, "access.log");
  said = [];
  const keep = (text: string): void => void said.push(text);
  log = { error: keep, warn: keep, info: keep, debug: keep };
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

const text = (file = path): string => readFileSync(file, "utf8");

describe("a log file", () => {
  it("is made with mode 0640 at most, and appended to", async () => {
    const first = new LogFile(path, log);
    first.write("one");
    first.close();
    const second = new LogFile(path, log);
    second.write("zwei, drei: ä");
    second.close();
    expect(text()).toBe("one\nzwei, drei: ä\n");
    expect(statSync(path).mode & 0o777 & ~0o640).toBe(0);
    expect(statSync(path).mode & 0o600).toBe(0o600);
  });

  it("is written once a turn of the event loop", async () => {
    const writes: string[] = [];
    const file = new LogFile(path, log, (fd, bytes) => {
      writes.push(Buffer.from(bytes).toString());
      return writeSync(fd, bytes);
    });
    file.write("a");
    file.write("b");
    expect(writes).toEqual([]);
    await turn();
    file.write("c");
    await turn();
    expect(writes).toEqual(["a\nb\n", "c\n"]);
    expect(text()).toBe("a\nb\nc\n");
    file.close();
  });

  it("is written at 64 KiB without waiting for the turn", () => {
    const file = new LogFile(path, log);
    for (let i = 0; i < 65; i++) file.write("x".repeat(1023));
    expect(statSync(path).size).toBe(64 * 1024);
    file.close();
    expect(statSync(path).size).toBe(65 * 1024);
  });

  it("says that it cannot be opened", () => {
    expect(() => new LogFile(join(directory, "none", "access.log"), log)).toThrow("ENOENT");
  });

  it("goes on in a new file after it was renamed, and no line is lost", async () => {
    const file = new LogFile(path, log);
    file.write("before");
    renameSync(path, `${path}.1`);
    file.write("between");
    file.reopen();
    file.write("after");
    await turn();
    expect(text(`${path}.1`)).toBe("before\nbetween\n");
    expect(text()).toBe("after\n");
    file.close();
  });

  it("goes on in the old file where the new one cannot be opened", () => {
    const below = join(directory, "below");
    mkdirSync(below);
    const file = new LogFile(join(below, "access.log"), log);
    renameSync(below, join(directory, "moved"));
    file.reopen();
    file.write("still here");
    file.close();
    expect(text(join(directory, "moved", "access.log"))).toBe("still here\n");
    expect(said).toEqual([expect.stringContaining("cannot reopen")]);
  });

  it("is a pipe of which others write too: pieces of whole lines that it takes at once", () => {
    const fifo = join(directory, "fifo");
    execFileSync("mkfifo", [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writes: Uint8Array[] = [];
    const file = new LogFile(fifo, log, (_fd, bytes) => {
      writes.push(bytes);
      return bytes.length;
    });
    const lines = ["a", "b", "c", "d", "e", "f"].map((letter) => letter.repeat(1500));
    lines.push("long".repeat(2000));
    for (const line of lines) file.write(line);
    file.close();
    expect(writes.map(({ length }) => length)).toEqual([3002, 3002, 3002, 8001]);
    expect(Buffer.concat(writes).toString()).toBe(`${lines.join("\n")}\n`);
    closeSync(reader);
  });

  it("takes nothing any more when it is closed", async () => {
    const file = new LogFile(path, log);
    file.write("last");
    file.close();
    file.write("lost");
    file.close();
    file.reopen();
    await turn();
    expect(text()).toBe("last\n");
  });
});

describe("a log file that takes no more", () => {
  it("is said to be so once, and what waits for it is written when it takes it again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let full = true;
    const file = new LogFile(path, log, (fd, bytes) => {
      if (full) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      return writeSync(fd, bytes);
    });
    for (const line of ["one", "two", "three"]) {
      file.write(line);
      await turn();
    }
    expect(said).toEqual([expect.stringMatching(/^cannot write .*ENOSPC/)]);
    full = false;
    vi.advanceTimersByTime(1000);
    expect(text()).toBe("one\ntwo\nthree\n");
    expect(said).toHaveLength(2);
    expect(said[1]).toContain("0 lines were lost");
    file.close();
  });

  it("is /dev/full", { skip: !existsSync("/dev/full") }, async () => {
    const file = new LogFile("/dev/full", log);
    file.write("line");
    await turn();
    file.write("line");
    await turn();
    expect(said).toEqual([expect.stringMatching(/^cannot write \/dev\/full: ENOSPC/)]);
    file.close();
  });

  it("goes on in the middle of a line of which a part was taken", async () => {
    let room = 5;
    const file = new LogFile(path, log, (fd, bytes) => {
      if (room === 0) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
      const part = bytes.subarray(0, room);
      room -= part.length;
      return writeSync(fd, part);
    });
    file.write("one line");
    await turn();
    expect(text()).toBe("one l");
    room = 100;
    file.write("two");
    await turn();
    expect(text()).toBe("one line\ntwo\n");
    file.close();
  });

  it("has 8 MiB wait for it; lines beyond are dropped and counted", async () => {
    let full = true;
    const file = new LogFile(path, log, (fd, bytes) => {
      if (full) throw Object.assign(new Error("EIO"), { code: "EIO" });
      return writeSync(fd, bytes);
    });
    for (let i = 0; i < 9 * 1024; i++) file.write("x".repeat(1023));
    expect(file.dropped).toBe(1024);
    full = false;
    file.close();
    expect(statSync(path).size).toBe(8 * 1024 * 1024);
    expect(said[1]).toContain("1024 lines were lost");
  });

  it("is not complained of as a pipe that is read slowly, until lines are dropped for it", () => {
    let full = true;
    const file = new LogFile(path, log, (fd, bytes) => {
      if (full) throw Object.assign(new Error("EAGAIN"), { code: "EAGAIN" });
      return writeSync(fd, bytes);
    });
    for (let i = 0; i < 8 * 1024; i++) file.write("x".repeat(1023));
    expect(said).toEqual([]);
    for (let i = 0; i < 1024; i++) file.write("x".repeat(1023));
    expect(said).toEqual([expect.stringMatching(/takes lines too slowly/)]);
    full = false;
    file.close();
    expect(said[1]).toContain("1024 lines were lost");
  });
});
