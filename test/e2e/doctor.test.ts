/** `propylon doctor` on set-ups that are broken for real, and on the examples, of which it finds nothing to say. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { request as requestHttp } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type DoctorFlags, diagnose } from "../../dist/commands/doctor.js";
import type { Diagnosis } from "../../dist/doctor/examine.js";
import { accountOf } from "../../dist/doctor/machine.js";
import { INSTALLED, type ServerName, freePort, isRunnable, startWebServer } from "../support/front.ts";
import { HAS_ACTIVATE, Service } from "../support/service.ts";
import { type Mode, type Protocol, SupervisedServer, until } from "../support/supervised.ts";
import { type Configuration, CONFIGURATIONS, VARIANTS } from "./configurations.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "bin/propylon.js");
const asRoot = process.getuid?.() === 0;
/** What nobody gets for nothing: as root the app has an account, so that this is not found everywhere. */
const ACCOUNT: Readonly<Record<string, string>> = asRoot ? { user: "www-data" } : {};

interface Examined {
  readonly faults: readonly string[];
  readonly hints: readonly string[];
  readonly skipped: readonly string[];
  /** All of it, to be looked at. */
  readonly out: string;
}

async function run(
  program: string,
  args: readonly string[],
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [program, "doctor", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit") as Promise<[number | null]>,
  ]);
  return { code, out, err };
}

/** Of the command line the options that are given here with their values; in this process, since there are so many. */
async function examine(file: string, ...options: string[]): Promise<Examined> {
  const flags: Record<string, string> = { timeout: "60" };
  for (let i = 0; i < options.length; i += 2) flags[camelCase(options[i]!)] = options[i + 1]!;
  const { findings, skipped } = await diagnose(file, [], flags as unknown as DoctorFlags);
  return examined({ findings, skipped });
}

/** `--front-user` is `frontUser`. */
function camelCase(option: string): string {
  return option.slice(2).replaceAll(/-(\w)/g, (_all, letter: string) => letter.toUpperCase());
}

function examined(diagnosis: Diagnosis): Examined {
  const { findings, skipped } = diagnosis;
  const codes = (wanted: string): string[] =>
    findings.filter(({ severity }) => severity === wanted).map((each) => each.code);
  return { faults: codes("fault"), hints: codes("hint"), skipped, out: JSON.stringify(diagnosis, null, 2) };
}

let scratch = "";
const running: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "propylon-doctor-"));
  await chmod(scratch, 0o755);
});
afterAll(async () => {
  await Promise.all(running.splice(0).map(async (each) => await each.stop()));
  await rm(scratch, { recursive: true, force: true });
});

interface Wanted {
  readonly mode?: Mode | "single";
  readonly protocol?: Protocol;
  readonly transport?: "unix" | "tcp";
  readonly server?: Readonly<Record<string, string | number>>;
  readonly app?: Readonly<Record<string, string | number>>;
  readonly descriptors?: number;
}

/** A server that ends with the test file. */
async function serve({ mode = "thread", server = {}, ...others }: Wanted = {}): Promise<SupervisedServer> {
  const workers = mode === "single" ? {} : { pm: "static", [mode === "thread" ? "maxThreads" : "maxChildren"]: 1 };
  const started = await SupervisedServer.start({
    ...{ mode, ...others },
    server: { ...workers, ...ACCOUNT, ...server },
    prefix: "propylon-doctor-",
  });
  running.push(started);
  return started;
}

/** Of servers that are only looked at one is enough. */
const usual = new Map<string, Promise<SupervisedServer>>();
async function serveUsual(transport: "unix" | "tcp"): Promise<SupervisedServer> {
  const started = usual.get(transport) ?? serve({ transport });
  usual.set(transport, started);
  return await started;
}

/** A file that nothing serves. */
async function describeOnly(lines: string): Promise<string> {
  const directory = await mkdtemp(join(scratch, "file-"));
  await chmod(directory, 0o755);
  const file = join(directory, "app.ini");
  await writeFile(
    file,
    `[app:main]\nuse = call:./app.js:makeApp\n\n[server:main]\nuse = egg:propylon#fcgi\n${lines}\n`,
  );
  return file;
}

describe("propylon doctor", () => {
  it("finds nothing where all is well, in each mode", async () => {
    for (const mode of ["thread", "fork", "single"] as const) {
      const { file } = await serve({ mode });
      const examined = await examine(file);
      expect(examined, mode).toMatchObject({ faults: [], hints: [] });
      const { code, out } = await run(BIN, [file]);
      expect(out).toMatch(/^(?:not checked: .*\n)*nothing wrong was found\n$/);
      expect(code).toBe(0);
    }
  });

  it("loads no code of the app", async () => {
    const file = await describeOnly(`socket = ${join(scratch, "none.sock")}`);
    await writeFile(join(file, "../app.js"), 'throw new Error("loaded");\n');
    const { code, out, err } = await run(BIN, [file]);
    expect({ code, err }).toEqual({ code: 4, err: "" });
    expect(out).toMatch(
      /^fault SOCKET_MISSING\n {2}seen: there is no socket .*none\.sock\n {2}do: {3}start the server/,
    );
  });

  it("exits with 2 for a file that is wrong, and wrong usage", async () => {
    const file = await describeOnly("prot = 6500");
    expect(await run(BIN, [file])).toMatchObject({ code: 2, out: "", err: expect.stringContaining("prot") });
    const good = await describeOnly("port = 6500");
    for (const args of [
      ["--url", "ftp://x/"],
      ["--upload", "1"],
      ["--front-host", "web1"],
      ["--front-user", "no such"],
    ]) {
      expect(await run(BIN, [good, ...args])).toMatchObject({
        code: 2,
        out: "",
        err: expect.stringContaining(args[0]!),
      });
    }
  });

  it("shows no secret", async () => {
    const { file } = await serve({ protocol: "ajp", transport: "tcp", server: { secret: "s3cr3t-word" } });
    await expect(examine(file)).resolves.toMatchObject({ faults: [] });
    const changed = (await readFile(file, "utf8")).replace("s3cr3t-word", "an0ther-word");
    await writeFile(file, changed);
    const { faults, out } = await examine(file);
    expect(faults).toEqual(["AJP_SECRET_DIFFERS"]);
    expect(out).not.toMatch(/s3cr3t-word|an0ther-word/);
  });
});

