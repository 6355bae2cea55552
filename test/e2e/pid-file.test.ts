/** The file by which service managers know the supervisor. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, describe, expect, it } from "vitest";

import { type Mode, SupervisedServer, sleep } from "../support/supervised.ts";

const MODES: readonly Mode[] = ["thread", "fork"];

let server: SupervisedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

describe("pid_file", () => {
  it.for(MODES)("in %s mode has the supervisor's pid while it serves, and is gone after TERM", async (mode) => {
    server = await SupervisedServer.start({ mode, server: { pid_file: "%(here)s/app.pid" } });
    const path = join(server.directory, "app.pid");
    expect(await readFile(path, "utf8")).toBe(`${server.process.pid}\n`);
    await server.reload();
    expect(await readFile(path, "utf8")).toBe(`${server.process.pid}\n`);
    server.signal("SIGTERM");
    while (server.process.exitCode === null) await sleep(20);
    expect(server.process.exitCode).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});
