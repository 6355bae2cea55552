/** What changes while requests are being served: reloads, recycling, killed workers, signals. */
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { BusyConnections } from "../support/busy-connections.ts";
import { type Front, INSTALLED, type ServerName, startWebServer } from "../support/front.ts";
import { HttpLoad } from "../support/http-load.ts";
import {
  type Finished,
  type Mode,
  type Protocol,
  type SupervisedServer,
  sleep,
  startFor,
  until,
} from "../support/supervised.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const MODES: readonly Mode[] = ["thread", "fork"];
const PROTOCOLS: readonly Protocol[] = ["fastcgi", "scgi"];
const both = MODES.flatMap((mode) => PROTOCOLS.map((protocol): [Mode, Protocol] => [mode, protocol]));
/** GETs that take a while, downloads, and POSTs, which no front sends twice. */
const PATHS = ["/wait?n=5", "/download?n=100000", "/upload"];

describe.concurrent("a reload", () => {
  it.for(both)(
    "in %s mode over %s, twenty times under load, fails no request",
    { timeout: 120_000 },
    async ([mode, protocol], { onTestFinished }) => {
      const server = await startFor(
        {
          ...{ mode, protocol, transport: protocol === "scgi" ? "tcp" : "unix" },
          // Kept connections are never silent here, and stay with the process that has them until then.
          server: { pm: "static", maxThreads: 2, maxChildren: 2, graceful_timeout: "2m" },
        },
        onTestFinished,
      );
      const busy = new BusyConnections(server.target, protocol, { paths: PATHS });
      onTestFinished(async () => await busy.stop());
      for (let version = 1; version <= 20; version++) {
        await server.configure({ app: { version } });
        await server.reload();
        // A process of the old generation may take a connection or two until it has heard of it.
        await until(
          async () => (await server.who()).version === String(version),
          () => `version ${version}`,
        );
      }
      await busy.stop();
      expect(busy.failures, server.output.slice(-2000)).toEqual([]);
      expect(busy.answered).toBeGreaterThan(200);
      expect(server.output).not.toMatch(/ error /);
    },
  );

  it.for(MODES)(
    "in %s mode that cannot load the app leaves the old one serving and says why",
    async (mode, { onTestFinished }) => {
      const server = await startFor({ mode, app: { version: 1 } }, onTestFinished);
      await server.configure({ app: { version: 2, fail: "on purpose" } });
      const from = server.output.length;
      await server.reload();
      expect(server.output.slice(from)).toMatch(/reload failed.*told to fail: on purpose/s);
      expect((await server.who()).version).toBe("1");
      await server.configure({ app: { version: 3 } });
      await server.reload();
      expect((await server.who()).version).toBe("3");
    },
  );

  it.for(MODES)(
    "in %s mode of a broken configuration leaves the old one serving and names file and line",
    async (mode, { onTestFinished }) => {
      const server = await startFor({ mode, app: { version: 1 } }, onTestFinished);
      await server.configure({ server: { max_body_byte: 7 } });
      const from = server.output.length;
      await server.reload();
      expect(server.output.slice(from)).toMatch(/reload failed.*CONFIG_UNKNOWN_OPTION.*app\.ini:\d+/s);
      expect((await server.who()).version).toBe("1");
    },
  );

  it.for(MODES)("in %s mode changes to another address", async (mode, { onTestFinished }) => {
    const server = await startFor({ mode }, onTestFinished);
    const path = join(server.directory, "other.sock");
    await server.configure({ socket: path });
    await server.reload();
    const files = await readdir(server.directory);
    expect(files).toContain("other.sock");
    expect(files).not.toContain("app.sock");
  });

  it.for(MODES)(
    "in %s mode to another backlog and other rights goes on with the socket, and says so",
    async (mode, { onTestFinished }) => {
      const server = await startFor({ mode, server: { pm: "static", maxThreads: 1, maxChildren: 1 } }, onTestFinished);
      await server.configure({ server: { backlog: 7, socket_group: 0 }, app: { version: 1 } });
      const from = server.output.length;
      await server.reload();
      expect(server.output.slice(from)).toMatch(/app\.sock is open: its backlog and rights change at a restart only/);
      expect((await server.who()).version).toBe("1");
    },
  );

  it("there and back again serves at the first address, though a request of the first is still in hand", async ({
    onTestFinished,
  }) => {
    const server = await startFor({ mode: "fork", server: { pm: "static", maxChildren: 1 } }, onTestFinished);
    const slow = server.ask("/wait?n=3000");
    await sleep(200);
    await server.configure({ socket: join(server.directory, "other.sock") });
    await server.reload();
    await server.configure();
    await server.reload();
    expect((await server.who()).version).toBe("0");
    expect((await slow).status).toBe(200);
    expect(await readdir(server.directory)).not.toContain("other.sock");
  });

  it("asked for many times at once happens once more after the one that is under way", async ({ onTestFinished }) => {
    const server = await startFor({ mode: "fork", server: { pm: "static", maxChildren: 1 } }, onTestFinished);
    server.signal("SIGHUP");
    await sleep(50);
    for (let i = 0; i < 6; i++) {
      server.signal("SIGHUP");
      await sleep(20);
    }
    await server.said(/generation 3 serves/);
    await sleep(1500);
    expect(server.output).not.toContain("generation 4 serves");
  });
});

