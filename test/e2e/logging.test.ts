/** The `[loggers]` of a configuration in every mode, for an app that has propylon from its own node_modules. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { until, variables } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const APP = `
import { getLogger, onWorkerStop } from "propylon";
const log = getLogger("wiki.pages");
onWorkerStop(() => log.info("stopping"));
export const makeApp = () => (req, res) => {
  log.info("asked for %s", req.url);
  log.debug("below its level");
  console.log("by console");
  res.end("answered");
};
`;

const LOGGING = `
[loggers]
keys = root, wiki

[handlers]
keys = file

[formatters]
keys = generic

[logger_root]
level = WARN
handlers = file

[logger_wiki]
level = INFO
handlers =
qualname = wiki

[handler_file]
class = FileHandler
args = ('%(here)s/app.log', 'a')
formatter = generic

[formatter_generic]
format = %(levelname)-5.5s [%(name)s] [%(threadName)s] %(message)s
`;

let directory: string;
let child: ChildProcess | undefined;
let output: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-logging-"));
  await mkdir(join(directory, "node_modules"));
  await symlink(ROOT, join(directory, "node_modules/propylon"));
  await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
  await writeFile(join(directory, "app.js"), APP);
});

afterEach(async () => {
  if (child !== undefined && child.exitCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await rm(directory, { recursive: true, force: true });
});

async function serve(kind: string, logging = LOGGING): Promise<void> {
  const server = `use = egg:propylon#${kind}\nsocket = %(here)s/app.sock\npm = static\nmaxThreads = 1\nmaxChildren = 1\n`;
  const file = join(directory, "app.ini");
  await writeFile(file, `[app:main]\nuse = call:./app.js:makeApp\n[server:main]\n${server}${logging}`);
  child = spawn(process.execPath, [join(ROOT, "bin/propylon.js"), "serve", file], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  output = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (chunk: Buffer) => void (output += String(chunk)));
  await until(
    () => output.includes("Serving ") || child!.exitCode !== null,
    () => output,
  );
}

async function ask(path: string): Promise<void> {
  const answer = await fastCgiRequest({ path: join(directory, "app.sock") }, { params: variables(path) });
  expect(await text(answer.body)).toBe("answered");
}

async function logged(): Promise<string> {
  return await readFile(join(directory, "app.log"), "utf8").catch(() => "");
}

describe("logging sections", () => {
  it.for([
    ["fcgi", "MainThread"],
    ["fcgi_thread", "worker-1"],
    ["fcgi_fork", "worker-1"],
  ] as const)("of %s write by their levels, name the worker, and go on after SIGUSR1", async ([kind, worker]) => {
    await serve(kind);
    await ask("/one");
    await until(
      async () => (await logged()).includes("/one"),
      () => output,
    );
    expect(await logged()).toBe(`INFO  [wiki.pages] [${worker}] asked for /one\n`);
    await rename(join(directory, "app.log"), join(directory, "app.log.1"));
    child!.kill("SIGUSR1");
    await until(
      async () => {
        await ask("/again");
        return (await logged()).includes("/again");
      },
      () => output,
    );
    child!.kill("SIGTERM");
    const [code] = (await once(child!, "exit")) as [number];
    expect(code).toBe(0);
    expect(await logged()).toContain(`INFO  [wiki.pages] [${worker}] stopping\n`);
    expect(output).not.toMatch(/ error /);
  });

  it("with a fault end the start, before the app is loaded, and say where it stands", async () => {
    await serve("fcgi_thread", LOGGING.replace("handlers = file", "handlers = fil"));
    await until(
      () => child!.exitCode !== null,
      () => output,
    );
    expect(child!.exitCode).toBe(2);
    expect(output).toMatch(
      /CONFIG_BAD_VALUE.*app\.ini:\d+ \[logger_root\] handlers: there is no handler "fil".*"file"/,
    );
  });
});