describe.concurrent("the way to the server", () => {
  it("SOCKET_MISSING: no server was started, or its directory is not there", async () => {
    const socket = join(scratch, "missing/app.sock");
    const file = await describeOnly(`socket = ${socket}`);
    expect((await examine(file)).faults).toEqual(["SOCKET_MISSING"]);
    await mkdir(join(socket, ".."));
    expect((await examine(file)).faults).toEqual(["SOCKET_MISSING"]);
  });

  it("SOCKET_STALE: the server was killed", async () => {
    const server = await serve({ mode: "single" });
    server.process.kill("SIGKILL");
    await once(server.process, "exit");
    expect((await examine(server.file)).faults).toEqual(["SOCKET_STALE"]);
  });

  it("SOCKET_NO_SOCKET: a file, or a directory, has its name", async () => {
    await writeFile(join(scratch, "plain.sock"), "");
    expect((await examine(await describeOnly(`socket = ${scratch}/plain.sock`))).faults).toEqual(["SOCKET_NO_SOCKET"]);
    expect((await examine(await describeOnly(`socket = ${scratch}`))).faults).toEqual(["SOCKET_NO_SOCKET"]);
  });

  it("PORT_CLOSED: nobody listens", async () => {
    expect((await examine(await describeOnly(`port = ${await freePort()}`))).faults).toEqual(["PORT_CLOSED"]);
  });

  it("PROTOCOL_OTHER: the server runs by another section", async () => {
    const { target } = await serveUsual("tcp");
    const file = await describeOnly(`port = ${(target as { port: number }).port}`);
    const scgi = (await readFile(file, "utf8")).replace("#fcgi", "#scgi");
    await writeFile(file, scgi);
    const { faults, out } = await examine(file);
    expect(faults).toEqual(["PROTOCOL_OTHER"]);
    expect(out).toContain("speaks FastCGI, and");
  });

  it("PROTOCOL_SILENT: what listens says nothing", async () => {
    const server = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
    await once(server, "listening");
    running.push({ stop: async () => await new Promise((resolve) => server.close(resolve)) });
    const file = await describeOnly(`port = ${(server.address() as { port: number }).port}`);
    expect((await examine(file)).faults).toEqual(["PROTOCOL_SILENT"]);
  });

  it("LISTENS_HERE_ONLY, FRONT_NOT_ALLOWED: the web server is on another machine", async () => {
    const { file } = await serveUsual("tcp");
    expect((await examine(file, "--front-host", "192.0.2.1")).faults).toEqual(["LISTENS_HERE_ONLY"]);
    expect((await examine(file, "--front-host", "127.0.0.1")).faults).toEqual([]);
    // Not started: it would listen for more than this machine.
    const open = await describeOnly(`host = 0.0.0.0\nport = ${await freePort()}\nallowed_clients = 198.51.100.0/24`);
    expect((await examine(open, "--front-host", "192.0.2.1")).faults).toEqual(["FRONT_NOT_ALLOWED", "PORT_CLOSED"]);
    expect((await examine(open, "--front-host", "198.51.100.7")).faults).toEqual(["PORT_CLOSED"]);
  });

  describe.skipIf(!asRoot)("for another user than root (needs root)", () => {
    it("SOCKET_CLOSED_TO_FRONT, DIRECTORY_CLOSED_TO_FRONT: rights keep the web server out", async () => {
      const { file, directory } = await serve({ server: { user: "nobody" } });
      const socket = join(directory, "app.sock");
      await chmod(socket, 0o660);
      const { faults, out } = await examine(file, "--front-user", "www-data");
      expect(faults).toEqual(["SOCKET_CLOSED_TO_FRONT"]);
      expect(out).toContain("mode 0660, uid 0, gid 0");
      expect((await examine(file, "--front-user", "root")).faults).toEqual([]);
      const { uid, gids } = accountOf("www-data")!;
      await chown(socket, uid, 0);
      expect((await examine(file, "--front-user", "www-data")).faults).toEqual([]);
      expect((await examine(file, "--front-user", "daemon")).faults).toEqual(["SOCKET_CLOSED_TO_FRONT"]);
      await chown(socket, 0, [...gids][0]!);
      expect((await examine(file, "--front-user", "www-data")).faults).toEqual([]);
      await chown(socket, 0, 0);
      await chmod(socket, 0o666);
      expect((await examine(file, "--front-user", "www-data")).faults).toEqual([]);
      await chmod(directory, 0o700);
      expect((await examine(file, "--front-user", "www-data")).faults).toEqual(["DIRECTORY_CLOSED_TO_FRONT"]);
      await chmod(directory, 0o755);
    });

    it("RUNS_AS_ROOT: no account was given", async () => {
      const { file } = await serve({ server: { user: "root" } });
      expect((await examine(file)).faults).toEqual(["RUNS_AS_ROOT"]);
    });

    it.skipIf(!INSTALLED.has("nginx"))("PORT_TAKEN: another program has the port", async () => {
      const front = await startWebServer({ name: "nginx", config: join(ROOT, "examples/nginx/fastcgi-tcp.conf") });
      running.push(front);
      const { faults, out } = await examine(await describeOnly(`port = ${new URL(front.url).port}`));
      expect(faults).toEqual(["PORT_TAKEN"]);
      expect(out).toMatch(/held by nginx \(pid \d+\), speaks HTTP/);
    });

    it.skipIf(!INSTALLED.has("lighttpd"))(
      "SOCKET_HIDDEN_FROM_FRONT: the web server has a file system of its own",
      async () => {
        const { file, directory } = await serveUsual("unix");
        const port = await freePort();
        const config = join(scratch, "hidden.conf");
        await writeFile(
          config,
          `server.document-root = "/"\nserver.bind = "127.0.0.1"\nserver.port = ${port}\nserver.username = "daemon"\nserver.groupname = "daemon"\n`,
        );
        const command = `mount -t tmpfs none "${directory}" && exec lighttpd -D -f "${config}"`;
        const child = spawn("unshare", ["--mount", "sh", "-c", command], { stdio: "ignore" });
        running.push({ stop: async () => await ended(child) });
        await until(
          async () => (await fetch(`http://127.0.0.1:${port}/`).catch(() => null)) !== null,
          () => "lighttpd in a mount namespace",
        );
        expect((await examine(file, "--front-user", "daemon")).faults).toEqual(["SOCKET_HIDDEN_FROM_FRONT"]);
        await ended(child);
        expect((await examine(file, "--front-user", "daemon")).faults).toEqual([]);
      },
    );
  });
});

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