describe("recycling", () => {
  it.for(both)(
    "in %s mode over %s after maxRequests fails no request",
    { timeout: 60_000 },
    async ([mode, protocol], { onTestFinished }) => {
      const server = await startFor(
        {
          ...{ mode, protocol },
          server: { pm: "static", maxThreads: 2, maxChildren: 2, maxRequests: 150 },
        },
        onTestFinished,
      );
      const busy = new BusyConnections(server.target, protocol, { paths: PATHS, perConnection: 30 });
      const seen = new Set<string>();
      await until(
        async () => {
          const { pid, thread } = await server.who();
          return seen.add(`${pid} ${thread}`).size > 6;
        },
        () => `six workers to be replaced: ${[...seen].join(", ")}\n${server.output}`,
        50_000,
      );
      await busy.stop();
      expect(busy.failures, server.output.slice(-2000)).toEqual([]);
    },
  );
});

function configOf(name: ServerName, transport: "unix" | "tcp", kept: boolean): string {
  if (name === "apache") return join(ROOT, `apache-examples/mod_proxy_fcgi-${transport}.conf`);
  const keeps = kept && name === "nginx" && transport === "tcp";
  return join(ROOT, `examples/${name}/fastcgi-${transport}${keeps ? "-kept" : ""}.conf`);
}

interface Changing {
  readonly what: string;
  /** nginx keeps its connections, where there is an example of that. */
  readonly kept: boolean;
  readonly pool?: Readonly<Record<string, number>>;
  readonly change: (server: SupervisedServer) => Promise<void>;
}

const AT_A_TIME: readonly ServerName[] = ["nginx", "lighttpd", "apache"];

