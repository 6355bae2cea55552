/** What a server with workers tells of itself, from outside: `propylon status` and `propylon reload`. */
import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import type { StatusReport } from "../../dist/report.js";
import { afterEach, describe, expect, it } from "vitest";

import { freePort } from "../support/front.ts";
import { readOpenMetrics } from "../support/openmetrics.ts";
import { SupervisedServer, until } from "../support/supervised.ts";

const BIN = fileURLToPath(new URL("../../bin/propylon.js", import.meta.url));
const TWO = { pm: "static", maxChildren: 2 };

let server: SupervisedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function propylon(...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const code = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, out, err };
}

describe("propylon status", () => {
  it("shows a server's workers, and exits with 0", async () => {
    server = await SupervisedServer.start({ mode: "fork", server: TWO });
    await server.ask("/who");
    const { code, out, err } = await propylon("status", server.file);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^FastCGI on \/.*\/app\.sock: running\n/);
    expect(out).toContain(`fork mode, pid ${server.process.pid}\n`);
    expect(out).toContain("workers      2 (2 ready)\n");
    for (const pid of await server.children()) expect(out).toMatch(new RegExp(`^ *\\d+ +${pid} +1 +ready `, "m"));
  });

  it("gives JSON and OpenMetrics, by the file and by the socket", async () => {
    server = await SupervisedServer.start({ mode: "fork", server: TWO });
    const json = await propylon("status", server.file, "--json");
    expect(JSON.parse(json.out)).toMatchObject({
      ...{ mode: "fork", state: "running", generation: 1, file: server.file, pid: server.process.pid },
      reload: { count: 0, failed: 0, last: null },
    });
    const metrics = await propylon("status", "--metrics", "--socket", join(server.directory, "app.sock.status"));
    const ready = readOpenMetrics(metrics.out).get("propylon_workers")?.samples;
    expect(ready?.find(({ labels }) => labels["state"] === "ready")?.value).toBe(2);
  });

  it("answers while all workers are stuck, and exits with 3", async () => {
    server = await SupervisedServer.start({ mode: "fork", server: TWO });
    const { file } = server;
    const stuck: Promise<unknown>[] = [];
    // A worker that is not stuck yet may take two connections at once; so the second waits for the first.
    for (const [number, code] of [
      [1, 0],
      [2, 3],
    ] as const) {
      stuck.push(server.try("/loop"));
      let last: Run | undefined;
      await until(
        async () => {
          last = await propylon("status", file);
          return last.out.match(/ready, stuck\?/g)?.length === number;
        },
        () => `${number} to be stuck: ${last?.out}`,
      );
      expect(last).toMatchObject({ code, out: expect.stringContaining(`${number} not answering`) });
    }
    expect((await propylon("status", file)).out).toMatch(/: running, not ready\n/);
    const from = server.output.length;
    server.signal("SIGTERM");
    await server.said(/answering what is in hand/, from);
    await server.stop();
    await Promise.all(stuck);
  });

  it("shows the threads of a threaded server, what each has in hand and what waits, also when all are stuck", async () => {
    const pool = { pm: "static", maxThreads: 2, concurrency: 1, slowlog_timeout: 0 };
    server = await SupervisedServer.start({ mode: "thread", server: pool });
    const { file } = server;
    const report = async (): Promise<StatusReport> =>
      JSON.parse((await propylon("status", file, "--json")).out) as StatusReport;
    const asked = ["/work?n=8000", "/work?n=8000", "/wait?n=1"].map(async (path) => await server!.try(path));
    await until(
      async () => (await report()).queue.length === 1,
      () => "one to wait",
    );
    const { mode, workers, processes } = await report();
    expect(mode).toBe("thread");
    expect(workers.map(({ inFlight, requests }) => [inFlight, requests[0]?.url])).toEqual([
      [1, "/work?n=8000"],
      [1, "/work?n=8000"],
    ]);
    expect(processes.map(({ pid }) => pid)).toEqual(await server.children());
    await until(
      async () => (await report()).workers.every(({ suspect }) => suspect),
      () => "both to be noticed",
    );
    expect((await propylon("status", file)).out).toContain("GET /work?n=8000");
    expect((await Promise.all(asked)).map((reply) => "status" in reply && reply.status)).toEqual([200, 200, 200]);
  });

  it("exits with 1 where no server answers and says what was tried", async () => {
    server = await SupervisedServer.start({ mode: "fork" });
    const { file, directory } = server;
    await server.configure({ server: { status_socket: join(directory, "elsewhere") } });
    expect(await propylon("status", file)).toEqual({
      ...{ code: 1, out: "" },
      err: `propylon: no server answers; tried ${directory}/elsewhere: there is no such socket (ENOENT)\n`,
    });
  });

  it.each([
    [[], "name the server's FILE.ini, or its --socket"],
    [["does-not-exist.ini"], "CONFIG_NOT_FOUND"],
    [["--json", "--metrics", "--socket", "x"], "cannot be used with option"],
    [["--watch", "x.ini"], '"x.ini" is no number of seconds'],
    [["--watch=0", "--socket", "x"], '"0" is no number of seconds'],
  ])("exits with 2 for %j", async (args, message) => {
    const { code, err } = await propylon("status", ...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  it("watches, with rates, goes on where the server goes away, and ends with SIGINT", async () => {
    server = await SupervisedServer.start({ mode: "fork", server: TWO });
    const child = spawn(process.execPath, [BIN, "status", server.file, "--watch", "0.1"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => void (out += String(chunk)));
    const seen = async (pattern: RegExp): Promise<void> =>
      await until(
        () => pattern.test(out),
        () => `${pattern} in ${out}`,
      );
    await server.ask("/who");
    await seen(/^rate +\d+\.\d requests\/s$/m);
    await server.stop();
    await seen(/no server answers; tried .*ENOENT[^]*no server answers/);
    const code = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    expect(await code).toBe(0);
    expect(out).not.toContain("\x1b");
  });

  it("is served on an address of its own, and taken away with the server", async () => {
    const port = await freePort();
    server = await SupervisedServer.start({
      ...{ mode: "fork", transport: "tcp", server: { ...TWO, status_listen: `127.0.0.1:${port}` } },
    });
    const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { Accept: "text/html" } });
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(await page.text()).toContain("<title>running - FastCGI on ");
    expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
    expect(await readdir(server.directory)).toContain("app.status");
    const stopped = server;
    const exit = new Promise((resolve) => stopped.process.once("exit", resolve));
    stopped.signal("SIGTERM");
    await exit;
    expect(await readdir(stopped.directory)).not.toContain("app.status");
  });

  it("that cannot be served is a warning", async () => {
    server = await SupervisedServer.start({ mode: "fork", server: { status_socket: "/proc/nowhere/status" } });
    expect(server.output).toMatch(/ warn no status: /);
    expect((await server.who()).version).toBe("0");
  });

  it("that is badly configured keeps the server from starting", async () => {
    server = await SupervisedServer.start({ mode: "fork", server: { status_listen: "9000" } });
    expect(server.output).toMatch(/CONFIG_BAD_VALUE: .*app\.ini:\d+ \[server:main\] status_listen:/);
    expect(server.process.exitCode).toBe(2);
  });
});

describe("propylon reload", () => {
  it("waits for the new configuration to serve", async () => {
    server = await SupervisedServer.start({ mode: "fork", app: { version: 1 } });
    await server.configure({ app: { version: 2, slow: 500 } });
    expect(await propylon("reload", server.file)).toEqual({
      ...{ code: 0, out: "generation 2 serves (before: 1)\n", err: "" },
    });
    expect((await server.who()).version).toBe("2");
  });

  it("exits with 1 where it fails, and says why", async () => {
    server = await SupervisedServer.start({ mode: "fork", app: { version: 1 } });
    await server.configure({ app: { version: 2, fail: "on purpose" } });
    const { code, out, err } = await propylon("reload", server.file);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/^propylon: reload failed, generation 1 goes on: .*told to fail: on purpose/);
    expect((await server.who()).version).toBe("1");
    expect((await propylon("status", server.file)).out).toContain("told to fail: on purpose");
  });

  it("follows a server that moves", async () => {
    server = await SupervisedServer.start({ mode: "fork" });
    const { file, directory } = server;
    const [before, after] = [join(directory, "app.sock.status"), join(directory, "other.sock.status")];
    await server.configure({ server: { status_socket: after } });
    expect(await propylon("reload", file)).toMatchObject({ code: 1, err: expect.stringContaining(after) });
    expect(await propylon("reload", file, "--socket", before)).toMatchObject({ code: 0 });
    expect(await propylon("status", file)).toMatchObject({ code: 0 });
    expect(await readdir(directory)).not.toContain("app.sock.status");
  });

  it("gives up in the end", async () => {
    server = await SupervisedServer.start({ mode: "fork" });
    await server.configure({ app: { slow: 4000 } });
    const { code, err } = await propylon("reload", server.file, "--timeout", "0.5");
    expect({ code, err }).toEqual({
      ...{ code: 1, err: "propylon: the reload has not ended within 0.5 s; it is still under way\n" },
    });
  });
});
