/** What `propylon web-config` prints, by starting the real web server with it. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { createProgram } from "../../dist/commands/program.js";
import { Backends } from "../support/backends.ts";
import { type Front, freePort, hasModule, isRunnable, startWebServer } from "../support/front.ts";
import { type Answer, begin, call } from "../support/http-client.ts";
import { NotifySocket, ask } from "../support/service.ts";
import { SupervisedServer } from "../support/supervised.ts";

const BIN = fileURLToPath(new URL("../../bin/propylon.js", import.meta.url));
const HELLO = fileURLToPath(new URL("../../examples/hello/app.js", import.meta.url));
const FILES = `call:${fileURLToPath(new URL("../../examples/files/app.js", import.meta.url))}:makeApp`;
const FCGID = "/usr/lib/apache2/modules/mod_fcgid.so";

type Kind = "apache" | "lighttpd" | "nginx" | "caddy";
const isThere = (server: Kind, protocol = "fastcgi"): boolean => isRunnable({ server, protocol });

interface Case {
  readonly title: string;
  readonly server: Kind;
  readonly protocol: "fastcgi" | "scgi" | "ajp";
  readonly transport: "tcp" | "unix";
  readonly prefix: "" | "/james";
  readonly mount: "auto" | "/james";
  readonly secret?: string;
}

const PROTOCOLS = {
  apache: ["fastcgi", "scgi", "ajp"],
  lighttpd: ["fastcgi", "scgi", "ajp"],
  nginx: ["fastcgi", "scgi"],
  caddy: ["fastcgi"],
} as const;

function* all(): Generator<Case> {
  for (const server of ["apache", "lighttpd", "nginx", "caddy"] as const) {
    for (const protocol of PROTOCOLS[server]) {
      for (const transport of ["tcp", "unix"] as const) {
        for (const prefix of ["", "/james"] as const) {
          const mount =
            prefix !== "" && (protocol === "ajp" || (server === "apache" && protocol === "scgi")) ? "/james" : "auto";
          const secret = server === "apache" && protocol === "ajp" && transport === "tcp" ? { secret: "s3cret" } : {};
          yield {
            ...{ title: `${server} ${protocol} ${transport} ${prefix || "/"}`, server, protocol, transport, prefix },
            ...{ mount, ...secret },
          };
        }
      }
    }
  }
}

const CASES = [...all()];
const SECTIONS = { fastcgi: "fcgi", scgi: "scgi", ajp: "ajp" };
/** What a static directory has, and what lies beside it. */
const STYLE = "body { color: #123 }\n";
const OUTSIDE = "not for everybody\n";

const backends = new Backends();
const fronts: Front[] = [];
let scratch: string;
let files: string;
let ids = 0;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "propylon-web-config-"));
  await chmod(scratch, 0o755);
  files = await filesBelow(scratch, "files");
  await backends.start(CASES);
});
afterAll(async () => {
  await Promise.all(fronts.map(async (front) => await front.stop()));
  await backends.stop();
  await rm(scratch, { recursive: true, force: true });
});

/** A directory of files for everybody, with names in it that are not. */
async function filesBelow(parent: string, name: string): Promise<string> {
  const directory = join(parent, name);
  await mkdir(join(directory, ".git"), { recursive: true });
  await writeFile(join(directory, "style.css"), STYLE);
  await writeFile(join(directory, ".hidden"), OUTSIDE);
  await writeFile(join(directory, ".git/config"), OUTSIDE);
  await writeFile(join(parent, "outside.txt"), OUTSIDE);
  return directory;
}