describe.concurrent("the running server", () => {
  it("STATUS_SILENT, SERVER_OF_OTHER_FILE: another server has the address", async () => {
    const byPort = await serveUsual("tcp");
    const lines = (await readFile(byPort.file, "utf8")).replaceAll("./faulty.js", join(byPort.directory, "faulty.js"));
    const other = join(scratch, "other.ini");
    await writeFile(other, lines);
    expect((await examine(other)).faults).toEqual(["STATUS_SILENT"]);
    const bySocket = await serveUsual("unix");
    await writeFile(
      other,
      (await readFile(bySocket.file, "utf8")).replaceAll("./faulty.js", join(bySocket.directory, "faulty.js")),
    );
    expect((await examine(other)).faults).toEqual(["SERVER_OF_OTHER_FILE"]);
  });

  it("CONFIGURATION_NEWER, SERVER_DIFFERS, RELOAD_FAILED: the file has changed since", async () => {
    const server = await serve();
    const later = Date.now() / 1000 + 60;
    await utimes(server.file, later, later);
    expect(await examine(server.file)).toMatchObject({ faults: [], hints: ["CONFIGURATION_NEWER"] });
    await server.configure({ server: { pm: "static", maxThreads: 1, ...ACCOUNT, concurrency: 7 } });
    const { faults, out } = await examine(server.file);
    expect(faults).toEqual(["SERVER_DIFFERS"]);
    expect(out).toContain("other values than the file: concurrency");
    await server.reload();
    expect((await examine(server.file)).faults).toEqual([]);
    await server.configure({ server: { pm: "static", maxThreads: 1, ...ACCOUNT }, app: { fail: "on purpose" } });
    await server.reload();
    const failed = await examine(server.file);
    expect(failed.faults).toEqual(["RELOAD_FAILED"]);
    expect(failed.out).toContain("told to fail: on purpose");
  });

  it("WORKERS_STUCK: a request blocks the only worker", async () => {
    const server = await serve({ server: { stall_timeout: 0 } });
    const stuck = server.try("/work?n=6000");
    await until(
      async () => (await server.report()).workers.some(({ suspect }) => suspect),
      () => "the worker to be stuck",
    );
    const { faults, out } = await examine(server.file);
    expect(faults).toEqual(["WORKERS_STUCK"]);
    expect(out).toContain("GET /work?n=6000");
    await stuck;
  });

  it("WORKERS_BUSY: requests wait for a worker", async () => {
    const server = await serve({ server: { concurrency: 1 } });
    const waiting = [server.try("/wait?n=9000"), server.try("/wait?n=10")];
    await until(
      async () => (await server.report()).queue.oldest > 1_000,
      () => "a request to wait",
    );
    expect((await examine(server.file)).faults).toEqual(["WORKERS_BUSY"]);
    await Promise.all(waiting);
  });

  it("SERVER_NOT_READY: the app is still being loaded", async () => {
    const examined = new Promise<Examined>((resolve, reject) => {
      const whenBound = (server: SupervisedServer): void => void examine(server.file).then(resolve, reject);
      void SupervisedServer.start({
        ...{ mode: "thread", prefix: "propylon-doctor-", whenBound },
        server: { pm: "static", maxThreads: 1, ...ACCOUNT },
        app: { slow: 4_000 },
      }).then((server) => running.push(server), reject);
    });
    const { faults } = await examined;
    expect(faults).toContain("SERVER_NOT_READY");
  });

  it("SERVER_OTHER_VERSION: propylon was updated, and the server not restarted", async () => {
    const { file } = await serve();
    const updated = await mkdtemp(join(scratch, "updated-"));
    for (const part of ["bin", "dist"]) await cp(join(ROOT, part), join(updated, part), { recursive: true });
    await symlink(join(ROOT, "node_modules"), join(updated, "node_modules"));
    const description = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as object;
    await writeFile(join(updated, "package.json"), JSON.stringify({ ...description, version: "999.0.0" }));
    const { code, out } = await run(join(updated, "bin/propylon.js"), ["--json", file]);
    expect(examined(JSON.parse(out) as Diagnosis)).toMatchObject({ faults: [], hints: ["SERVER_OTHER_VERSION"] });
    expect(code).toBe(0);
  });

  it("PID_FILE_WRONG: the file names another process, or one that is gone", async () => {
    const pidFile = join(scratch, "app.pid");
    const { file } = await serve({ server: { pid_file: pidFile } });
    expect((await examine(file)).faults).toEqual([]);
    await writeFile(pidFile, `${process.pid}\n`);
    expect((await examine(file)).faults).toEqual(["PID_FILE_WRONG"]);
  });

  it("OPEN_FILES_LOW, SOMAXCONN_LOW: limits of the system are below those of the file", async () => {
    const { file } = await serve({ descriptors: 200, server: { backlog: 100_000_000 } });
    expect(await examine(file)).toMatchObject({ faults: [], hints: ["OPEN_FILES_LOW", "SOMAXCONN_LOW"] });
  });

  it("APP_FAILS, APP_SILENT: the app fails at its root, or never answers", async () => {
    const failing = await serve({ app: { root: "/throw" } });
    expect((await examine(failing.file)).faults).toEqual(["APP_FAILS"]);
    const silent = await serve({ app: { root: "/silence" } });
    expect((await examine(silent.file, "--timeout", "3")).faults).toEqual(["APP_SILENT"]);
  });
});

