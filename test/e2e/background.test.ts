/** `propylon serve FILE start|stop|restart|status`, and `--check`. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { sleep, variables } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "bin/propylon.js");

let directory: string;
const strangers: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-background-"));
  await cp(join(ROOT, "test/support/apps/faulty.js"), join(directory, "faulty.js"));
  await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
});

afterEach(async () => {
  await propylon("serve", "app.ini", "stop");
  for (const stranger of strangers.splice(0)) stranger.kill();
  await rm(directory, { recursive: true });
});

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function propylon(...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [BIN, ...args], { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  const code = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, out, err };
}

async function configure({ kind = "fcgi", app = "", server = "" } = {}): Promise<void> {
  await writeFile(
    join(directory, "app.ini"),
    `[app:main]\nuse = call:./faulty.js:makeApp\n${app}\n[server:main]\nuse = egg:propylon#${kind}\nsocket = %(here)s/app.sock\n${server}`,
  );
}

async function ask(path: string): Promise<string> {
  const request = { params: variables(path), headTimeout: 20_000 };
  const answer = await fastCgiRequest({ path: join(directory, "app.sock") }, request);
  return (await text(answer.body)).trim();
}

async function pid(): Promise<number> {
  return Number(await readFile(join(directory, "app.pid"), "utf8"));
}

describe("a server in the background", () => {
  it.for(["fcgi", "fcgi_fork"])("of the kind %s starts, tells, restarts and stops", async (kind) => {
    await configure({ kind });
    const started = await propylon("serve", "app.ini", "start");
    expect(started).toMatchObject({ code: 0, err: "" });
    const first = await pid();
    expect(started.out).toBe(`app.ini is served in PID ${first}; its log is ${join(directory, "app.log")}\n`);
    expect(await ask("/x")).toBe("hello GET /x");
    expect(await propylon("serve", "app.ini", "status")).toMatchObject({
      ...{ code: 0, out: `app.ini is served in PID ${first}\n` },
    });
    expect(await propylon("serve", "app.ini", "start")).toMatchObject({
      ...{ code: 1, err: `propylon: app.ini is served already, in PID ${first}, says ${join(directory, "app.pid")}\n` },
    });
    expect((await propylon("serve", "app.ini", "restart")).code).toBe(0);
    expect(await pid()).not.toBe(first);
    expect(await ask("/x")).toBe("hello GET /x");
    expect((await propylon("serve", "app.ini", "stop")).code).toBe(0);
    expect((await readdir(directory)).filter((name) => /sock|pid/.test(name))).toEqual([]);
    expect(await propylon("serve", "app.ini", "status")).toMatchObject({ code: 1, out: "" });
    expect(await readFile(join(directory, "app.log"), "utf8")).toContain("Serving FastCGI on");
  });

  it("that stops answers what it has in hand first", async () => {
    await configure({ kind: "fcgi_fork" });
    await propylon("serve", "app.ini", "--daemon");
    const slow = ask("/wait?n=1500");
    await sleep(300);
    const begun = Date.now();
    expect((await propylon("serve", "app.ini", "stop")).code).toBe(0);
    expect(Date.now() - begun).toBeGreaterThan(900);
    expect(await slow).toMatch(/^\d+ 0$/);
  });

  it("that does not come up says why, and ends with 1", async () => {
    await configure({ app: "fail = on purpose\n" });
    const started = await propylon("serve", "app.ini", "start");
    expect(started.code).toBe(1);
    expect(started.err).toMatch(/told to fail: on purpose/);
    expect(started.err).toMatch(/app\.ini is not served \(exit code 1\); the log is .*app\.log\n$/);
    await configure({ kind: "fcgi_fork", server: "max_body_byte = 7\n" });
    expect((await propylon("serve", "app.ini", "start")).err).toMatch(/CONFIG_UNKNOWN_OPTION.*app\.ini:7/);
    expect(await readdir(directory)).not.toContain("app.pid");
  });

  it("starts by restart where nothing runs, and stop says that there is nothing", async () => {
    await configure();
    expect(await propylon("serve", "app.ini", "stop")).toMatchObject({
      ...{ code: 1, err: expect.stringContaining("app.ini is not served") },
    });
    expect((await propylon("serve", "app.ini", "restart")).code).toBe(0);
    expect(await ask("/x")).toBe("hello GET /x");
  });

  it("is no process that only has the number in its pid file", async () => {
    await configure();
    const stranger = spawn("sleep", ["60"]);
    strangers.push(stranger);
    await once(stranger, "spawn");
    await writeFile(join(directory, "app.pid"), `${stranger.pid}\n`);
    expect((await propylon("serve", "app.ini", "stop")).code).toBe(1);
    expect(stranger.exitCode).toBe(null);
    expect((await propylon("serve", "app.ini", "start")).code).toBe(0);
    expect(await pid()).not.toBe(stranger.pid);
    expect(stranger.signalCode).toBe(null);
  });

  it("has the files that it is told, by option or by pid_file, and its variables", async () => {
    await configure({ kind: "fcgi_fork", app: "version = %(v)s\n", server: "pid_file = %(here)s/named.pid\n" });
    const args = ["app.ini", "start", "v=7", "--log-file", "other.log"];
    expect((await propylon("serve", ...args)).code).toBe(0);
    expect(await readdir(directory)).toEqual(expect.arrayContaining(["named.pid", "other.log"]));
    expect(JSON.parse(await ask("/who"))).toMatchObject({ version: "7" });
    expect((await propylon("serve", "app.ini", "stop", "v=7")).code).toBe(0);
    expect(await readdir(directory)).not.toContain("named.pid");
    expect((await propylon("serve", "app.ini", "start", "v=8", "--pid-file", "mine.pid")).code).toBe(0);
    expect(await readdir(directory)).toContain("mine.pid");
    expect((await propylon("serve", "app.ini", "stop", "--pid-file", "mine.pid")).code).toBe(0);
  });

  it.skipIf(process.getuid?.() !== 0)(
    "has a pid file where only root may write, though its app is not root",
    async () => {
      await chmod(directory, 0o755);
      await configure({ app: "slow = 1000\n", server: "user = www-data\n" });
      const begun = Date.now();
      expect(await propylon("serve", "app.ini", "start")).toMatchObject({ code: 0, err: "" });
      expect(Date.now() - begun).toBeGreaterThan(1000);
      expect(await ask("/home")).toMatch(/www-data www-data$/);
      expect((await propylon("serve", "app.ini", "status")).code).toBe(0);
      expect((await propylon("serve", "app.ini", "restart")).code).toBe(0);
      expect((await propylon("serve", "app.ini", "stop")).code).toBe(0);
      expect((await readdir(directory)).filter((name) => name.includes("pid"))).toEqual([]);
    },
  );

  it("is of the type that --server says, where the command line says, whatever the file has", async () => {
    await configure({ kind: "fcgi_fork", server: "pid_file = %(here)s/other.pid\n" });
    const args = ["app.ini", "start", "--server", "scgi", `socket=${join(directory, "mine.sock")}`];
    expect((await propylon("serve", ...args)).code).toBe(0);
    expect(await readFile(join(directory, "app.log"), "utf8")).toContain("Serving SCGI on");
    expect((await readdir(directory)).filter((name) => /sock|pid/.test(name)).sort()).toEqual(["app.pid", "mine.sock"]);
    expect((await propylon("serve", "app.ini", "stop", "--server", "scgi")).code).toBe(0);
  });

  it("refuses a type of server that there is not, and one beside --server-name", async () => {
    await configure();
    expect(await propylon("serve", "app.ini", "--server", "fcgi_thred")).toMatchObject({
      ...{
        code: 2,
        err: expect.stringContaining('no server or serverRunner "fcgi_thred", did you mean "fcgi_thread"?'),
      },
    });
    expect(await propylon("serve", "app.ini", "--server", "http", "--server-name", "x")).toMatchObject({
      ...{ code: 2, err: expect.stringContaining("cannot be used with option '--server-name") },
    });
  });

  it("is needed for --log-file", async () => {
    await configure();
    expect(await propylon("serve", "app.ini", "--log-file", "x")).toMatchObject({
      ...{ code: 2, err: expect.stringContaining("--log-file is for a server in the background") },
    });
  });
});

describe("serve --check", () => {
  it.for(["fcgi", "fcgi_thread", "fcgi_fork"])("of the kind %s loads all and binds nothing", async (kind) => {
    await configure({ kind });
    const checked = await propylon("serve", "app.ini", "--check");
    expect(checked).toMatchObject({ code: 0, err: "" });
    expect(checked.out).toBe(`"makeApp" of ./faulty.js can be served by propylon#${kind}\n`);
    expect(await readdir(directory)).not.toContain("app.sock");
  });

  it("finds a fault in the app, and in the server's options", async () => {
    await configure({ kind: "fcgi_thread", app: "fail = on purpose\n" });
    expect(await propylon("serve", "app.ini", "--check")).toMatchObject({
      ...{ code: 1, err: expect.stringContaining("on purpose") },
    });
    await configure({ server: "max_body_byte = 7\n" });
    expect(await propylon("serve", "app.ini", "--check")).toMatchObject({
      ...{ code: 2, err: expect.stringContaining("CONFIG_UNKNOWN_OPTION") },
    });
  });
});
