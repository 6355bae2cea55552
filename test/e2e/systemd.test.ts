/** Started by systemd: sockets that it has opened, and what it is told. There is no systemd: its part is played. */
import { execFile } from "node:child_process";
import { chmod, cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { Service, type Unit, ask } from "../support/service.ts";
import { until } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

let directory: string;
let service: Service | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-systemd-"));
  await chmod(directory, 0o755);
  await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
  await cp(join(ROOT, "test/support/apps/spawned.js"), join(directory, "app.js"));
});

afterEach(async () => {
  if (service?.gone === false) await service.stop("SIGKILL");
  service = undefined;
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

describe("a socket that systemd passes", () => {
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

  it("is found by its number, and on TCP", async () => {
    await configure("fcgi", "fd = 4");
    const { ports } = await start({ sockets: [at("admin.sock"), 0] });
    expect(JSON.parse(await ask({ port: ports[1]! }, "/a"))).toMatchObject({ url: "/a" });
  });

  it("needs no word in the section where it is the only one, also for a server that has an address by default", async () => {
    await configure("scgi");
    await start({ sockets: [at("app.sock")], names: "app.socket" });
    expect(JSON.parse(await ask({ path: at("app.sock") }, "/a", "scgi"))).toMatchObject({ url: "/a" });
  });

  it("has a status that is found without the socket", async () => {
    await configure("fcgi_thread", "fd = web");
    await start({ sockets: [at("web.sock")], names: "web" });
    const bin = join(ROOT, "bin/propylon.js");
    const { stdout } = await promisify(execFile)(process.execPath, [bin, "status", at("app.ini")]);
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
      { before: "export LISTEN_PID=1;" },
      /those of LISTEN_FDS are for process 1, and this is \d+: start node itself, not npx/,
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

  it("is none without systemd, which --check does not mind", async () => {
    const file = await configure("fcgi", "fd = web");
    await start({});
    expect(service!.output).toContain(
      'no socket "web" was handed over: systemd has passed none (LISTEN_FDS is not set)',
    );
    const check = [join(ROOT, "bin/propylon.js"), "serve", "--check", file];
    const { stdout } = await promisify(execFile)(process.execPath, check);
    expect(stdout).toContain("can be served by");
  });
});
