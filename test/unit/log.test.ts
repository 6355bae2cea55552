import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { descriptorWriter, lineLogger } from "../../src/log.ts";
import { framesText } from "../../src/stacks/frames.ts";
import { slowEntry } from "../../src/stacks/slow-entry.ts";
import { steadyNow } from "../../src/steady-clock.ts";

const failure = (code: string): Error => Object.assign(new Error(code), { code });

describe("a log line", () => {
  const forged = "2026-01-31T12:00:00.000Z error all is lost";

  it("is never forged by the message of another: its further lines are indented", () => {
    let text = "";
    lineLogger("info", (line) => (text += line)).error(`bad\n${forged}\r\n\n    at f (app.js:1:2)`);
    const [first, ...others] = text.slice(0, -1).split("\n");
    expect(first).toMatch(/Z error bad$/);
    expect(others).toEqual([`    ${forged}\\x0d`, "    ", "    at f (app.js:1:2)"]);
  });

  it("of the slow log is not forged by a URL or the name of a function", () => {
    const request = { id: "r", method: "GET", url: `/\n${forged}`, since: steadyNow(), worker: 1 };
    const frames = framesText([{ name: `f\n${forged}`, url: "a.js", line: 1, column: 2 }]);
    const entry = { why: "slow", pid: 1, worker: 1, requests: [request] } as const;
    const [, ...others] = slowEntry({ ...entry, sample: { state: "running", frames } })
      .trimEnd()
      .split("\n");
    expect(others).toEqual([`  [r] GET /\\x0a${forged}, for 0.0 s`, `    at f\\x0a${forged} (a.js:1:2)`]);
  });
});

describe("a writer to a descriptor", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "propylon-log-"))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it("neither throws nor waits for ever on a full pipe, and says what was lost when it is read again", () => {
    const fifo = join(directory, "fifo");
    execFileSync("mkfifo", [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    const write = descriptorWriter(fd);
    const begun = Date.now();
    for (let i = 0; i < 1000; i++) write(`${"x".repeat(1023)}\n`);
    expect(Date.now() - begun).toBeLessThan(1000);
    const buffer = Buffer.alloc(1 << 20);
    const room = readSync(reader, buffer);
    write("after\n");
    const length = readSync(reader, buffer);
    expect(buffer.toString("utf8", 0, length)).toMatch(
      new RegExp(`^\\S+Z warn lines of this log that were lost: ${1000 - room / 1024}\\nafter\\n$`),
    );
    closeSync(reader);
    expect(() => write("nobody reads\n")).not.toThrow();
    closeSync(fd);
    expect(() => write("there is no descriptor\n")).not.toThrow();
  });

  it("tries again shortly, and ends a line that it has begun before the next", () => {
    let taken = "";
    const again = Array<"EAGAIN">(6).fill("EAGAIN");
    const script: (number | "EAGAIN")[] = [3, "EAGAIN", 4, ...again, 100, 100];
    const write = descriptorWriter(9, (_fd, bytes) => {
      const next = script.shift()!;
      if (next === "EAGAIN") throw failure("EAGAIN");
      const part = bytes.subarray(0, next);
      taken += Buffer.from(part).toString();
      return part.length;
    });
    write("0123456789\n");
    expect(taken).toBe("0123456");
    write("dropped\n");
    write("last\n");
    expect(taken).toMatch(/^0123456789\n\S+ warn lines of this log that were lost: 1\nlast\n$/);
  });
});
