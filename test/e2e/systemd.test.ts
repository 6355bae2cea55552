/**
 * Started by systemd: sockets that it has opened, and what it is told. Its own program opens the sockets; the end of the
 * socket on which it is told is played, as that belongs to the manager of a whole machine.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { HAS_ACTIVATE, NotifySocket, Service, type Unit, ask } from "../support/service.ts";
import { sleep, until } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "bin/propylon.js");

let directory: string;
let service: Service | undefined;
let manager: NotifySocket | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-systemd-"));
  await chmod(directory, 0o755);
  await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
  await cp(join(ROOT, "test/support/apps/spawned.js"), join(directory, "app.js"));
});

afterEach(async () => {
  await service?.stop();
  manager?.close();
  service = manager = undefined;
  await rm(directory, { recursive: true, force: true });
});

const at = (name: string): string => join(directory, name);

/** Writes `app.ini` with a server of this kind. */
async function configure(use: string, ...lines: string[]): Promise<string> {
  const server = [`use = egg:propylon#${use}`, "maxThreads = 1", "maxChildren = 1", "pm = static", ...lines];
  const text = `[app:main]\nuse = call:./app.js:makeApp\n\n[server:main]\n${server.join("\n")}\n`;
  await writeFile(at("app.ini"), text);
  return at("app.ini");
}

async function start(unit: Omit<Unit, "args"> & { readonly args?: readonly string[] }): Promise<Service> {
  service = await Service.start({ args: [at("app.ini")], ...unit });
  return service;
}

describe.skipIf(!HAS_ACTIVATE)("a socket that systemd passes", () => {
  it.each(["fcgi", "fcgi_thread", "fcgi_fork"])("is found by its name: %s", async (use) => {
    await configure(use, "fd = web");
    const { output, stop } = await start({ sockets: [at("admin.sock"), at("web.sock")], names: "admin:web" });
    expect(output).toContain("Serving FastCGI on descriptor 4 (web)");
    expect(await ask({ path: at("web.sock") }, "/env")).toBe("");
    if (use !== "fcgi") {
      const from = service!.output.length;
      service!.process.kill("SIGHUP");
      await until(
        () => /reloaded$|reload failed/m.test(service!.output.slice(from)),
        () => service!.output,
      );
      expect(service!.output).not.toContain("reload failed");
      expect(JSON.parse(await ask({ path: at("web.sock") }, "/a"))).toMatchObject({ url: "/a" });
    }
    expect(await stop.call(service)).toBe(0);
  });

  it.each([
    ["by their names", { names: "a:b" }, ["fd = a", "fd = b"]],
    ["without names, by their numbers", {}, ["fd = 3", "fd = 4"]],
  ] as const)("is that of the section, of two: %s", async (_how, unit, [first, second]) => {
    const file = await configure("fcgi", first);
    await appendFile(file, `\n[server:other]\nuse = egg:propylon#scgi\n${second}\n`);
    const sockets = [at("a.sock"), 0] as const;
    await start({ sockets, ...unit });
    expect(JSON.parse(await ask({ path: at("a.sock") }, "/a"))).toMatchObject({ url: "/a" });
    expect(await service!.stop()).toBe(0);
    const { ports } = await start({ sockets, ...unit, args: [file, "--server-name", "other"] });
    expect(JSON.parse(await ask({ port: ports[1]! }, "/b", "scgi"))).toMatchObject({ url: "/b" });
  });

  it("needs no word in the section where it is the only one, also for a server that has an address by default", async () => {
    await configure("scgi");
    let answer = "";
    // It is asked before it runs: systemd keeps the request for it.
    const until = async (): Promise<void> => void (answer = await ask({ path: at("app.sock") }, "/a", "scgi"));
    await start({ sockets: [at("app.sock")], names: "app.socket", until });
    expect(JSON.parse(answer)).toMatchObject({ url: "/a" });
  });

  it("has a status that is found without the socket", async () => {
    await configure("fcgi_thread", "fd = web");
    await start({ sockets: [at("web.sock")], names: "web" });
    const { stdout } = await promisify(execFile)(process.execPath, [BIN, "status", at("app.ini")]);
    expect(stdout).toContain("running");
  });

  it.each([
    [
      "with another name",
      ["fd = wbe"],
      {},
      /app\.ini:\d+ \[server:main\] fd: no socket "wbe" was handed over: there are admin \(3\), web \(4\)$/m,
    ],
    [
      "with a name that several have",
      ["fd = web"],
      { names: "web:web" },
      /several sockets have the name web, say which by its number: there are web \(3\), web \(4\)$/m,
    ],
    ["of which nothing is said", [], {}, /say which socket is meant, by fd = NAME: there are admin \(3\), web \(4\)$/m],
    ["that is none", ["fd = 1"], {}, /descriptor 1 is no socket that listens/],
    [
      "for another process",
      ["fd = web"],
      { command: ["/bin/sh", "-c", '"$@"; exit $?', "sh", process.execPath, BIN, "serve"] },
      /those of LISTEN_FDS are for process \d+, and this is \d+: start node itself, not npx or a shell/,
    ],
    [
      "beside an address",
      ["fd = web", "port = 6500"],
      {},
      /fd: listen on the descriptor or on another address, not on both/,
    ],
  ] as const)("%s is a fault of the configuration", async (_what, lines, unit, message) => {
    await configure("fcgi_fork", ...lines);
    await start({ sockets: [at("admin.sock"), at("web.sock")], names: "admin:web", ...unit });
    expect(service!.process.exitCode).toBe(2);
    expect(service!.output).toMatch(message);
    expect(service!.output).toContain("CONFIG_BAD_VALUE");
  });
});

