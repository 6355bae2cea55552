import { CommanderError } from "commander";
import { afterEach, describe, expect, it, vi } from "vitest";

import { createProgram } from "../../../src/commands/program.ts";

afterEach(() => vi.restoreAllMocks());

/** Parses `args` and returns what the process would exit with and what it wrote. */
async function run(...args: string[]): Promise<{ code: unknown; text: string }> {
  let text = "";
  const write = (chunk: string | Uint8Array): boolean => {
    text += String(chunk);
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(write);
  vi.spyOn(process.stderr, "write").mockImplementation(write);
  const exit = vi.spyOn(process, "exit").mockImplementation((code) => {
    throw new CommanderError(Number(code), "test.exit", "exit");
  });
  await createProgram()
    .parseAsync(args, { from: "user" })
    .catch(() => {});
  return { code: exit.mock.calls[0]?.[0], text };
}

describe("propylon", () => {
  it.each([[["--help"]], [["serve", "--help"]]])("documents the exit codes in %j", async (args) => {
    const { code, text } = await run(...args);
    expect(code).toBe(0);
    expect(text).toMatch(/Exit codes:\n {2}0 .*\n {2}1 .*\n {5}stop and status: .*\n {2}2 .*\n {2}130, 143/);
  });

  it("says its version", async () => {
    expect(await run("--version")).toEqual({ code: 0, text: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  it.each([
    [["srve", "x.ini"], "Did you mean serve?"],
    [["serve"], "missing required argument 'FILE.ini'"],
    [["serve", "--appname", "x", "a.ini"], "Did you mean --app-name?"],
    [["serve", "-q", "-v", "a.ini"], "cannot be used with option"],
    [["serve", "a.ini", "novalue"], '"novalue" is not var=value'],
    [["serve", "a.ini", "=x"], '"=x" is not var=value'],
    [["serve", "a.ini", "strat"], '"strat" is not var=value, did you mean "start"?'],
    [["serve", "a.ini", "a=1", "start"], '"start" belongs behind the file: propylon serve a.ini start var=value'],
    [["serve", "a.ini", "start", "--check"], '--check starts nothing: leave "start" out'],
    [["serve", "does-not-exist.ini"], "CONFIG_NOT_FOUND: there is no file"],
  ])("exits with 2 for %j", async (args, wording) => {
    const { code, text } = await run(...args);
    expect(code).toBe(2);
    expect(text).toContain(wording);
  });
});
