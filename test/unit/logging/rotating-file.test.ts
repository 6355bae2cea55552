import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type Logger, silentLogger } from "../../../src/log.ts";
import { RotatingFile, type Rotation } from "../../../src/logging/rotating-file.ts";

let directory = "";
let path = "";
let time = 0;
const logged: string[] = [];
const log: Logger = { ...silentLogger, error: (text) => void logged.push(text) };
const opened: RotatingFile[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "propylon-rotating-"));
  path = join(directory, "app.log");
  time = new Date(2026, 0, 30, 12, 0, 0).getTime();
});
afterEach(() => {
  for (const file of opened.splice(0)) file.close();
  rmSync(directory, { recursive: true });
  logged.length = 0;
});

function open(rotation: Rotation): RotatingFile {
  const file = new RotatingFile(path, rotation, log, () => time);
  opened.push(file);
  return file;
}

/** All files and what is in them, in the order of their names. */
function files(): Record<string, string> {
  const names = readdirSync(directory).toSorted();
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(directory, name), "utf8").replace(/\n/g, " ")]),
  );
}

const HOUR = 3_600_000;
const BY_SIZE = { by: "size", bytes: 8, backups: 2 } as const;
const DAILY = { by: "time", when: "MIDNIGHT", interval: 1, utc: false, backups: 2 } as const;

describe("a file that rotates by size", () => {
  it("never is larger than it may be, and keeps as many as it shall", () => {
    const file = open(BY_SIZE);
    for (const line of ["one", "two", "three", "four", "a line that is too long", "six"]) file.write(line);
    expect(files()).toEqual({ "app.log": "six ", "app.log.1": "a line that is too long ", "app.log.2": "four " });
  });

  it("counts what is there, and bytes", () => {
    writeFileSync(path, "12345\n");
    const file = open(BY_SIZE);
    file.write("é");
    expect(files()).toEqual({ "app.log": "é ", "app.log.1": "12345 " });
  });

  it("goes on where the renaming fails, says so once, and tries again", () => {
    mkdirSync(join(directory, "app.log.1/full"), { recursive: true });
    const file = open({ ...BY_SIZE, backups: 1 });
    for (const line of ["one", "two", "three"]) file.write(line);
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\nthree\n");
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatch(/^cannot rotate .*app\.log: /);
    rmSync(join(directory, "app.log.1"), { recursive: true });
    file.write("four");
    expect(files()).toEqual({ "app.log": "four ", "app.log.1": "one two three " });
  });

  it("follows a file that another worker has rotated", () => {
    const [one, other] = [open(BY_SIZE), open(BY_SIZE)];
    one.write("one");
    other.write("two");
    one.write("three");
    other.write("4");
    expect(files()).toEqual({ "app.log": "three 4 ", "app.log.1": "one two " });
  });

  it("makes a file again that was taken away", () => {
    const file = open(BY_SIZE);
    file.write("one");
    renameSync(path, `${path}.old`);
    file.write("two");
    file.reopen();
    expect(files()).toEqual({ "app.log": "two ", "app.log.old": "one " });
  });

  it("is told at once where it cannot be opened", () => {
    path = join(directory, "none/app.log");
    expect(() => open(BY_SIZE)).toThrow(/ENOENT/);
  });
});

describe("a file that rotates by time", () => {
  it("has a day for its name, and keeps as many as it shall", () => {
    writeFileSync(`${path}.notes`, "kept");
    const file = open(DAILY);
    for (let day = 30; day < 34; day++) {
      file.write(`day ${day}`);
      file.write("and more");
      time += 24 * HOUR;
    }
    file.write("last");
    expect(files()).toEqual({
      "app.log": "last ",
      "app.log.2026-02-01": "day 32 and more ",
      "app.log.2026-02-02": "day 33 and more ",
      "app.log.notes": "kept",
    });
  });

  it("puts away what a process that is gone has left of yesterday", () => {
    writeFileSync(path, "yesterday\n");
    utimesSync(path, new Date(time - 24 * HOUR), new Date(time - 24 * HOUR));
    const file = open(DAILY);
    file.reopen();
    file.write("today");
    expect(files()).toEqual({ "app.log": "today ", "app.log.2026-01-29": "yesterday " });
  });

  it.for([
    ["S", 90, 90_000, "2026-01-30_12-00-00"],
    ["M", 7, 7 * 60_000, "2026-01-30_12-00"],
    ["H", 5, 5 * HOUR, "2026-01-30_12"],
    ["D", 1, 24 * HOUR, "2026-01-30"],
    ["MIDNIGHT", 2, 36 * HOUR, "2026-01-30"],
  ] as const)("%s: each %i", ([when, interval, length, name]) => {
    const file = open({ ...DAILY, when, interval });
    file.write("first");
    time += length - 1;
    file.write("second");
    time += 1;
    file.write("third");
    expect(files()).toEqual({ "app.log": "third ", [`app.log.${name}`]: "first second " });
  });

  it("writes over no other file", () => {
    writeFileSync(`${path}.2026-01-30`, "other");
    const file = open(DAILY);
    file.write("one");
    time += 24 * HOUR;
    file.write("two");
    expect(files()).toEqual({ "app.log": "one two ", "app.log.2026-01-30": "other" });
    expect(logged.join()).toMatch(/app\.log\.2026-01-30 is there already/);
  });
});
