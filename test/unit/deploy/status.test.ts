import { once } from "node:events";
import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { type Socket, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { findStatus } from "../../../src/deploy/find-server.ts";
import { type GatewayPlan, type Mode, readPlan } from "../../../src/deploy/plan.ts";
import { statusAddress, statusListen } from "../../../src/deploy/status-address.ts";
import { statusOf } from "../../../src/deploy/status.ts";
import { StatusDoors } from "../../../src/deploy/status-doors.ts";
import { type Logger, silentLogger } from "../../../src/log.ts";
import { fetchStatus } from "../../../src/status/client.ts";
import { freePort } from "../../support/front.ts";
import { isReady } from "../../../src/status/ready.ts";
import { usualReport, usualWorker } from "../../support/status-reports.ts";

let directory: string;
const warnings: string[] = [];
const log: Logger = { ...silentLogger, warn: (text) => void warnings.push(text) };

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "propylon-status-")));
  warnings.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true }));

function plan(options: Record<string, string>, mode: Mode = "fork"): GatewayPlan {
  return readPlan({ protocol: "fastcgi", mode }, {}, options, { log: silentLogger, placeOf: () => ({}) });
}

describe("the address of the status", () => {
  it("is what the section says, else beside the socket, else beside the file", () => {
    expect(statusAddress(plan({ socket: "/run/a.sock", status_socket: "/run/s" }), "/etc/a.ini")).toEqual({
      path: "/run/s",
    });
    expect(statusAddress(plan({ socket: "/run/a.sock" }), "/etc/a.ini")).toEqual({ path: "/run/a.sock.status" });
    expect(statusAddress(plan({ port: "1" }), "/etc/a.ini")).toEqual({ path: "/etc/a.status" });
    expect(statusAddress(plan({ port: "1" }), "/etc/a.conf")).toEqual({ path: "/etc/a.conf.status" });
    expect(statusAddress(plan({ port: "1" }), null)).toBeNull();
  });

  it("is an address and port too where the section says so", () => {
    const listen = (text: string): unknown => statusListen(plan({ port: "1", status_listen: text }));
    expect(statusListen(plan({ port: "1" }))).toBeNull();
    expect(listen("127.0.0.1:9000")).toEqual({ host: "127.0.0.1", port: 9000 });
    expect(listen("[::1]:9000")).toEqual({ host: "[::1]", port: 9000 });
    for (const wrong of ["9000", ":9000", "localhost", "localhost:", "localhost:65536", "::1:80", "a:b:1"]) {
      expect(() => listen(wrong)).toThrow(/CONFIG_BAD_VALUE: status_listen:/);
    }
  });
});

describe("findStatus", () => {
  const write = (server: string): void => {
    writeFileSync(
      join(directory, "app.ini"),
      `[app:main]\nuse = call:./is-not-there.js:makeApp\n[server:main]\n${server}\n` +
        `[server:dev]\nuse = egg:propylon#fcgi_thread\nsocket = %(where)s/dev.sock\n`,
    );
    writeFileSync(join(directory, "foreign.cjs"), 'throw new Error("code that is not to be loaded");');
  };
  const find = async (serverName?: string, globalConf = {}): Promise<unknown> =>
    await findStatus("app.ini", { relativeTo: directory, serverName, globalConf });

  it("reads the server's section alone, with its variables", async () => {
    write("use = egg:propylon#scgi_fork\nport = 1");
    expect(await find()).toEqual({ path: join(directory, "app.status") });
    expect(await find("dev", { where: "/run" })).toEqual({ path: "/run/dev.sock.status" });
    await expect(find("none")).rejects.toMatchObject({ code: "CONFIG_NO_SECTION" });
  });

  it("finds that of a server that is handed its socket, though here is none", async () => {
    write("use = egg:propylon#fcgi_thread");
    expect(await find()).toEqual({ path: join(directory, "app.status") });
  });

  it.each([
    ["without workers", "use = egg:propylon#fcgi\nport = 1"],
    ["of somebody's code", "use = call:./foreign.cjs:serve"],
    ["of HTTP", "use = egg:propylon#http\nport = 1"],
  ])("says that a server %s has no status", async (_title, server) => {
    write(server);
    await expect(find()).rejects.toMatchObject({
      ...{ code: "CONFIG_NOT_SUPPORTED", place: { section: "server:main" } },
      message: expect.stringMatching(/neither status nor reload .*; "propylon serve FILE\.ini status"/) as string,
    });
  });
});

