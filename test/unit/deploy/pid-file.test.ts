import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { PidFile, servingPid } from "../../../src/deploy/pid-file.ts";

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "propylon-pid-"));
  path = join(directory, "app.pid");
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("a pid file", () => {
  it("is there for all to read from when it is published until it is released", () => {
    const file = new PidFile(path);
    expect(existsSync(path)).toBe(false);
    file.publish();
    expect(readFileSync(path, "utf8")).toBe(`${process.pid}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o644);
    file.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("leaves nothing where the process ends before it is published", () => {
    const before = process.listeners("exit");
    const file = new PidFile(path);
    expect(readdirSync(directory)).toHaveLength(1);
    const atExit = process.listeners("exit").find((listener) => !before.includes(listener));
    atExit?.(1);
    expect(readdirSync(directory)).toEqual([]);
    file.release();
  });

  it("is left alone where it is another's by then", () => {
    const file = new PidFile(path);
    file.publish();
    writeFileSync(path, "1\n");
    file.release();
    expect(readFileSync(path, "utf8")).toBe("1\n");
  });

  it.each(["999999999", "1", "", "no number", "-1"])("that holds %j is taken over", (text) => {
    writeFileSync(path, text);
    const file = new PidFile(path);
    file.publish();
    expect(readFileSync(path, "utf8")).toBe(`${process.pid}\n`);
    file.release();
  });

  it("of a server that runs is refused, and left as it is", { skip: !existsSync("/proc/self/cmdline") }, async () => {
    const wait = "process.stdout.write('.'); setTimeout(() => {}, 60_000)";
    const server = spawn(process.execPath, ["-e", wait, "propylon.js"], { stdio: ["ignore", "pipe", "ignore"] });
    await once(server.stdout, "data");
    writeFileSync(path, `${server.pid}\n`);
    expect(() => new PidFile(path)).toThrow(/^LISTEN_IN_USE: pid_file .*app\.pid is that of process \d+/);
    expect(readdirSync(directory)).toEqual(["app.pid"]);
    server.kill();
    await once(server, "exit");
    new PidFile(path).release();
  });

  it("that is a directory is named where it is asked for", () => {
    expect(() => servingPid(directory)).toThrow(`the pid file ${directory} cannot be read: EISDIR`);
  });

  it("that cannot be written is a fault of the configuration", () => {
    expect(() => new PidFile(join(directory, "none", "app.pid"))).toThrow(/^CONFIG_BAD_VALUE: pid_file: .*ENOENT/);
  });
});