describe("behind nginx, lighttpd and Apache at a time,", () => {
  /** What each has got, and how many requests reached the app twice: what a front asks again it does by itself. */
  const table: Record<string, string | number>[] = [];
  afterAll(() => {
    console.table(table);
  });

  async function underLoad(
    [mode, transport]: [Mode, "unix" | "tcp"],
    { what, kept, pool = {}, change }: Changing,
    onTestFinished: Finished,
  ): Promise<void> {
    const access = { access_log: "%(here)s/access.log" };
    const workers = { pm: "static", maxThreads: 2, maxChildren: 2 };
    const server = await startFor({ mode, transport, server: { ...workers, ...pool, ...access } }, onTestFinished);
    const { target, directory } = server;
    const values = "path" in target ? { SOCKET: target.path } : { BACKEND_PORT: target.port };
    const fronts = new Map<ServerName, Front>();
    for (const name of AT_A_TIME) {
      const front = await startWebServer({ name, config: configOf(name, transport, kept), values });
      onTestFinished(async () => await front.stop());
      fronts.set(name, front);
    }
    const loads = [...fronts].map(([name, { url }]): [ServerName, HttpLoad] => [
      name,
      new HttpLoad(url, { count: 4, paths: PATHS, name }),
    ]);
    await change(server);
    await Promise.all(loads.map(async ([, load]) => await load.stop()));
    const asked = (await readFile(join(directory, "access.log"), "utf8")).match(/[?&]id=\S+/g) ?? [];
    for (const [name, { answered, failures }] of loads) {
      const own = asked.filter((id) => id.includes(`id=${name}-`));
      const retries = own.length - new Set(own).size;
      table.push({ what, mode, transport, front: name, answered, failed: failures.length, "asked twice": retries });
      expect(failures, `${name}: ${(await fronts.get(name)!.log()).slice(-1000)}`).toEqual([]);
      expect(answered).toBeGreaterThan(50);
    }
  }

  const cases = MODES.flatMap((mode) =>
    (["unix", "tcp"] as const).map((transport): [Mode, "unix" | "tcp"] => [mode, transport]),
  );
  it.for(cases)(
    "twenty reloads in %s mode over %s fail no request",
    { timeout: 120_000 },
    async (way, { skip, onTestFinished }) => {
      skip(!AT_A_TIME.every((name) => INSTALLED.has(name)), "not all of the web servers are installed");
      const change = async (changed: SupervisedServer): Promise<void> => {
        for (let version = 1; version <= 20; version++) {
          await changed.configure({ app: { version } });
          await changed.reload();
        }
      };
      await underLoad(way, { what: "20 reloads", kept: true, change }, onTestFinished);
    },
  );

  it.for(cases)(
    "twenty recycled workers in %s mode over %s fail no request",
    { timeout: 120_000 },
    async (way, { skip, onTestFinished }) => {
      skip(!AT_A_TIME.every((name) => INSTALLED.has(name)), "not all of the web servers are installed");
      const change = async (changed: SupervisedServer): Promise<void> => {
        await until(
          async () => Math.max(...(await changed.report()).workers.map(({ id }) => id)) > 22,
          () => `twenty workers to be replaced\n${changed.output}`,
          90_000,
        );
      };
      await underLoad(way, { what: "20 recycled", kept: false, pool: { maxRequests: 40 }, change }, onTestFinished);
    },
  );
});

