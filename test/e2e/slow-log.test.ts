/** The slow log: which request, and where in the code it is, although its thread does not answer. */
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, describe, expect, it } from "vitest";

import { type Mode, SupervisedServer, sleep, until } from "../support/supervised.ts";

const MODES: readonly Mode[] = ["thread", "fork"];

let server: SupervisedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function start(mode: Mode, options: Readonly<Record<string, string | number>> = {}): Promise<SupervisedServer> {
  const pool = { pm: "static", maxThreads: 1, maxChildren: 1, slow_log: "%(here)s/slow.log", slowlog_timeout: "400ms" };
  return await SupervisedServer.start({ mode, server: { ...pool, ...options } });
}

async function slowLog({ directory }: SupervisedServer): Promise<string> {
  return await readFile(join(directory, "slow.log"), "utf8").catch(() => "");
}

describe("the slow log", () => {
  it.for(MODES)("in %s mode names the request that blocks its thread, with the stack", async (mode) => {
    server = await start(mode);
    const reply = await server.ask("/work?n=2000");
    expect(reply.status).toBe(200);
    await until(
      async () => /GET \/work.*loopForEver/s.test(await slowLog(server!)),
      () => `the entry${server!.output}`,
    );
    const text = await slowLog(server);
    expect(text).toMatch(/slow: worker \d+ of process \d+/);
    expect(text).toMatch(/\[\S+\] GET \/work\?n=2000, for (0\.[3-9]|[1-9])/);
    expect(text).toMatch(/at loopForEver \(file:.*faulty\.js:\d+:\d+\)/);
    // Once for the request, however often it is looked at; in forking mode once for the blocked loop too.
    expect(text.match(/ slow: /g)!.length).toBeLessThanOrEqual(mode === "thread" ? 1 : 2);
  });

  it.for(MODES)("in %s mode says of a request that waits that its thread is idle", async (mode) => {
    server = await start(mode);
    expect((await server.ask("/wait?n=2500")).status).toBe(200);
    await until(
      async () => (await slowLog(server!)).includes("idle"),
      () => "the entry",
    );
    expect(await slowLog(server)).toMatch(/GET \/wait\?n=2500/);
  });

  it.for(MODES)("in %s mode has the stack of a worker that is ended since it does not answer", async (mode) => {
    server = await start(mode, { stall_timeout: "2s", slowlog_timeout: 0 });
    await server.try("/loop");
    await until(
      async () => (await slowLog(server!)).includes("loopForEver"),
      () => "the entry",
    );
    expect(await slowLog(server)).toMatch(/ stalled: worker/);
    await until(
      async () => "body" in (await server!.try("/who")),
      () => "a new worker",
    );
  });

  it.for(MODES)("in %s mode says so where the call cannot be interrupted", async (mode) => {
    server = await start(mode);
    await server.ask("/exec-sleep?n=3000");
    await until(
      async () => (await slowLog(server!)).includes("cannot be interrupted"),
      () => "the entry",
    );
  });

  it.for(MODES)("in %s mode gets the stacks of all workers on SIGUSR2", async (mode) => {
    server = await start(mode, { slowlog_timeout: 0 });
    const busy = server.try("/work?n=3000");
    await sleep(500);
    server.signal("SIGUSR2");
    await until(
      async () => (await slowLog(server!)).includes("loopForEver"),
      () => "the entry",
    );
    expect(await slowLog(server)).toMatch(/ asked: worker/);
    await busy;
  });

  it.for(["stdout", "stderr"])("of the forking mode is %s where that is asked for, and no file", async (name) => {
    server = await start("fork", { slow_log: name, chdir: "%(here)s" });
    await server.ask("/work?n=1500");
    await server.said(/at loopForEver/);
    expect(await readdir(server.directory)).not.toContain(name);
  });

  it("of the forking mode stays where it was, though the app changes the working directory", async () => {
    server = await start("fork", { slow_log: "slow.log", chdir: "%(here)s" });
    await server.ask("/chdir");
    await server.ask("/work?n=1500");
    await until(
      async () => (await slowLog(server!)).includes("loopForEver"),
      () => "the entry",
    );
  });

  it("of the forking mode tells of no blockage when the whole process was stopped", async () => {
    server = await start("fork", { stall_timeout: "30s" });
    const [child] = await server.children();
    process.kill(child!, "SIGSTOP");
    await sleep(1500);
    process.kill(child!, "SIGCONT");
    expect((await server.ask("/wait?n=1")).status).toBe(200);
    await sleep(500);
    expect(await slowLog(server)).toBe("");
  });
});
