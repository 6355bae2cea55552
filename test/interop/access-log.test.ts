import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it } from "vitest";

import { SupervisedServer, until } from "../support/supervised.ts";

it("has the lines of all processes in one file, and goes on in a new one after SIGUSR1", async () => {
  const directory = mkdtempSync(join(tmpdir(), "access-log-"));
  const path = join(directory, "access.log");
  const lines = (file: string): string[] => {
    try {
      return readFileSync(file, "utf8").split("\n").slice(0, -1);
    } catch {
      return [];
    }
  };
  const options = { pm: "static", maxChildren: 2, access_log: path, access_log_format: "%%U %%P" };
  const server = await SupervisedServer.start({ mode: "fork", server: options });
  try {
    let asked = 0;
    const ask = async (url: string): Promise<void> => {
      asked++;
      expect((await server.ask(url)).status).toBe(200);
    };
    for (let i = 0; i < 10; i++) await ask("/who");
    await until(
      () => lines(path).length === 10,
      () => "the first lines",
    );
    renameSync(path, `${path}.1`);
    server.signal("SIGUSR1");
    // Each process opens it anew when it hears of it; whatever it writes before belongs to the old file.
    const pids = (file: string): Set<string> => new Set(lines(file).map((line) => line.split(" ")[1]!));
    await until(
      async () => {
        await ask("/who");
        return pids(path).size === pids(`${path}.1`).size && pids(path).size > 0;
      },
      () => "every process to have opened the new file",
    );
    await until(
      () => lines(path).length + lines(`${path}.1`).length === asked,
      () => "all lines",
    );
    expect(new Set([...lines(path), ...lines(`${path}.1`)].map((line) => line.split(" ")[0]))).toEqual(
      new Set(["/who"]),
    );
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true });
  }
});