describe.concurrent("signals", () => {
  it.for(["SIGUSR1", "SIGUSR2", "SIGHUP", "SIGTTIN"] as const)(
    "%s while it starts does no harm",
    async (signal, { onTestFinished }) => {
      const whenBound = (early: SupervisedServer): void => early.signal(signal);
      const server = await startFor({ mode: "fork", app: { slow: 1500 }, whenBound }, onTestFinished);
      expect(server.output).toContain("Serving ");
      expect(server.output).not.toContain("Debugger listening");
      expect((await server.who()).version).toBe("0");
    },
  );

  it.for(MODES)("SIGTERM while it starts in %s mode ends it and leaves no socket", async (mode, { onTestFinished }) => {
    const server = await startFor(
      {
        mode,
        app: { slow: 3000 },
        whenBound: (server) => server.signal("SIGTERM"),
      },
      onTestFinished,
    );
    expect(server.process.exitCode).toBe(143);
    expect((await readdir(server.directory)).filter((name) => name.includes(".sock"))).toEqual([]);
  });

  it.for(MODES)("SIGTERM in %s mode lets what is in hand finish, and ends with 0", async (mode, { onTestFinished }) => {
    const server = await startFor({ mode }, onTestFinished);
    const slow = server.ask("/wait?n=1500");
    await sleep(300);
    const { directory } = server;
    const stopped = server.stop();
    await sleep(300);
    await expect(stat(join(directory, "app.sock"))).rejects.toMatchObject({ code: "ENOENT" });
    expect((await slow).status).toBe(200);
    expect(await stopped).toBe(0);
  });

  it("SIGTERM just after a reload does not wait for the kept connections of the old processes", async ({
    onTestFinished,
  }) => {
    const pool = { pm: "static", maxChildren: 1, graceful_timeout: "20s" };
    const server = await startFor({ mode: "fork", server: pool }, onTestFinished);
    const busy = new BusyConnections(server.target, "fastcgi", { count: 4 });
    await until(
      () => busy.answered > 20,
      () => "the connections to be busy",
    );
    await server.reload();
    const begun = Date.now();
    const stopped = server.stop();
    await sleep(1000);
    await busy.stop();
    expect(await stopped).toBe(0);
    expect(Date.now() - begun).toBeLessThan(6000);
  });

  it.for(MODES)("a second SIGTERM in %s mode ends everything at once", async (mode, { onTestFinished }) => {
    const server = await startFor({ mode }, onTestFinished);
    const slow = server.try("/wait?n=20000");
    await sleep(300);
    const children = await server.children();
    server.signal("SIGTERM");
    await sleep(200);
    expect(await server.stop("SIGTERM")).toBe(143);
    expect(await slow).toHaveProperty("error");
    await until(
      () => children.every((pid) => !alive(pid)),
      () => "the processes to be gone",
    );
  });

  it.for(MODES)("SIGTTIN and SIGTTOU in %s mode make one worker more or less", async (mode, { onTestFinished }) => {
    const server = await startFor({ mode, server: { pm: "static", maxThreads: 1, maxChildren: 1 } }, onTestFinished);
    const workers = async (): Promise<number> => {
      const seen = new Set<string>();
      const replies = await Promise.all(Array.from({ length: 24 }, async () => await server.try("/wait?n=30")));
      for (const reply of replies) if ("body" in reply) seen.add(reply.body);
      return seen.size;
    };
    expect(await workers()).toBe(1);
    server.signal("SIGTTIN");
    await until(
      async () => (await workers()) === 2,
      () => `two workers\n${server.output}`,
    );
    server.signal("SIGTTOU");
    await until(
      async () => (await workers()) === 1,
      () => `one worker\n${server.output}`,
    );
  });
});

describe.concurrent("a directory", () => {
  it.for(["with two  spaces ", "été "])("called %s may have the socket in it", async (prefix, { onTestFinished }) => {
    const server = await startFor({ mode: "fork", prefix }, onTestFinished);
    expect((await server.who()).version).toBe("0");
  });
});

describe.concurrent("an app that fails to load", () => {
  it.for(MODES)("in %s mode ends serve with its error and is not started again", async (mode, { onTestFinished }) => {
    const server = await startFor({ mode, app: { fail: "at once" } }, onTestFinished);
    expect(server.output).toContain("told to fail: at once");
    expect(server.process.exitCode).toBe(1);
    expect(await readdir(server.directory)).not.toContain("app.sock");
  });
});

describe.concurrent("killing", () => {
  it.for(MODES)(
    "the supervisor of the %s mode ends its workers, once they have answered",
    async (mode, { onTestFinished }) => {
      const server = await startFor({ mode }, onTestFinished);
      const children = await server.children();
      const slow = server.ask("/wait?n=1000");
      await sleep(300);
      server.signal("SIGKILL");
      expect((await slow).status).toBe(200);
      await until(
        () => children.every((pid) => !alive(pid)),
        () => "the processes to be gone",
      );
    },
  );
});

describe.concurrent("a process that is blocked", () => {
  it("goes after stall_timeout although its supervisor was killed", async ({ onTestFinished }) => {
    const server = await startFor(
      {
        mode: "fork",
        server: { pm: "static", maxChildren: 1, stall_timeout: "3s", slowlog_timeout: 0 },
      },
      onTestFinished,
    );
    const [child] = await server.children();
    const blocked = server.try("/loop");
    await sleep(300);
    server.signal("SIGKILL");
    await sleep(1000);
    expect(alive(child!)).toBe(true);
    await until(
      () => !alive(child!),
      () => "the process to be gone",
    );
    expect(await blocked).toHaveProperty("error");
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