it("a socket that systemd should pass is none without it, which --check does not mind", async () => {
  const file = await configure("fcgi", "fd = web");
  await start({});
  expect(service!.output).toContain('no socket "web" was handed over: systemd has passed none (LISTEN_FDS is not set)');
  const check = [BIN, "serve", "--check", file];
  const { stdout } = await promisify(execFile)(process.execPath, check);
  expect(stdout).toContain("can be served by");
});

const NOTIFY = existsSync("/usr/bin/systemd-notify");

describe.skipIf(!NOTIFY)("what systemd is told", () => {
  it.each([
    ["fcgi", "path"],
    ["fcgi_thread", "path"],
    ["fcgi_fork", "@name"],
  ])("%s: ready, reloading, reloaded or not, stopping (%s)", async (use, kind) => {
    const address = kind === "path" ? at("notify") : `@${directory}`;
    manager = await NotifySocket.open(address);
    await configure(use, `socket = ${at("app.sock")}`);
    const { process: child } = await start({ env: { NOTIFY_SOCKET: address } });
    let next = await manager.heard("READY=1");
    expect(manager.messages[0]).toEqual([
      ...["READY=1", `MAINPID=${child.pid}`, `STATUS=Serving FastCGI on ${at("app.sock")}`],
    ]);
    expect(await ask({ path: at("app.sock") }, "/env")).toBe("");
    if (use !== "fcgi") {
      const before = Number(process.hrtime.bigint() / 1000n);
      child.kill("SIGHUP");
      next = await manager.heard("RELOADING=1", next);
      const [, stamp] = manager.messages[next - 1]!;
      expect(Number(/^MONOTONIC_USEC=(\d+)$/.exec(stamp!)![1])).toBeGreaterThanOrEqual(before);
      next = await manager.heard("READY=1", next);
      expect(manager.messages[next - 1]).toContain(`STATUS=Serving FastCGI on ${at("app.sock")}`);

      await configure(use, `socket = ${at("app.sock")}`, "no_such = option");
      child.kill("SIGHUP");
      next = await manager.heard("READY=1", next);
      expect(manager.messages[next - 1]![1]).toMatch(
        /^STATUS=Reload failed, what served goes on: CONFIG_UNKNOWN_OPTION/,
      );
    }
    const stopped = service!.stop();
    await manager.heard("STOPPING=1", next);
    expect(await stopped).toBe(0);
  });

  it.each([
    ["fcgi", "is in the way"],
    ["fcgi_thread", "is not in the way"],
  ])("%s: that it lives, twice as often as it wants to hear, and an app that blocks %s", async (use, what) => {
    manager = await NotifySocket.open(at("notify"));
    await configure(use, `socket = ${at("app.sock")}`);
    const env = { NOTIFY_SOCKET: at("notify"), WATCHDOG_USEC: "1000000" };
    await start({ before: "export WATCHDOG_PID=$$;", env });
    let next = await manager.heard("READY=1");
    for (let i = 0; i < 2; i++) next = await manager.heard("WATCHDOG=1", next);
    const blocked = ask({ path: at("app.sock") }, "/block");
    // What was on its way has come then.
    await sleep(1000);
    const { length } = manager.messages;
    await sleep(1200);
    if (what === "is in the way") expect(manager.messages.length).toBe(length);
    else expect(manager.messages.length).toBeGreaterThan(length);
    expect(await blocked).toBe("blocked");
    await manager.heard("WATCHDOG=1", length);
  });

  it("is nothing where the watchdog is for another process", async () => {
    manager = await NotifySocket.open(at("notify"));
    await configure("fcgi", `socket = ${at("app.sock")}`);
    const env = { NOTIFY_SOCKET: at("notify"), WATCHDOG_USEC: "100000", WATCHDOG_PID: "1" };
    await start({ env });
    await manager.heard("READY=1");
    await sleep(400);
    expect(manager.messages.flat()).not.toContain("WATCHDOG=1");
    expect(await ask({ path: at("app.sock") }, "/env")).toBe("");
  });

  it("is lost without systemd-notify, which is said once and harms nothing", async () => {
    manager = await NotifySocket.open(at("notify"));
    await configure("fcgi", `socket = ${at("app.sock")}`);
    const env = { NOTIFY_SOCKET: at("notify"), WATCHDOG_USEC: "100000", PATH: at("nowhere") };
    await start({ before: "export WATCHDOG_PID=$$;", env });
    await until(
      () => service!.output.includes("systemd is not told"),
      () => service!.output,
    );
    await sleep(300);
    expect(service!.output.match(/systemd-notify: not found|systemd is not told/g)).toHaveLength(2);
    expect(await ask({ path: at("app.sock") }, "/env")).toBe("");
    expect(await service!.stop()).toBe(0);
  });
});

