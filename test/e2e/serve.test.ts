import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { type Front, freePort, INSTALLED, type ServerName, startWebServer } from "../support/front.ts";
import { call } from "../support/http-client.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const COMMAND = join(ROOT, "bin/propylon.js");

/** `propylon serve` on a copy of the hello example, its places put where a test may use them. */
let directory: string;
let socket: string;
let port: number;
let command: ChildProcess | undefined;
let output: string;
let front: Front | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-serve-"));
  await chmod(directory, 0o755);
  await cp(join(ROOT, "examples/hello"), directory, { recursive: true });
  await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
  socket = join(directory, "app.sock");
  port = await freePort();
  const file = join(directory, "hello.ini");
  const text = (await readFile(file, "utf8"))
    .replaceAll("/run/propylon/app.sock", socket)
    .replaceAll(/port = \d+/g, `port = ${port}`)
    // Only root may give the socket to the web server's group.
    .replaceAll("socket_group = www-data", "socket_mode = 0666");
  await writeFile(file, text);
  output = "";
});

afterEach(async () => {
  await front?.stop();
  front = undefined;
  if (command !== undefined && command.exitCode === null && command.signalCode === null) {
    command.kill("SIGKILL");
    await once(command, "exit");
  }
  command = undefined;
  await rm(directory, { recursive: true, force: true });
});

describe("propylon serve", () => {
  const cases: [ServerName, string, string, string][] = [
    ["apache", "apache-examples/mod_proxy_fcgi-unix.conf", "main", "/"],
    ["apache", "apache-examples/mod_proxy_fcgi-tcp-james.conf", "tcp", "/james"],
    ["lighttpd", "examples/lighttpd/fastcgi-unix-james.conf", "main", "/james"],
    ["lighttpd", "examples/lighttpd/scgi-tcp.conf", "scgi", "/"],
    ["apache", "apache-examples/mod_proxy_ajp-tcp.conf", "ajp", "/"],
    ["nginx", "examples/nginx/fastcgi-tcp.conf", "tcp", "/"],
    ["nginx", "examples/nginx/scgi-tcp-james.conf", "scgi", "/james"],
    ["nginx", "examples/nginx/fastcgi-unix.conf", "thread", "/"],
    ["lighttpd", "examples/lighttpd/fastcgi-unix-james.conf", "thread", "/james"],
    ["apache", "apache-examples/mod_proxy_fcgi-tcp-james.conf", "fork", "/james"],
  ];
  it.for(cases)(
    "puts the hello example behind %s with %s, [server:%s], at %s",
    async ([name, config, serverName, mount], { skip }) => {
      skip(!INSTALLED.has(name), `${name} is not installed`);
      await serve("--server-name", serverName);
      front = await startWebServer({
        name,
        config: join(ROOT, config),
        values: { BACKEND_PORT: port, SOCKET: socket },
      });
      const answer = await call(front.url, { path: `${mount === "/" ? "" : mount}/some/page?q=1` });
      expect(answer.status).toBe(200);
      expect(String(answer.body)).toBe(`Hello from /some/page?q=1, mounted at ${mount}\n`);
    },
  );

  it("puts the hello example below a prefix by a filter", async () => {
    await serve("--server-name", "http", "--app-name", "james");
    const answer = await call(`http://127.0.0.1:${port}`, { path: "/james/some/page?q=1" });
    expect(String(answer.body)).toBe("Hello from /some/page?q=1, mounted at /james\n");
  });

  it("ends with 0 on SIGTERM and removes its socket", async () => {
    const child = await serve();
    await expect(stat(socket)).resolves.toBeDefined();
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    await expect(stat(socket)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("takes over from a process that was killed and left its socket behind", async () => {
    const first = await serve();
    first.kill("SIGKILL");
    await once(first, "exit");
    await expect(stat(socket)).resolves.toBeDefined();
    const second = await serve();
    second.kill("SIGTERM");
    expect(await once(second, "exit")).toEqual([0, null]);
  });

  it("does not take a socket from a process that lives", async () => {
    await serve();
    const second = start();
    const [code] = (await once(second, "exit")) as [number];
    expect(code).not.toBe(0);
    expect(output).toContain("LISTEN_IN_USE");
    await expect(stat(socket)).resolves.toBeDefined();
  });

  it("names file, section and line of an option that it does not know, and ends with 2", async () => {
    const file = join(directory, "hello.ini");
    await writeFile(file, (await readFile(file, "utf8")).replace("socket_mode = 0666", "soket_mode = 0666"));
    const child = start();
    expect(await once(child, "exit")).toEqual([2, null]);
    expect(output).toContain("CONFIG_UNKNOWN_OPTION");
    expect(output).toMatch(/hello\.ini:\d+/);
    expect(output).toContain("[server:main]");
    expect(output).toContain("socket_mode");
  });
});

function start(...flags: string[]): ChildProcess {
  const child = spawn(process.execPath, [COMMAND, "serve", join(directory, "hello.ini"), ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.on("data", (chunk: Buffer) => void (output += String(chunk)));
  child.stderr.on("data", (chunk: Buffer) => void (output += String(chunk)));
  return child;
}

async function serve(...flags: string[]): Promise<ChildProcess> {
  output = "";
  command = start(...flags);
  await vi.waitFor(() => expect(output).toContain("Serving"), { timeout: 10_000, interval: 20 });
  return command;
}