/** The file of a server before an app of which nothing but its static files is described. */
function iniOf({ protocol, transport, prefix, mount, secret }: Case, directory: string): string {
  const { port, path } = backends.addressOf({ protocol, transport, mount, secret });
  const lines = [
    "[server:main]",
    `use = package:propylon#${SECTIONS[protocol]}`,
    ...(transport === "unix"
      ? [`socket = ${path}`, "socket_group = www-data"]
      : ["host = 127.0.0.1", `port = ${port}`]),
    ...(secret === undefined ? [] : [`secret = ${secret}`]),
    ...(prefix === "" ? [] : [`mount = ${prefix}`]),
    "[composite:main]",
    "use = egg:Paste#urlmap",
    "/ = wire",
    "/static = files",
    "[app:wire]",
    "use = call:./not-loaded.js:makeApp",
    "[app:files]",
    "use = egg:Paste#static",
    "cache_max_age = 3600",
    `document_root = ${directory.replaceAll("%", "%%")}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** In this process, since there are so many of them. */
async function printed(args: readonly string[]): Promise<string> {
  let text = "";
  const out = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => (text += String(chunk)) !== "");
  try {
    await createProgram().parseAsync(["web-config", ...args], { from: "user" });
  } finally {
    out.mockRestore();
  }
  if (text === "") throw new Error("nothing was printed");
  return text;
}

/** The exit code, and what standard error says. */
async function refused(...args: string[]): Promise<{ readonly code: number; readonly told: string }> {
  return await promisify(execFile)(process.execPath, [BIN, "web-config", ...args]).then(
    ({ stdout }) => ({ code: 0, told: stdout }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, told: stderr }),
  );
}

/** The server with what was printed, which listens on `port`. */
async function started(server: Kind, text: string, port: number): Promise<Front> {
  const directory = await mkdtemp(join(scratch, `${server}-`));
  await chmod(directory, 0o755);
  const config = join(directory, "site.conf");
  await writeFile(config, text);
  const front = await startWebServer({ name: server, config, values: { PORT: port }, dir: join(directory, "run") });
  fronts.push(front);
  return front;
}

/** From the file to the server. */
async function front(each: Case, directory: string, ...options: string[]): Promise<Front> {
  const file = join(scratch, `app ${(ids += 1)}.ini`);
  await writeFile(file, iniOf(each, directory));
  const port = await freePort();
  const { server } = each;
  return await started(server, await printed([server, file, "--listen", `127.0.0.1:${port}`, ...options]), port);
}

function json(answer: Answer): unknown {
  expect(answer).toMatchObject({ status: 200, complete: true });
  return JSON.parse(String(answer.body));
}

describe.each(CASES.map((each) => [each.title, each] as const))("%s", (_title, each) => {
  const { server, protocol, prefix } = each;

  it.skipIf(!isThere(server, protocol))("serves app and files by what is printed", async () => {
    const { url, stop } = await front(each, files);
    const get = async (path: string, ...headers: string[]): Promise<Answer> =>
      await call(url, { path: prefix + path, headers });

    expect(json(await get("/inspect?a=1", "Authorization", "Basic dXNlcjpwYXNz"))).toMatchObject({
      ...{ url: "/inspect?a=1", baseUrl: prefix, originalUrl: `${prefix}/inspect?a=1` },
      headers: { authorization: "Basic dXNlcjpwYXNz" },
    });
    const body = "x".repeat(2 * 1024 * 1024);
    expect(json(await call(url, { method: "POST", path: `${prefix}/digest`, body }))).toMatchObject({
      length: body.length,
    });
    const id = `web-config-${(ids += 1)}`;
    let received = "";
    for await (const chunk of await begin(url, { path: `${prefix}/halves?id=${id}` })) {
      received += String(chunk);
      if (received === "first half, ") backends.apps.go(id);
    }
    expect(received).toBe("first half, second half");

    const style = await get("/static/style.css");
    expect(style).toMatchObject({ status: 200, body: Buffer.from(STYLE) });
    expect(style.headers).toContainEqual(["cache-control", "public, max-age=3600"]);
    for (const path of ["/static/.hidden", "/static/.git/config", "/static/%2ehidden", "/static/.git%2fconfig"]) {
      const { status, body } = await get(path);
      expect(status, path).toBeGreaterThanOrEqual(400);
      expect(String(body), path).not.toContain(OUTSIDE);
    }
    // Some of these are URLs of the app.
    for (const path of [
      ...["/static/../outside.txt", "/static/%2e%2e/outside.txt", "/static../outside.txt", "/static/..//outside.txt"],
      ...[
        "/static/..%2foutside.txt",
        "/static/%2e%2e%2foutside.txt",
        "/static%2f..%2foutside.txt",
        "//static/../outside.txt",
      ],
    ]) {
      expect(String((await get(path)).body), path).not.toContain(OUTSIDE);
    }
    await stop();
  });
});

const first = (server: Kind): Case => CASES.find((each) => each.server === server)!;
const KINDS = ["apache", "lighttpd", "nginx", "caddy"] as const;

describe.each(KINDS)("%s", (server) => {
  it.skipIf(!isThere(server))("takes a directory with blanks and quotes in its name", async () => {
    const odd = await filesBelow(scratch, `.odd 'files' of "ü"; #1 %20 & co`);
    const { url, stop } = await front(first(server), odd, "--static", `/.well-known=${odd}`);
    expect(await call(url, { path: "/.well-known/style.css" })).toMatchObject({ body: Buffer.from(STYLE) });
    expect(String((await call(url, { path: "/.well-known/.hidden" })).body)).not.toContain(OUTSIDE);
    expect(await call(url, { path: "/static/style.css" })).toMatchObject({ status: 200, body: Buffer.from(STYLE) });
    expect(json(await call(url, { path: "/inspect" }))).toMatchObject({ url: "/inspect" });
    await stop();
  });

  it.skipIf(!isThere(server))("answers for the host that is named, with further files", async () => {
    const more = ["--static", `/static/of=${files}/.git`, "--host-name", "WWW.example.test"];
    const { url, stop } = await front(first(server), files, ...more);
    expect(await call(url, { path: "/static/style.css" })).toMatchObject({ status: 200, body: Buffer.from(STYLE) });
    // One below the other: the longer counts.
    expect(await call(url, { path: "/static/of/config" })).toMatchObject({ status: 200, body: Buffer.from(OUTSIDE) });
    expect(json(await call(url, { path: "/statics" }))).toMatchObject({ url: "/statics" });
    const other = await call(url, { path: "/inspect", headers: ["Host", "other.example.test"] });
    // The other two have one host here, which then answers for all.
    if (server === "lighttpd" || server === "caddy") expect(String(other.body)).not.toContain("other.example.test");
    await stop();
  });

  it.skipIf(!isThere(server))("has a part for the server as the distribution has it", async () => {
    const file = join(scratch, "part.ini");
    await writeFile(file, iniOf(first(server), files));
    const port = await freePort();
    const text = await printed([server, file]);
    expect(text).not.toMatch(/^Listen|^server\.port/m);
    // What /etc has for it, on a port that may be had.
    const before = {
      apache: `Listen 127.0.0.1:${port}\n`,
      lighttpd: `server.bind = "127.0.0.1"\nserver.port = ${port}\nserver.document-root = "/tmp"\nserver.modules += ( "mod_fastcgi" )\nfastcgi.server += ( ".php" => (( "socket" => "/run/php.sock" )) )\n`,
      nginx: "",
      caddy: "",
    }[server];
    const moved = text.replaceAll(/(?<=\*:|listen |^:)80\b/gm, String(port));
    const { url, stop } = await started(server, before + moved, port);
    expect(json(await call(url, { path: "/inspect" }))).toMatchObject({ url: "/inspect" });
    expect(await call(url, { path: "/static/style.css" })).toMatchObject({ status: 200, body: Buffer.from(STYLE) });
    await stop();
  });
});

