/** Who the app runs as, and where: rights are given up before any code of the app is loaded. Needs root. */
import { readFile, readlink, stat } from "node:fs/promises";

import { afterEach, describe, expect, it } from "vitest";

import { freePort } from "../support/front.ts";
import { type Mode, SupervisedServer, sleep } from "../support/supervised.ts";

const MODES: readonly Mode[] = ["thread", "fork"];
const isRoot = process.getuid?.() === 0;

let server: SupervisedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function statusOf(pid: number): Promise<Map<string, string>> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  return new Map(text.split("\n").map((line) => line.split(/:\s*/, 2) as [string, string]));
}

async function idOf(file: "passwd" | "group", name: string): Promise<string> {
  return new RegExp(`^${name}:[^:]*:(\\d+)`, "m").exec(await readFile(`/etc/${file}`, "utf8"))![1]!;
}

describe.skipIf(!isRoot)("started by root", () => {
  it.for(MODES)("with a user, the %s mode runs the app as him, in his directory and with his umask", async (mode) => {
    server = await SupervisedServer.start({
      mode,
      server: { user: "www-data", chdir: "/var", process_umask: "0027", maxChildren: 1, pm: "static", maxThreads: 1 },
    });
    expect(server.output).not.toContain("RUNS AS ROOT");
    const [pid] = await server.children();
    const status = await statusOf(pid!);
    const uid = (await readFile("/etc/passwd", "utf8")).match(/^www-data:x:(\d+):(\d+)/m)!;
    expect(status.get("Uid")!.split("\t")).toEqual(Array.from({ length: 4 }, () => uid[1]));
    expect(status.get("Gid")!.split("\t")).toEqual(Array.from({ length: 4 }, () => uid[2]));
    expect(status.get("Groups")!.trim().split(/\s+/)).not.toContain("0");
    expect(status.get("Umask")).toBe("0027");
    expect(await readlink(`/proc/${pid}/cwd`)).toBe("/var");
    // The supervisor keeps its rights: it binds, and starts what comes after a reload.
    expect((await statusOf(server.process.pid!)).get("Uid")).toMatch(/^0\t/);
    await server.reload();
    expect((await server.ask("/a")).status).toBe(200);
  });

  it.for(MODES)("with a user, the %s mode has his home in the environment", async (mode) => {
    server = await SupervisedServer.start({ mode, server: { user: "www-data" } });
    const [, home] = (await readFile("/etc/passwd", "utf8")).match(/^www-data:(?:[^:]*:){4}([^:]*)/m)!;
    expect((await server.ask("/home")).body).toBe(`${home} www-data www-data\n`);
  });

  it("with a user, the single mode binds as root, then loads the app as him", async () => {
    server = await SupervisedServer.start({
      mode: "single",
      server: { user: "www-data", chdir: "/var", process_umask: "0027", access_log: "stderr" },
    });
    const status = await statusOf(server.process.pid!);
    const uid = (await readFile("/etc/passwd", "utf8")).match(/^www-data:x:(\d+)/m)![1];
    expect(status.get("Uid")!.split("\t")).toEqual(Array.from({ length: 4 }, () => uid));
    expect(status.get("Umask")).toBe("0027");
    expect(await readlink(`/proc/${server.process.pid}/cwd`)).toBe("/var");
    expect((await server.ask("/home")).body).toMatch(/www-data www-data\n$/);
    // The directory of the socket is root's.
    expect((await stat((server.target as { path: string }).path)).uid).toBe(0);
    expect((await stat(server.directory)).mode & 0o022).toBe(0);
  });

  it.for([...MODES, "single"] as const)("--user and --group hold in the %s mode, over the file", async (mode) => {
    const args = ["--user", "www-data", "--group", "nogroup"];
    server = await SupervisedServer.start({ mode, server: { user: "nobody" }, args });
    const pid = mode === "single" ? server.process.pid! : (await server.children())[0]!;
    const status = await statusOf(pid);
    const [uid, gid] = await Promise.all([idOf("passwd", "www-data"), idOf("group", "nogroup")]);
    expect(status.get("Uid")).toMatch(new RegExp(`^${uid}\t`));
    expect(status.get("Gid")).toMatch(new RegExp(`^${gid}\t`));
    expect((await server.ask("/a")).status).toBe(200);
  });

  it("--user holds for a server that takes a loaded app too: it binds first, and requests wait for the app", async () => {
    const port = await freePort();
    const starting = SupervisedServer.start({
      mode: "single",
      app: { slow: 2000 },
      args: ["--user", "www-data", "--server", "http"],
      variables: [`port=${port}`],
    });
    let early: Response | undefined;
    let asked = 0;
    while (early === undefined) {
      asked = Date.now();
      early = await fetch(`http://127.0.0.1:${port}/home`).catch(() => undefined);
      await sleep(50);
    }
    expect(Date.now() - asked).toBeGreaterThan(1000);
    expect(await early.text()).toMatch(/www-data www-data\n$/);
    server = await starting;
    expect(server.output).toContain(`Serving http://127.0.0.1:${port}/`);
    const status = await statusOf(server.process.pid!);
    expect(status.get("Uid")).toMatch(new RegExp(`^${await idOf("passwd", "www-data")}\t`));
  });

  it("an app that cannot be loaded ends such a server with its error", async () => {
    const port = await freePort();
    server = await SupervisedServer.start({
      mode: "single",
      app: { fail: "on purpose" },
      args: ["--user", "www-data", "--server", "http"],
      variables: [`port=${port}`],
    });
    expect(server.output).toContain("told to fail: on purpose");
    expect(server.process.exitCode).toBe(1);
  });

  it("requests that come while an app without rights is loaded wait for it", async () => {
    let early: Promise<{ status: number; body: string }> | undefined;
    server = await SupervisedServer.start({
      mode: "single",
      server: { user: "www-data" },
      app: { slow: 1500 },
      whenBound: (bound) => {
        expect(bound.output).not.toContain("Serving");
        early = bound.ask("/home");
      },
    });
    expect((await early!).body).toMatch(/www-data www-data\n$/);
  });

  it("with a user who is a number alone, nothing of root's is in the environment", async () => {
    server = await SupervisedServer.start({ mode: "fork", server: { user: "54321", group: "54321" } });
    expect((await server.ask("/home")).body).toBe("/  \n");
  });

  it.for(["single", "fork"] as const)("without a user, the %s mode warns loudly", async (mode) => {
    server = await SupervisedServer.start({ mode });
    expect(server.output).toMatch(/warn THE APP RUNS AS ROOT: write "user = www-data"/);
  });

  it.for(MODES)("with a user who does not exist, the %s mode does not start, and says why", async (mode) => {
    server = await SupervisedServer.start({ mode, server: { user: "nobody-of-this-name" } });
    expect(server.process.exitCode).toBe(2);
    expect(server.output).toMatch(/user: .*nobody-of-this-name/);
  });

  it("the socket belongs to whom it was given", async () => {
    server = await SupervisedServer.start({ mode: "thread", server: { socket_owner: "www-data", user: "www-data" } });
    const { uid } = await stat((server.target as { path: string }).path);
    expect(uid).toBeGreaterThan(0);
    expect((await server.ask("/a")).status).toBe(200);
  });
});
