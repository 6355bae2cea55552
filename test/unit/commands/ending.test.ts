import { afterEach, describe, expect, it, vi } from "vitest";

import { whileLoading } from "../../../src/commands/ending.ts";

afterEach(() => {
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

/** What is told, and the exit code, where the process ends with `code` while something is loaded. */
async function endWhileLoading(code: number): Promise<{ told: string; exitCode: unknown }> {
  let told = "";
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => (told += String(chunk)) !== "");
  const before = process.listeners("exit");
  let settle: (value: number) => void = () => {};
  const loading = whileLoading("the app", async () => await new Promise<number>((resolve) => (settle = resolve)));
  const atExit = process.listeners("exit").filter((listener) => !before.includes(listener));
  process.exitCode = code;
  for (const listener of atExit) listener(code);
  const { exitCode } = process;
  settle(5);
  expect(await loading).toBe(5);
  expect(process.listeners("exit")).toEqual(before);
  return { told, exitCode };
}

describe("a process that ends while it loads an app", () => {
  it.each([
    [13, "it waits for a promise that nothing settles any more"],
    [7, "process.exit(7), or an exception that nobody caught"],
    [0, "process.exit(0), or an exception that nobody caught"],
  ])("with %i says so and exits with 1", async (code, why) => {
    expect(await endWhileLoading(code)).toEqual({
      told: `propylon: the app ended the process before it was done: ${why}\n`,
      exitCode: 1,
    });
  });

  it("is silent where a signal ended it", async () => {
    expect(await endWhileLoading(143)).toEqual({ told: "", exitCode: 143 });
  });
});