describe("lighttpd", () => {
  it.skipIf(!isThere("lighttpd")).each([[], ["--host-name", "www.example.test"]])(
    "takes a part for each of two apps, one below the other (%s %s)",
    async (...host) => {
      const port = await freePort();
      const cases = CASES.filter(
        ({ server, protocol, transport }) => `${server} ${protocol} ${transport}` === "lighttpd fastcgi tcp",
      );
      let text = `server.bind = "127.0.0.1"\nserver.port = ${port}\nserver.document-root = "/tmp"\n`;
      for (const each of cases) {
        const file = join(scratch, `part-${(ids += 1)}.ini`);
        await writeFile(file, iniOf(each, files));
        text += await printed(["lighttpd", file, ...host]);
      }
      const { url, stop } = await started("lighttpd", text, port);
      for (const prefix of ["", "/james"]) {
        expect(json(await call(url, { path: `${prefix}/inspect` }))).toMatchObject({
          url: "/inspect",
          baseUrl: prefix,
        });
        expect(await call(url, { path: `${prefix}/static/style.css` })).toMatchObject({ body: Buffer.from(STYLE) });
      }
      await stop();
    },
  );
});

describe.each([
  ...(["fastcgi", "scgi", "ajp"] as const).flatMap((protocol) => [
    ["apache", protocol] as const,
    ["lighttpd", protocol] as const,
  ]),
  ["nginx", "fastcgi"] as const,
  ["nginx", "scgi"] as const,
  ["caddy", "fastcgi"] as const,
])("files that the app names, behind %s over %s", (server, protocol) => {
  const runs = isThere(server, protocol) && (server !== "apache" || hasModule("apache", "xsendfile"));

  it.skipIf(!runs)("are sent by the web server", async () => {
    const log = join(scratch, `access ${(ids += 1)}.log`);
    const sendfile =
      server === "nginx" ? { sendfile: "x-accel-redirect", sendfile_uri: "/internal" } : { sendfile: "x-sendfile" };
    const app = await SupervisedServer.start({
      ...{ mode: "single", protocol, use: FILES, app: { directory: files } },
      server: { ...sendfile, sendfile_root: files, access_log: log, access_log_format: "%%>s %%B %%U" },
    });
    try {
      const port = await freePort();
      const { url, stop } = await started(
        server,
        await printed([server, app.file, "--listen", `127.0.0.1:${port}`]),
        port,
      );
      const answer = await call(url, { path: "/style.css", headers: ["Cookie", "member=yes"] });
      expect([answer.status, String(answer.body)]).toEqual([200, STYLE]);
      await expect.poll(async () => await readFile(log, "utf8")).toBe("200 0 /style.css\n");
      await stop();
    } finally {
      await app.stop();
    }
  });
});