describe("through a web server", () => {
  const servers = new Map<string, Promise<SupervisedServer>>();
  const behind = ({
    protocol,
    transport,
    mount,
    secret,
    multiplexed,
    early_hints,
  }: Pick<Configuration, "protocol" | "transport" | "mount" | "secret" | "multiplexed"> & { early_hints?: "true" }) => {
    const options = { mount, ...(secret && { secret }), ...(multiplexed && { multiplexed: "true" }) };
    const wanted = { protocol, transport, server: { ...options, ...(early_hints && { early_hints }) } };
    const key = JSON.stringify(wanted);
    const started = servers.get(key) ?? serve({ mode: "fork", ...wanted });
    servers.set(key, started);
    return started;
  };
  const front = async (name: ServerName, config: string, { target }: SupervisedServer, documents = {}) => {
    const values = "path" in target ? { SOCKET: target.path } : { BACKEND_PORT: target.port };
    return await startWebServer({ name, config, values, documents });
  };
  /** Debian's parameters of nginx leave the port out of Host. */
  const losesPort = ({ needs }: Configuration): boolean =>
    needs !== undefined && existsSync(needs) && /_param +HTTP_HOST +\$host;/.test(readFileSync(needs, "utf8"));

  for (const each of [...CONFIGURATIONS, ...VARIANTS]) {
    const hints = losesPort(each) ? ["FRONT_PORT_LOST"] : [];
    const title = `finds ${hints.length === 0 ? "nothing" : hints.join()} in the example configuration ${each.title}`;
    it.skipIf(!isRunnable(each)).concurrent(title, async () => {
      const server = await behind(each);
      const web = await front(each.server, each.file, server, each.documents);
      try {
        const url = `${web.url}${each.prefix === "" ? "/" : each.prefix}`;
        const examined = await examine(server.file, "--url", url, "--upload", "2097152");
        expect(examined, examined.out).toMatchObject({ faults: [], hints, skipped: [] });
      } finally {
        await web.stop();
      }
    });
  }

  /** An example with some lines of it changed: what a wrong configuration looks like. */
  interface Broken {
    readonly what: string;
    readonly name: ServerName;
    readonly config: string;
    readonly changes: readonly (readonly [from: string | RegExp, to: string])[];
    readonly faults: readonly string[];
    readonly hints?: readonly string[];
    /** Of the app's root; default "/". */
    readonly path?: string;
    /** What the server is; default FastCGI. */
    readonly server?: Pick<Configuration, "protocol" | "secret"> & { readonly early_hints?: "true" };
    readonly args?: readonly string[];
  }

  const NGINX = { name: "nginx", config: "examples/nginx/fastcgi-tcp.conf" } as const;
  const APACHE = { name: "apache", config: "apache-examples/mod_proxy_fcgi-tcp.conf" } as const;
  const LIGHTTPD = { name: "lighttpd", config: "examples/lighttpd/fastcgi-tcp.conf" } as const;
  const AJP = {
    name: "apache",
    config: "apache-examples/mod_proxy_ajp-tcp.conf",
    server: { protocol: "ajp", secret: "change-this" },
  } as const;
  const SCGI = {
    name: "nginx",
    config: "examples/nginx/scgi-tcp.conf",
    server: { protocol: "scgi" },
  } as const;
  const CADDY = { name: "caddy", config: "examples/caddy/fastcgi-tcp.Caddyfile" } as const;
  const H2O = { name: "h2o", config: "examples/h2o/fastcgi-tcp.yaml" } as const;
  const HAPROXY = { name: "haproxy", config: "examples/haproxy/fastcgi-tcp.cfg" } as const;
  const hinting = { server: { protocol: "fastcgi", early_hints: "true" } } as const;
  const param = (name: string, value: string) =>
    [new RegExp(`(fastcgi_param ${name} +)[^;]+;`), `$1${value};`] as const;
  const without = (name: string) => [new RegExp(`fastcgi_param ${name} +[^;]+;`), ""] as const;
  const inLocation = (line: string) => ["location / {", `location / {\n        ${line}`] as const;

  const BROKEN: readonly Broken[] = [
    { ...NGINX, what: "the port is another one", changes: [["6500", "1"]], faults: ["FRONT_LOST_SERVER"] },
    { ...APACHE, what: "the port is another one", changes: [["6500", "1"]], faults: ["FRONT_LOST_SERVER"] },
    { ...LIGHTTPD, what: "the port is another one", changes: [["6500", "1"]], faults: ["FRONT_LOST_SERVER"] },
    { ...CADDY, what: "the port is another one", changes: [["6500", "1"]], faults: ["FRONT_LOST_SERVER"] },
    { ...H2O, what: "the port is another one", changes: [["6500", "1"]], faults: ["FRONT_LOST_SERVER"] },
    { ...HAPROXY, what: "the port is another one", changes: [["6500", "1"]], faults: ["FRONT_LOST_SERVER"] },
    { ...SCGI, what: "the port is another one", changes: [["4000", "1"]], faults: ["FRONT_LOST_SERVER"] },
    { ...AJP, what: "the port is another one", changes: [["8009", "1"]], faults: ["FRONT_LOST_SERVER"] },
    {
      ...{ ...AJP, what: "the secret is another one", changes: [["change-this", "changed"]] },
      faults: ["FRONT_SECRET_DIFFERS"],
    },
    {
      ...{ ...AJP, what: "it sends no secret", changes: [["secret=change-this", ""]] },
      faults: ["FRONT_SECRET_DIFFERS"],
    },
    {
      ...{ ...NGINX, what: "the protocol is another one" },
      changes: [
        [/fastcgi_pass [^;]+;/, "proxy_pass http://127.0.0.1:6500;"],
        [/fastcgi_\w+ .*;/g, ""],
      ],
      faults: ["FRONT_LOST_SERVER"],
    },
    {
      ...{ ...NGINX, what: "nobody answers in time" },
      changes: [[/fastcgi_pass [^;]+;/, "fastcgi_pass 127.0.0.1:SILENT;\nfastcgi_read_timeout 500ms;"]],
      faults: ["FRONT_TIMEOUT"],
    },
    {
      ...{ ...NGINX, what: "it waits for longer than this", args: ["--timeout", "6"] },
      changes: [[/fastcgi_pass [^;]+;/, "fastcgi_pass 127.0.0.1:SILENT;"]],
      faults: ["FRONT_TIMEOUT"],
    },
    {
      ...NGINX,
      what: "another location has the URL",
      changes: [["location / {", "location /app/ {"]],
      faults: ["FRONT_ANSWERS_ITSELF"],
    },
    {
      ...APACHE,
      what: "ProxyPass has another path",
      changes: [['ProxyPass "/"', 'ProxyPass "/app/"']],
      faults: ["FRONT_ANSWERS_ITSELF"],
    },
    {
      ...{ ...NGINX, what: "another virtual host has the URL" },
      changes: [["root /srv/www;", 'root /srv/www;\n return 200 "welcome";']],
      faults: ["FRONT_ANSWERS_ITSELF"],
    },
    {
      ...NGINX,
      what: "it is sent elsewhere",
      changes: [inLocation("return 301 https://example.org/;")],
      faults: [],
      hints: ["FRONT_REDIRECTS"],
    },
    {
      ...{ ...NGINX, what: "a login is asked for" },
      changes: [inLocation('auth_basic "app"; auth_basic_user_file /dev/null;')],
      ...{ faults: [], hints: ["FRONT_WANTS_LOGIN"] },
    },
    {
      ...{ ...NGINX, what: "lines are forgotten" },
      changes: [without("SERVER_NAME"), without("QUERY_STRING")],
      faults: ["FRONT_VARIABLES_MISSING"],
    },
    {
      ...NGINX,
      what: "the query is another one",
      changes: [param("QUERY_STRING", '"a=1"')],
      faults: ["FRONT_QUERY_LOST"],
    },
    {
      ...{ ...NGINX, what: "the path is rewritten", path: "/wiki" },
      changes: [inLocation("rewrite ^/wiki(.*)$ /index$1 break;"), param("REQUEST_URI", "$uri")],
      faults: ["FRONT_PATH_CHANGED"],
    },
    {
      ...{ name: "apache", config: "apache-examples/mod_proxy_fcgi-tcp-james.conf", path: "/james" },
      ...{
        what: "it does not tell the prefix",
        changes: [[/ProxyFCGISetEnvIf.*/g, ""]],
        faults: ["FRONT_MOUNT_UNKNOWN"],
      },
    },
    {
      ...NGINX,
      what: "Host is replaced",
      changes: [inLocation('fastcgi_param HTTP_HOST "backend";')],
      faults: ["FRONT_HOST_CHANGED"],
    },
    {
      ...{ ...NGINX, what: "the port is left out", changes: [inLocation("fastcgi_param HTTP_HOST $host;")] },
      ...{ faults: [], hints: ["FRONT_PORT_LOST"] },
    },
    {
      ...{ ...NGINX, what: "REMOTE_ADDR is a proxy's", changes: [param("REMOTE_ADDR", "192.0.2.7")] },
      ...{ faults: [], hints: ["FRONT_ADDRESS_HIDDEN"] },
    },
    {
      ...APACHE,
      what: "it keeps Authorization",
      changes: [["CGIPassAuth On", ""]],
      faults: ["FRONT_KEEPS_AUTHORIZATION"],
    },
    {
      ...{
        ...NGINX,
        what: "it believes credentials",
        changes: [inLocation("fastcgi_param REMOTE_USER $remote_user;")],
      },
      faults: ["FRONT_UNVERIFIED_USER"],
    },
    {
      ...APACHE,
      what: "it refuses %2F",
      changes: [["AllowEncodedSlashes NoDecode", ""]],
      faults: ["FRONT_REFUSES_ENCODED_SLASH"],
    },
    {
      ...NGINX,
      what: "it buffers",
      changes: [["fastcgi_buffering off;", ""]],
      faults: [],
      hints: ["FRONT_BUFFERS_ANSWERS"],
    },
    { ...APACHE, what: "it buffers", changes: [["flushpackets=on", ""]], faults: [], hints: ["FRONT_BUFFERS_ANSWERS"] },
    {
      ...{ ...LIGHTTPD, what: "it buffers", changes: [["server.stream-response-body = 2", ""]] },
      ...{ faults: [], hints: ["FRONT_BUFFERS_ANSWERS"] },
    },
    {
      ...{ ...SCGI, what: "it buffers", changes: [["scgi_buffering off;", ""]] },
      ...{ faults: [], hints: ["FRONT_BUFFERS_ANSWERS"] },
    },
    {
      ...{ ...NGINX, ...hinting, what: "it knows no early hints" },
      ...{ changes: [], faults: ["FRONT_LOSES_EARLY_HINTS"] },
    },
    {
      ...{ ...AJP, server: { ...AJP.server, early_hints: "true" }, what: "it takes early hints for the answer" },
      ...{ changes: [], faults: ["FRONT_LOSES_EARLY_HINTS"] },
    },
    { ...LIGHTTPD, ...hinting, what: "it passes early hints on", changes: [], faults: [] },
    {
      ...{
        ...APACHE,
        what: "its request headers are small",
        changes: [["AllowEncodedSlashes NoDecode", "AllowEncodedSlashes NoDecode\nLimitRequestFieldSize 2048"]],
      },
      faults: ["FRONT_REQUEST_HEADER_LIMIT"],
    },
    {
      ...{ ...LIGHTTPD, what: "its bodies are small", args: ["--upload", "2097152"] },
      ...{ changes: [["server.port", "server.max-request-size = 100\nserver.port"]], faults: ["FRONT_BODY_LIMIT"] },
    },
    {
      ...{
        ...NGINX,
        what: "its request headers are small",
        changes: [["root /srv/www;", "large_client_header_buffers 2 2k;"]],
      },
      faults: ["FRONT_REQUEST_HEADER_LIMIT"],
    },
    {
      ...{
        ...NGINX,
        what: "its answer headers are small",
        changes: [[/fastcgi_buffer_size 32k;|fastcgi_buffers 4 32k;/g, ""]],
      },
      faults: ["FRONT_ANSWER_HEADER_LIMIT"],
    },
    {
      ...{
        ...NGINX,
        what: "its bodies are small",
        changes: [["client_max_body_size 0;", ""]],
        args: ["--upload", "2097152"],
      },
      faults: ["FRONT_BODY_LIMIT"],
    },
  ];

  async function examineBroken({ name, config, changes, path = "/", args = [], ...more }: Broken): Promise<Examined> {
    const server = await behind({ protocol: "fastcgi", ...more.server, transport: "tcp", mount: "auto" });
    const silent = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
    await once(silent, "listening");
    let lines = (await readFile(join(ROOT, config), "utf8")).replaceAll(/^ *#.*\n/gm, "");
    for (const [from, to] of [...changes, ["SILENT", String((silent.address() as { port: number }).port)]] as const) {
      if (from !== "SILENT") expect(lines).not.toBe(lines.replace(from, to));
      lines = lines.replace(from, to);
    }
    const file = join(await mkdtemp(join(scratch, "front-")), "broken.conf");
    await writeFile(file, lines);
    const web = await front(name, file, server);
    try {
      return await examine(server.file, "--url", `${web.url}${path}`, ...args);
    } finally {
      await web.stop();
      silent.close();
    }
  }

  for (const each of BROKEN) {
    const { name, what, faults, hints = [] } = each;
    const found = [...faults, ...hints].join() || "nothing";
    it.skipIf(!INSTALLED.has(name)).concurrent(`${found}: ${name}: ${what}`, async () => {
      const examined = await examineBroken(each);
      expect(examined, examined.out).toMatchObject({ faults, hints });
    });
  }

  const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
  let made: readonly [key: string, certificate: string] | undefined;
  /** Files with a key and a certificate of localhost, which nobody trusts. */
  function selfSigned(): readonly [key: string, certificate: string] {
    if (made !== undefined) return made;
    const [key, certificate] = [join(scratch, "key.pem"), join(scratch, "certificate.pem")];
    const { status, stderr } = spawnSync("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
    ]);
    expect(status, String(stderr)).toBe(0);
    return (made = [key, certificate]);
  }

  const canTls = INSTALLED.has("nginx") && hasOpenssl;
  it.skipIf(!canTls)("FRONT_CERTIFICATE, FRONT_HTTPS_UNSEEN: over TLS (needs nginx and openssl)", async () => {
    const server = await behind({ protocol: "fastcgi", transport: "tcp", mount: "auto" });
    const [key, certificate] = selfSigned();
    const lines = (await readFile(join(ROOT, NGINX.config), "utf8")).replace(
      "listen 127.0.0.1:8080;",
      `listen 127.0.0.1:8080 ssl;\nssl_certificate ${certificate};\nssl_certificate_key ${key};`,
    );
    for (const [text, faults] of [
      [lines, []],
      [lines.replace(/fastcgi_param HTTPS .*;/, ""), ["FRONT_HTTPS_UNSEEN"]],
    ] as const) {
      const file = join(scratch, "tls.conf");
      await writeFile(file, text);
      const web = await front("nginx", file, server);
      try {
        const examined = await examine(server.file, "--url", `${web.url.replace("http:", "https:")}/`);
        expect(examined, examined.out).toMatchObject({ faults, hints: ["FRONT_CERTIFICATE"] });
      } finally {
        await web.stop();
      }
    }
  });

  /** A server whose output has the protocol and the cookies of each request, and a web server before it. */
  async function overHttp2(name: ServerName, config: string, from: string, to: string) {
    const format = { access_log: "stdout", access_log_format: "%%{SERVER_PROTOCOL}e %%{Cookie}i" };
    const server = await serve({ mode: "fork", transport: "tcp", server: format });
    const file = join(await mkdtemp(join(scratch, "http2-")), "site.conf");
    const lines = await readFile(join(ROOT, config), "utf8");
    expect(lines).toContain(from);
    await writeFile(file, lines.replace(from, to));
    const web = await front(name, file, server);
    running.push(web);
    return { server, url: new URL(web.url) };
  }

  const OVER_HTTP2 = [
    { ...NGINX, from: "8080;", to: "8080 ssl http2;\nssl_certificate CERTIFICATE;\nssl_certificate_key KEY;" },
    {
      ...APACHE,
      from: "</VirtualHost>",
      to: "SSLEngine on\nSSLCertificateFile CERTIFICATE\nSSLCertificateKeyFile KEY\nProtocols h2 http/1.1\n</VirtualHost>",
    },
    {
      name: "caddy",
      config: "examples/caddy/fastcgi-tcp.Caddyfile",
      from: "bind 127.0.0.1",
      to: "bind 127.0.0.1\ntls CERTIFICATE KEY",
    },
    {
      name: "h2o",
      config: "examples/h2o/fastcgi-tcp.yaml",
      from: "port: 8080",
      to: "port: 8080\n  ssl: { certificate-file: CERTIFICATE, key-file: KEY }",
    },
  ] as const;

  for (const { name, config, from, to } of OVER_HTTP2) {
    it.skipIf(!hasOpenssl || !INSTALLED.has(name)).concurrent(
      `finds that ${name} joins the cookies of HTTP/2 well`,
      async () => {
        const [key, certificate] = selfSigned();
        const lines = to.replace("CERTIFICATE", certificate).replace("KEY", key);
        const { server, url } = await overHttp2(name, config, from, lines);
        const examined = await examine(server.file, "--url", `https://localhost:${url.port}/`);
        expect(examined, examined.out).toMatchObject({ faults: [], hints: ["FRONT_CERTIFICATE"] });
        // It was asked over HTTP/2.
        expect(server.output).toMatch(/^HTTP\/2(?:\.0)? propylon-doctor-1=one; ?propylon-doctor-2=two$/m);
      },
    );
  }

  /** A proxy that passes the fields of HTTP/2 on as they come, or never answers what comes by that. @returns its URL */
  async function careless(to: URL, { answers = true } = {}): Promise<string> {
    const [key, cert] = await Promise.all(selfSigned().map(async (file) => await readFile(file)));
    const proxy = createSecureServer({ key: key!, cert: cert!, allowHTTP1: true }, (came, response) => {
      const isHttp2 = came.httpVersion === "2.0";
      if (isHttp2 && !answers) return;
      const fields = isHttp2 ? ["Host", came.authority] : [];
      for (let at = 0; at < came.rawHeaders.length; at += 2) {
        const [name, value] = came.rawHeaders.slice(at) as [string, string];
        if (!name.startsWith(":")) fields.push(name, value);
      }
      const { method, url: path } = came;
      const sent = requestHttp({ host: to.hostname, port: to.port, method, path, headers: fields }, (answer) => {
        const { "x-propylon-fill": fill } = answer.headers;
        response.writeHead(answer.statusCode!, fill === undefined ? {} : { "X-Propylon-Fill": fill });
        answer.pipe(response);
      });
      sent.end();
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    running.push({ stop: async () => await new Promise((resolve) => proxy.close(resolve)) });
    return `https://localhost:${(proxy.address() as { port: number }).port}/`;
  }

  const beforeApache = it.skipIf(!hasOpenssl || !INSTALLED.has("apache")).concurrent;
  const HTTPS_ON = ["ProxyPass", "SetEnv HTTPS on\nProxyPass"] as const;

  beforeApache("FRONT_JOINS_COOKIES: apache: a proxy passes the cookies of HTTP/2 on as they came", async () => {
    const { server, url } = await overHttp2(APACHE.name, APACHE.config, ...HTTPS_ON);
    const examined = await examine(server.file, "--url", await careless(url));
    const wanted = { faults: ["FRONT_JOINS_COOKIES"], hints: ["FRONT_CERTIFICATE"] };
    expect(examined, examined.out).toMatchObject(wanted);
    expect(examined.out).toContain('arrive as \\"propylon-doctor-1=one, propylon-doctor-2=two\\"');
  });

  beforeApache(
    "says nothing of cookies where HTTP/2 is not answered, and waits no longer than for others",
    async () => {
      const { server, url } = await overHttp2(APACHE.name, APACHE.config, ...HTTPS_ON);
      const examined = await examine(server.file, "--url", await careless(url, { answers: false }), "--timeout", "40");
      expect(examined, examined.out).toMatchObject({ hints: ["FRONT_CERTIFICATE"], skipped: [] });
    },
  );

  it.skipIf(!INSTALLED.has("apache"))("leaves to the filter prefix what it sees to", async () => {
    const config = join(scratch, "prefix.conf");
    const lines = await readFile(join(ROOT, "apache-examples/mod_proxy_fcgi-tcp-james.conf"), "utf8");
    await writeFile(config, `${lines.replaceAll(/ProxyFCGISetEnvIf.*/g, "")}\nRequestHeader set Host "backend"\n`);
    const section =
      "proxies\n[filter:proxies]\nuse = egg:PasteDeploy#prefix\nprefix = /james\ntrusted_proxies = loopback";
    const server = await serve({ mode: "fork", transport: "tcp", app: { "filter-with": section } });
    const web = await front("apache", config, server);
    running.push(web);
    const examined = await examine(server.file, "--url", `${web.url}/james`);
    expect(examined, examined.out).toMatchObject({ faults: [], hints: [] });
  });

  it.skipIf(!INSTALLED.has("nginx") || !HAS_ACTIVATE)(
    "asks a server whose socket systemd has handed over through its web server",
    async () => {
      const file = await describeOnly("fd = web\npm = static\nmaxThreads = 1");
      const lines = (await readFile(file, "utf8")).replace("#fcgi", "#fcgi_thread");
      const account = Object.entries(ACCOUNT).map(([key, value]) => `${key} = ${value}\n`);
      await writeFile(file, lines.replace("./app.js", join(ROOT, "test/support/apps/faulty.js")) + account.join(""));
      const service = await Service.start({ args: [file], sockets: [0], names: "web" });
      running.push(service);
      const web = await startWebServer({
        name: "nginx",
        config: join(ROOT, NGINX.config),
        values: { BACKEND_PORT: service.ports[0]! },
      });
      running.push(web);
      const examined = await examine(file, "--url", `${web.url}/`);
      expect(examined, examined.out).toMatchObject({ faults: [], hints: [] });
      expect(examined.skipped).toEqual([expect.stringContaining("the connection (the address is known")]);
    },
  );

  it("FRONT_UNREACHABLE: no web server runs", async () => {
    const { file } = await behind({ protocol: "fastcgi", transport: "tcp", mount: "auto" });
    const { faults, out } = await examine(file, "--url", `http://127.0.0.1:${await freePort()}/`);
    expect(faults).toEqual(["FRONT_UNREACHABLE"]);
    expect(out).toContain("nobody listens there");
  });

  it.skipIf(!INSTALLED.has("nginx"))("tells a server without a status by its answer", async () => {
    const server = await serve({ mode: "single", transport: "tcp" });
    const web = await front("nginx", join(ROOT, NGINX.config), server);
    running.push(web);
    const examined = await examine(server.file, "--url", `${web.url}/`);
    expect(examined).toMatchObject({ faults: [], hints: [] });
    expect(examined.skipped.join()).toContain("what arrives of a request");
    const spawned = await describeOnly("");
    const through = await examine(spawned, "--url", `${web.url}/`);
    expect(through).toMatchObject({ faults: [], hints: [] });
    expect(through.skipped.join()).toContain("whether the web server's answer is the app's");
  });

  it("asks for the URL where the web server starts the app and has its socket", async () => {
    const examined = await examine(await describeOnly(""));
    expect(examined).toMatchObject({ faults: [], hints: [] });
    expect(examined.skipped).toEqual([expect.stringContaining("--url asks through the web server")]);
  });
});