describe("the example units", () => {
  const units = ["propylon@.service", "propylon@.socket"];

  /** Its lines, for the instance "hello" with the app in this test's directory. */
  async function unit(name: string): Promise<Map<string, string>> {
    const text = await readFile(join(ROOT, "examples/systemd", name), "utf8");
    const here = text
      .replaceAll("%i", "hello")
      .replaceAll("/srv/hello", directory)
      .replaceAll("/usr/bin/node", process.execPath);
    return new Map(
      here.split("\n").flatMap((line) => (/^\w+=/.test(line) ? [line.split(/=(.*)/, 2) as [string, string]] : [])),
    );
  }

  it.skipIf(!existsSync("/usr/bin/systemd-analyze"))("have no fault that systemd-analyze finds", async () => {
    for (const name of units) await cp(join(ROOT, "examples/systemd", name), at(name));
    const analyze = ["verify", "--man=no", ...units.map(at)];
    const { stdout, stderr } = await promisify(execFile)("systemd-analyze", analyze);
    expect(stdout + stderr).toBe("");
  });

  it.skipIf(!NOTIFY || !HAS_ACTIVATE)("start the app with the socket, reload it and say how that went", async () => {
    await mkdir(at("node_modules"));
    await symlink(ROOT, at("node_modules/propylon"));
    const ini = await readFile(join(ROOT, "examples/hello/hello.ini"), "utf8");
    await writeFile(at("hello.ini"), ini.replaceAll("/run/propylon/hello", directory));
    const [serviceUnit, socketUnit] = await Promise.all(units.map(unit));
    const timeout = Number(serviceUnit!.get("WatchdogSec"));
    expect(timeout).toBeGreaterThan(1);
    manager = await NotifySocket.open(at("notify"));
    const [node, ...args] = serviceUnit!.get("ExecStart")!.split(" ");
    await start({
      ...{ command: [node!], args, cwd: serviceUnit!.get("WorkingDirectory")! },
      ...{ sockets: [at("web.sock")], names: socketUnit!.get("FileDescriptorName")! },
      env: { NOTIFY_SOCKET: at("notify"), WATCHDOG_USEC: String(timeout * 1e6) },
      until: async () => await manager!.heard("READY=1"),
    });
    expect(JSON.parse(await ask({ path: at("web.sock") }, "/a"))).toMatchObject({ url: "/a" });

    const [, ...reload] = serviceUnit!.get("ExecReload")!.split(" ");
    const { length } = manager.messages;
    await promisify(execFile)(node!, reload, { cwd: directory });
    await manager.heard("RELOADING=1", length);
    await writeFile(at("hello.ini"), `${ini.replaceAll("/run/propylon/hello", directory)}\n[server:systemd]\n`);
    await expect(promisify(execFile)(node!, reload, { cwd: directory })).rejects.toMatchObject({ code: 2 });
    expect(await service!.stop()).toBe(0);
    await manager.heard("STOPPING=1");
  });
});
