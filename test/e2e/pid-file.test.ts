/** The file by which service managers know the supervisor. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
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

  it("goes to one of two servers that start at the same time", async () => {
    const directory = await mkdtemp(join(tmpdir(), "propylon-pid-"));
    const path = join(directory, "app.pid");
    const module = new URL("../../dist/deploy/pid-file.js", import.meta.url).href;
    const race = `import { PidFile } from ${JSON.stringify(module)};
      const file = new PidFile(${JSON.stringify(path)});
      process.stdout.write("ready\\n");
      process.stdin.once("data", () => { try { file.publish(); console.log("has it"); } catch (error) { console.log(error.code); } });
      process.stdin.once("end", () => { file.release(); process.exit(); });`;
    const servers = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ["--input-type=module", "-e", race, "propylon.js"], {
        stdio: ["pipe", "pipe", "inherit"],
      }),
    );
    await Promise.all(servers.map(async ({ stdout }) => await once(stdout, "data")));
    const said = servers.map(async ({ stdin, stdout }) => {
      stdin.write("go\n");
      const [told] = (await once(stdout, "data")) as [Buffer];
      return String(told).trim();
    });
    expect((await Promise.all(said)).sort()).toEqual(["LISTEN_IN_USE", "LISTEN_IN_USE", "LISTEN_IN_USE", "has it"]);
    for (const { stdin } of servers) stdin.end();
    await Promise.all(servers.map(async (server) => await once(server, "exit")));
    expect(await readdir(directory)).toEqual([]);
    await rm(directory, { recursive: true });
  });
});