describe("the status of threads", () => {
  const { memory, loop } = usualWorker();
  const gateway = (changes: Record<string, unknown>): unknown => ({
    ...{ id: 1, pid: 4001, state: "ready", heardAt: Date.now(), ...changes },
    report: {
      ...{ connections: 1, memory, loop },
      threads: { workers: [usualWorker()], zombies: 0, queue: { length: 2, limit: 10, oldest: Number(changes["id"]) } },
    },
  });
  const status = (...processes: unknown[]): ReturnType<typeof statusOf> => {
    const site = { work: { plan: plan({ port: "1" }, "thread") } };
    const told = { site, processes, where: "", state: "running", generation: 1, slowLog: [], counters: {} };
    const more = { reloads: { report: {} }, backoff: { failures: 0 }, startedAt: 0 };
    return statusOf({ ...told, ...more } as unknown as Parameters<typeof statusOf>[0], null);
  };

  it("is that they do not answer where their gateway process does not, or leaves", () => {
    expect(isReady(status(gateway({})))).toBe(true);
    const silent = status(gateway({ heardAt: Date.now() - 3000 }));
    expect(silent.workers).toMatchObject([{ suspect: true }]);
    expect(isReady(silent)).toBe(false);
    expect(isReady(status(gateway({ state: "draining" })))).toBe(false);
    expect(isReady(status(gateway({ state: "killed" }), gateway({ id: 2, pid: 4002 })))).toBe(true);
  });

  it("does not tell the secret", () => {
    expect(status().limits).toHaveProperty("packet_size");
    expect(status().limits).not.toHaveProperty("secret");
  });

  it("has the queues of all gateway processes", () => {
    expect(status(gateway({ id: 1 }), gateway({ id: 2 })).queue).toEqual({ length: 4, limit: 20, oldest: 2 });
    expect(status().queue).toEqual({ length: 0, limit: 0, oldest: 0 });
  });
});

describe("StatusDoors", () => {
  const open = (): StatusDoors =>
    new StatusDoors({ report: () => usualReport(), expectProbe: () => {}, file: null, log });
  const socket = (name: string): Record<string, string> => ({ socket: join(directory, name) });

  it("move with the configuration, and one that stays the same stays open", async () => {
    const doors = open();
    const listen = `127.0.0.1:${await freePort()}`;
    await doors.follow(plan({ ...socket("a"), status_listen: listen }));
    const kept = await connected(Number(listen.split(":")[1]));
    await doors.follow(plan({ ...socket("b"), status_listen: listen }));
    expect(readdirSync(directory)).toEqual(["b.status"]);
    expect((await fetchStatus({ path: join(directory, "b.status") })).pid).toBe(usualReport().pid);
    expect(kept.destroyed).toBe(false);
    doors.close();
    await once(kept.resume(), "close");
    expect(readdirSync(directory)).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it("that cannot be opened are a warning", async () => {
    const other = createServer().listen(join(directory, "a.status"));
    await once(other, "listening");
    const doors = open();
    await doors.follow(plan(socket("a")));
    expect(warnings).toEqual([expect.stringMatching(/^no status: LISTEN_IN_USE: .*a\.status is being served/)]);
    await doors.follow(plan(socket("none/b")));
    expect(warnings).toHaveLength(2);
    doors.close();
    other.close();
  });

  it("stay shut once they are closed, though a change was under way", async () => {
    const doors = open();
    const change = doors.follow(plan(socket("a")));
    const next = doors.follow(plan(socket("b")));
    doors.close();
    await Promise.all([change, next]);
    expect(readdirSync(directory)).toEqual([]);
  });
});

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}
