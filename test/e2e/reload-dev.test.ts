/** `propylon serve --reload`: what starts a server anew, and what does not. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, expect, describe, it } from "vitest";

import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { sleep, until, variables } from "../support/supervised.ts";

const BIN = fileURLToPath(new URL("../../bin/propylon.js", import.meta.url));

let directory: string;
let server: ChildProcess;
let output: string;

const write = async (name: string, content: string): Promise<void> => await writeFile(join(directory, name), content);
const app = (word: string): string =>
  `export const makeApp = (g, { more = "" }) => async (req, res) => { if (req.url === "/hang") return void res.write("x"); if (req.url === "/spin") for (;;); res.end("${word}" + more + " " + process.pid); };`;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-reload-"));
  await mkdir(join(directory, "lib"));
  await mkdir(join(directory, "node_modules", "other"), { recursive: true });
  await write("package.json", '{ "name": "watched", "type": "module" }\n');
  await write("lib/app.js", app("one"));
  await configure("fcgi_thread");
  output = "";
});

afterEach(async () => {
  if (server.exitCode === null && server.signalCode === null) {
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
    await until(
      async () => !(await readdir(directory)).includes("app.sock"),
      () => "the server to notice",
    );
  }
  await rm(directory, { recursive: true });
});

async function configure(kind: string, more = ""): Promise<void> {
  await write(
    "app.ini",
    `[app:main]\nuse = call:./lib/app.js:makeApp\n${more}\n[server:main]\nuse = egg:propylon#${kind}\nsocket = %(here)s/app.sock\nstart_timeout = 20\n`,
  );
}

async function start(...args: string[]): Promise<void> {
  server = spawn(process.execPath, [BIN, "serve", "app.ini", "--reload", ...args], { cwd: directory });
  for (const stream of [server.stdout!, server.stderr!])
    stream.on("data", (chunk: Buffer) => (output += String(chunk)));
  await said(/Serving /);
}

async function said(pattern: RegExp): Promise<void> {
  await until(
    () => pattern.test(output),
    () => `${pattern} in\n${output}`,
  );
  output = "";
}

async function ask(path = "/"): Promise<string> {
  return await text((await fastCgiRequest({ path: join(directory, "app.sock") }, { params: variables(path) })).body);
}

describe("serve --reload", () => {
  it.for(["fcgi", "fcgi_thread"])("starts a %s server anew when code, file or package.json change", async (kind) => {
    await configure(kind);
    await start();
    expect(await ask()).toMatch(/^one \d+$/);
    await write("lib/app.js", app("two"));
    await said(/lib\/app\.js changed: starting anew[^]*Serving /);
    expect(await ask()).toMatch(/^two \d+$/);
    await configure(kind, "more = !");
    await said(/app\.ini changed: starting anew[^]*Serving /);
    expect(await ask()).toMatch(/^two! \d+$/);
    await write("package.json", '{ "name": "watched", "type": "module", "version": "1.0.1" }\n');
    await said(/package\.json changed: starting anew[^]*Serving /);
    const told = await ask();
    for (const name of ["data.db", "lib/page.html", "node_modules/other/index.js", "app.log"]) await write(name, "x");
    await sleep(800);
    expect(output).toBe("");
    expect(await ask()).toBe(told);
    server.kill("SIGINT");
    expect(await once(server, "exit")).toEqual([0, null]);
    expect(await readdir(directory)).not.toContain("app.sock");
  });

  it("waits for a change where the new code fails, and cuts short what is in hand", async () => {
    await start();
    const hangs = ask("/hang").catch((error: unknown) => String(error));
    await sleep(200);
    await write("lib/app.js", "export const makeApp = () => { throw new Error('not yet'); };");
    await said(/not yet[^]*the server ended \(exit code 1\); a change starts it anew/);
    await hangs;
    await write("app.ini", "nonsense\n");
    await said(/CONFIG_SYNTAX[^]*the server ended \(exit code 2\)/);
    await write("lib/app.js", app("three"));
    await configure("fcgi");
    await said(/Serving /);
    expect(await ask()).toMatch(/^three /);
  });

  it("starts anew, and ends at the second ^C, though the app hears of nothing in an endless loop", async () => {
    await configure("fcgi");
    await start();
    const spin = async (): Promise<void> => {
      void ask("/spin").catch(() => {});
      await sleep(200);
    };
    await spin();
    await write("lib/app.js", app("two"));
    await said(/lib\/app\.js changed: starting anew[^]*Serving /);
    expect(await ask()).toMatch(/^two /);
    await spin();
    const ended = once(server, "exit");
    server.kill("SIGINT");
    await sleep(200);
    server.kill("SIGINT");
    expect(await ended).toEqual([130, null]);
  });

  it("takes its server along when it is killed", async () => {
    await start();
    server.kill("SIGKILL");
    await until(
      async () => !(await readdir(directory)).includes("app.sock"),
      () => "the server to notice",
    );
  });

  it.for([
    [["start"], "--reload is for a server in the foreground"],
    [["--check"], "option '--reload' cannot be used with option '--check'"],
  ] as const)("is refused with %j", async ([args, wording]) => {
    server = spawn(process.execPath, [BIN, "serve", "app.ini", "--reload", ...args], { cwd: directory });
    const [told] = await Promise.all([text(server.stderr!), once(server, "exit")]);
    expect(told).toContain(wording);
    expect(server.exitCode).toBe(2);
  });
});
