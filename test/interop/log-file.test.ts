import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, it } from "vitest";

const run = promisify(execFile);
const MODULE = new URL("../../dist/logging/log-file.js", import.meta.url).href;
const TURNS = 200;
const LINES = 20;

/** Appends lines of one letter, longer and shorter, a batch a turn. */
const SCRIPT = `
  const [path, letter] = process.argv.slice(1);
  const { LogFile } = await import(${JSON.stringify(MODULE)});
  const file = new LogFile(path, console);
  for (let turn = 0; turn < ${TURNS}; turn++) {
    for (let i = 0; i < ${LINES}; i++) file.write(letter.repeat(100 + 50 * i));
    await new Promise(setImmediate);
  }
  file.close();`;

it("keeps the lines of several processes whole, in a file and in a pipe that they share", async () => {
  const directory = mkdtempSync(join(tmpdir(), "log-file-"));
  const path = join(directory, "access.log");
  const letters = ["a", "b", "c"];
  const all = (to: string): string =>
    letters.map((letter) => `"${process.execPath}" --input-type=module -e '${SCRIPT}' ${to} ${letter} &`).join(" ");
  const [, { stdout }] = await Promise.all([
    run("sh", ["-c", `${all(path)} wait`]),
    run("sh", ["-c", `(${all("stdout")} wait) | cat`], { maxBuffer: 64 * 1024 * 1024 }),
  ]);
  for (const text of [readFileSync(path, "utf8"), stdout]) {
    const lines = text.split("\n").slice(0, -1);
    expect(lines).toHaveLength(letters.length * TURNS * LINES);
    expect(lines.filter((line) => line.length < 100 || line !== line[0]!.repeat(line.length))).toEqual([]);
  }
  rmSync(directory, { recursive: true });
});