/** A file whose server has no address: the web server starts it. */
async function withoutAddress(use: string): Promise<string> {
  const directory = await mkdtemp(join(scratch, "spawned-"));
  await chmod(directory, 0o755);
  const file = join(directory, "hello.ini");
  await writeFile(file, `[server:main]\nuse = package:propylon#${use}\n[app:main]\nuse = call:${HELLO}:makeApp\n`);
  return file;
}

describe("an app that the web server starts", () => {
  const hello = async (url: string, prefix: string): Promise<void> => {
    const answer = await call(url, { path: `${prefix}/some/page` });
    expect(String(answer.body)).toBe(`Hello from /some/page, mounted at ${prefix || "/"}\n`);
    const put = await call(url, { method: "POST", path: `${prefix}/some/page`, body: "x".repeat(1024 * 1024) });
    expect(put.status).toBe(200);
  };

  it.skipIf(!isThere("lighttpd")).each([
    ["fcgi", ""],
    ["fcgi", "/james"],
    ["scgi", ""],
    ["scgi", "/james"],
  ])("runs behind lighttpd as %s at '%s'", async (use, prefix) => {
    const file = await withoutAddress(use);
    const port = await freePort();
    const text = await printed(["lighttpd", file, "--listen", `127.0.0.1:${port}`, "--prefix", prefix || "/"]);
    await chmod(dirname(file), 0o777);
    const moved = text.replaceAll(/\/(?:run|var\/log)\/lighttpd\//g, `${dirname(file)}/`);
    const { url, stop } = await started("lighttpd", moved, port);
    await hello(url, prefix);
    await stop();
  });

  it.skipIf(!isThere("apache") || !existsSync(FCGID)).each(["", "/james"])(
    "runs behind Apache with mod_fcgid at '%s'",
    async (prefix) => {
      const file = await withoutAddress("fcgi");
      const port = await freePort();
      const text = await printed([
        ...["apache", file, "--listen", `127.0.0.1:${port}`, "--prefix", prefix || "/"],
        ...["--static", `${prefix}/static=${files}`],
      ]);
      const own = await mkdtemp(join(scratch, "fcgid-"));
      await chmod(own, 0o777);
      const before = `LoadModule fcgid_module "${FCGID}"\nFcgidIPCDir "${own}"\nFcgidProcessTableFile "${own}/table"\n`;
      const { url, stop } = await started("apache", before + text, port);
      await hello(url, prefix);
      expect(await call(url, { path: `${prefix}/static/style.css` })).toMatchObject({ body: Buffer.from(STYLE) });
      await stop();
    },
  );
});

describe("systemd", () => {
  /** The unit of a server with workers, in a directory of its own. */
  async function unit(): Promise<{ readonly text: string; readonly socket: string }> {
    const directory = await mkdtemp(join(scratch, "unit of $HOME 100% "));
    const file = join(directory, "hello.ini");
    const lines = ["[server:main]", "use = package:propylon#fcgi_thread", "socket = %(here)s/hello.sock"];
    await writeFile(
      file,
      `${[...lines, "graceful_timeout = 5s", "[app:main]", `use = call:${HELLO}:makeApp`].join("\n")}\n`,
    );
    return { text: await printed(["systemd", file, "--user", "daemon"]), socket: join(directory, "hello.sock") };
  }

  it.skipIf(!existsSync("/usr/bin/systemd-analyze"))("takes the unit for a good one", async () => {
    const { text } = await unit();
    const file = join(scratch, "hello.service");
    await writeFile(file, text);
    const { stdout, stderr } = await promisify(execFile)("systemd-analyze", ["verify", "--man=no", file]);
    expect(`${stdout}${stderr}`).not.toContain("hello.service");
  });

  it("starts, reloads and stops by the lines of the unit", async () => {
    const { text, socket } = await unit();
    const line = (key: string): string => new RegExp(`^${key}=(.*)$`, "m").exec(text)![1]!;
    expect(line("TimeoutStopSec")).toBe("25");
    expect(line("Type")).toBe("notify");
    const manager = await NotifySocket.open(join(dirname(socket), "notify"));
    const cwd = line("WorkingDirectory").replaceAll("%%", "%");
    const run = (key: string): ChildProcess => {
      const command = words(line(key));
      return spawn(command[0]!, command.slice(1), {
        ...{ cwd, stdio: "ignore" },
        env: { ...process.env, NOTIFY_SOCKET: join(dirname(socket), "notify") },
      });
    };
    const child = run("ExecStart");
    const exited = once(child, "exit");
    try {
      const served = await manager.heard("READY=1");
      expect(await ask({ path: socket }, "/page")).toBe("Hello from /page, mounted at /\n");
      expect(await once(run("ExecReload"), "exit")).toEqual([0, null]);
      await manager.heard("READY=1", served);
      child.kill("SIGTERM");
      expect(await exited).toEqual([0, null]);
    } finally {
      child.kill("SIGKILL");
      manager.close();
    }
  });
});

/** A command line as systemd parts it. */
function words(text: string): string[] {
  return Array.from(text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g), ([, inQuotes, bare]) =>
    (inQuotes ?? bare!).replaceAll(/\\(.)/g, "$1").replaceAll("$$", "$").replaceAll("%%", "%"),
  );
}

describe("what cannot be had", () => {
  it("is said on standard error, with what to do, and nothing is printed", async () => {
    const file = join(scratch, "refused.ini");
    await writeFile(file, "[server:main]\nuse = egg:flup#ajp\n[app:main]\nuse = call:./app.js:makeApp\n");
    expect(await refused("nginx", file)).toEqual({
      code: 2,
      told:
        `propylon: CONFIG_NOT_SUPPORTED: ${file}:1 [server:main] nginx speaks no AJP: ` +
        '"use = package:propylon#fcgi" serves the same app to it\n',
    });
  });
});
