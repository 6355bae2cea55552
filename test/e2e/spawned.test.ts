/** Apps that the web server starts: with the socket to listen on as descriptor 0 (mod_fcgid, lighttpd, spawn-fcgi), or as CGI. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { ROOT } from "../support/examples.ts";
import { type Front, INSTALLED, isRunnable, startWebServer } from "../support/front.ts";
import { type Answer, begin, call } from "../support/http-client.ts";
import { note } from "../support/matrix.ts";
import { Service, ask } from "../support/service.ts";
import { configure, lay, makeSpawned, startSpawning } from "../support/spawned.ts";
import { sleep, until } from "../support/supervised.ts";
import { type Configuration, SPAWNED } from "./configurations.ts";

const UPLOAD = Buffer.from(Array.from({ length: 3 * 2 ** 20 }, (_, i) => i % 251));

/** What stands for /srv/app in the examples, with an app that notes what happens. */
let directory: string;
let front: Front | undefined;

beforeEach(async () => {
  directory = await makeSpawned(await readFile(join(ROOT, "test/support/apps/spawned.js"), "utf8"));
  await writeFile(join(directory, "events"), "");
  await chmod(join(directory, "events"), 0o666);
});

afterEach(async () => {
  await front?.stop();
  front = undefined;
  await until(
    async () => (await living()).length === 0,
    () => "the processes to end",
  );
  await rm(directory, { recursive: true, force: true });
});

async function events(): Promise<string[]> {
  return (await readFile(join(directory, "events"), "utf8")).trimEnd().split("\n").filter(Boolean);
}

async function happened(event: string): Promise<void> {
  await until(
    async () => (await events()).some((line) => line.endsWith(` ${event}`)),
    () => `"${event}" to happen`,
  );
}

/** Of the processes that the app has noted those that are still there. */
async function living(): Promise<number[]> {
  const pids = new Set((await events()).map((line) => Number(line.split(" ")[0])));
  return [...pids].filter((pid) => existsSync(`/proc/${pid}`));
}

async function start(configuration: Configuration): Promise<Front> {
  front = await startSpawning(directory, configuration);
  return front;
}

function json(answer: Answer): Record<string, unknown> {
  expect(answer.status, answer.body.toString()).toBe(200);
  return JSON.parse(answer.body.toString()) as Record<string, unknown>;
}

describe.each(SPAWNED.map((each) => [each.title, each] as const))("%s", (_title, configuration) => {
  const { prefix } = configuration;

  it.skipIf(!isRunnable(configuration))(
    "starts the app, which answers, streams, takes an upload, and hears that the client has left",
    async () => {
      const { url } = await start(configuration);
      const headers = ["Authorization", "Basic YTpi"];
      expect(json(await call(url, { path: `${prefix}/a%2Fb?x=1`, headers }))).toMatchObject({
        ...{ method: "GET", url: "/a%2Fb?x=1", baseUrl: prefix, authorization: "Basic YTpi", env: "production" },
      });

      const halves = await begin(url, { path: `${prefix}/halves` });
      const [first] = (await once(halves, "data")) as [Buffer];
      expect(first.toString()).toBe("first half, ");
      const [second] = (await once(halves, "data")) as [Buffer];
      expect(second.toString()).toBe("second half");

      const digest = await call(url, { method: "POST", path: `${prefix}/digest`, body: UPLOAD });
      expect(digest.body.toString()).toBe(createHash("sha256").update(UPLOAD).digest("hex"));

      const drip = await begin(url, { path: `${prefix}/drip` });
      await once(drip, "data");
      drip.destroy();
      await happened("left");
    },
  );
});

const both = ["apache", "lighttpd"] as const;
/** The first that starts FastCGI, at the root. */
const spawning = (name: "apache" | "lighttpd"): Configuration => SPAWNED.find(({ server }) => server === name)!;
const runs = (name: "apache" | "lighttpd"): boolean => isRunnable(spawning(name));

describe.each(both)("started by %s", (name) => {
  it.skipIf(!runs(name)).each(["thread", "fork"])(
    "the %s mode serves too, and all of its processes end with the web server",
    async (mode) => {
      await configure(
        directory,
        `[server:spawned]\nuse = egg:propylon#fcgi_${mode}\npm = static\nmaxThreads = 2\nmaxChildren = 2\n`,
      );
      const { url, stop } = await start(spawning(name));
      const pids = new Set<unknown>();
      for (let i = 0; i < 8; i++) pids.add(json(await call(url, { path: "/" }))["pid"]);
      const digest = await call(url, { method: "POST", path: "/digest", body: UPLOAD });
      expect(digest.body.toString()).toBe(createHash("sha256").update(UPLOAD).digest("hex"));
      await stop();
      for (const pid of pids)
        await until(
          () => !existsSync(`/proc/${String(pid)}`),
          () => `process ${String(pid)} to end`,
        );
    },
  );

  it.skipIf(!runs(name))(
    "its error log has why an app cannot be loaded, which is not tried again and again",
    async () => {
      await writeFile(
        join(directory, "app.js"),
        'import { appendFileSync } from "node:fs";\n' +
          'appendFileSync(new URL("./events", import.meta.url), `${process.pid} failed\\n`);\n' +
          'export function makeApp() {\n  throw new Error("the database is not there");\n}\n',
      );
      const { url, log } = await start(spawning(name));
      // After some failures mod_fcgid lets requests wait for a quarter of a minute before the next start; lighttpd answers
      // at once and starts the app again after two seconds.
      const requests = name === "apache" ? 3 : 20;
      const begun = Date.now();
      for (let i = 0; i < requests; i++) {
        expect((await call(url, { path: "/" })).status).toBeOneOf([500, 503]);
        await sleep(100);
      }
      const starts = (await events()).length;
      expect(starts).toBeGreaterThan(0);
      expect(starts).toBeLessThanOrEqual(6 + (Date.now() - begun) / 1000);
      expect(await log()).toMatch(/APP_LOAD_FAILED: .*hello\.ini:\d+ \[app:main\] .*the database is not there/);
    },
  );
});

describe.skipIf(!runs("apache"))("mod_fcgid", () => {
  it("starts a process for each request that comes while the others are busy", async () => {
    const { url } = await start(spawning("apache"));
    const answers = await Promise.all(Array.from({ length: 3 }, () => call(url, { path: "/slow" })));
    expect(answers.map(({ body }) => body.toString())).toEqual(["slow but sure", "slow but sure", "slow but sure"]);
    expect((await living()).length).toBeGreaterThan(1);
  });

  it("lets a request be answered while Apache restarts gracefully, then starts anew", async () => {
    const { url, pid } = await start(spawning("apache"));
    const before = json(await call(url, { path: "/" }))["pid"];
    const answer = call(url, { path: "/slow" });
    await happened("slow");
    process.kill(pid, "SIGUSR1");
    expect((await answer).body.toString()).toBe("slow but sure");
    await happened("ended");
    expect(json(await call(url, { path: "/" }))["pid"]).not.toBe(before);
  });

  it("serves the directory of somebody who may put files there alone: .htaccess and app.fcgi", async () => {
    const { url } = await startAtHoster();
    const headers = ["Authorization", "Basic YTpi"];
    expect(json(await call(url, { path: "/a/b?x=1", headers }))).toMatchObject({
      ...{ url: "/a/b?x=1", baseUrl: "", authorization: "Basic YTpi", env: "production" },
    });
    expect(json(await call(url, { path: "/" }))).toMatchObject({ url: "/", baseUrl: "" });
    expect((await call(url, { path: "/robots.txt" })).body.toString()).toBe("User-agent: *\n");
  });
});

/** A host that lets its users have .htaccess files. */
async function startAtHoster(without: readonly string[] = []): Promise<Front> {
  const home = join(directory, "public_html");
  await mkdir(home);
  await cp(join(ROOT, "examples/spawned/public_html/.htaccess"), join(home, ".htaccess"));
  await lay(directory, "public_html/app.fcgi", join(home, "app.fcgi"));
  await writeFile(join(home, "robots.txt"), "User-agent: *\n");
  const hoster = join(directory, "hoster.conf");
  await writeFile(
    hoster,
    `Listen 127.0.0.1:8080\n<VirtualHost 127.0.0.1:8080>\nDocumentRoot "${home}"\n<Directory "${home}">\n` +
      `Options FollowSymLinks\nAllowOverride FileInfo AuthConfig Options=ExecCGI\nRequire all granted\n` +
      "</Directory>\n</VirtualHost>\n",
  );
  front = await startWebServer({ name: "apache", config: hoster, without });
  return front;
}

describe.each(both)("%s that has CGI alone", (name) => {
  const test = it.skipIf(!INSTALLED.has(name));

  async function startWithCgi(): Promise<Front> {
    if (name === "apache") return await startAtHoster(["fcgid"]);
    await mkdir(join(directory, "www"));
    await lay(directory, "public_html/app.fcgi", join(directory, "www/app.fcgi"));
    const config = join(ROOT, "examples/lighttpd/cgi.conf");
    front = await startWebServer({ name, config, values: { ROOT: join(directory, "www") } });
    return front;
  }

  test("starts app.fcgi for each request: answers, uploads and streams are as ever", async (context) => {
    const { url } = await startWithCgi();
    const headers = ["Authorization", "Basic YTpi", "Proxy", "http://evil.example"];
    const seen = json(await call(url, { path: "/a%20b/%C3%BC?x=1", headers }));
    expect(seen).toMatchObject({
      ...{ method: "GET", url: "/a%20b/%C3%BC?x=1", baseUrl: "", authorization: "Basic YTpi", env: "production" },
    });
    expect(json(await call(url, { path: "/" }))["pid"]).not.toBe(seen["pid"]);
    expect((await call(url, { path: "/env", headers })).body.toString()).toBe("");
    expect((await call(url, { method: "HEAD", path: "/a" })).body.length).toBe(0);

    const sha256 = createHash("sha256").update(UPLOAD).digest("hex");
    expect((await call(url, { method: "POST", path: "/digest", body: UPLOAD })).body.toString()).toBe(sha256);
    const pieces = await call(url, { method: "POST", path: "/digest", body: ["one", "two", "three"] });
    expect(pieces.body.toString()).toBe(createHash("sha256").update("onetwothree").digest("hex"));

    const halves = await begin(url, { path: "/halves" });
    const [first] = (await once(halves, "data")) as [Buffer];
    expect(first.toString()).toBe("first half, ");
    halves.resume();
    await once(halves, "end");
    for (const feature of ["upload of unknown length", "streaming"] as const) note(context, `${name} cgi`, feature);
  });

  test("ends the app of a client that has left", async (context) => {
    const { url } = await startWithCgi();
    const drip = await begin(url, { path: "/drip" });
    await once(drip, "data");
    drip.destroy();
    await happened("left");
    await happened("ended");
    note(context, `${name} cgi`, "client gone, writing");
  });

  test("has in its error log why an app cannot be loaded", async () => {
    await writeFile(join(directory, "app.js"), 'throw new Error("the database is not there");\n');
    const { url, log } = await startWithCgi();
    expect((await call(url, { path: "/" })).status).toBe(500);
    expect(await log()).toMatch(/APP_LOAD_FAILED: .*the database is not there/);
  });
});

describe.skipIf(!existsSync("/usr/bin/spawn-fcgi") || !INSTALLED.has("lighttpd"))("spawn-fcgi", () => {
  it("starts the app in the background, for a web server that finds the socket", async () => {
    const socket = join(directory, "run/app.sock");
    const { stdout } = await promisify(execFile)("spawn-fcgi", [
      ...["-s", socket, "-M", "0666", "-P", join(directory, "pid"), "--", join(directory, "start.sh")],
    ]);
    const pid = Number(await readFile(join(directory, "pid"), "utf8"));
    expect(stdout).toContain(String(pid));
    const config = join(ROOT, "examples/lighttpd/fastcgi-unix.conf");
    front = await startWebServer({ name: "lighttpd", config, values: { SOCKET: socket } });
    expect(json(await call(front.url, { path: "/a" }))).toMatchObject({ url: "/a", pid });
    process.kill(pid, "SIGTERM");
    await happened("ended");
  });

  it("starts an SCGI server too, which has to say that it listens on descriptor 0", async () => {
    await configure(directory, "[server:spawned]\nuse = egg:propylon#scgi\nfd = 0\n");
    const path = join(directory, "run/app.sock");
    await promisify(execFile)("spawn-fcgi", ["-s", path, "-P", join(directory, "pid"), join(directory, "start.sh")]);
    expect(JSON.parse(await ask({ path }, "/a", "scgi"))).toMatchObject({ url: "/a" });
    process.kill(Number(await readFile(join(directory, "pid"), "utf8")), "SIGTERM");
    await happened("ended");
  });
});

describe("CGI's variables", () => {
  const env = { GATEWAY_INTERFACE: "CGI/1.1", REQUEST_METHOD: "GET", SCRIPT_NAME: "", PATH_INFO: "/a" };

  it("mean nothing to a server that says where it listens", async () => {
    const path = join(directory, "app.sock");
    await configure(directory, `[server:main]\nuse = egg:propylon#fcgi\nsocket = ${path}\n`);
    const service = await Service.start({ args: [join(directory, "hello.ini")], env });
    expect(JSON.parse(await ask({ path }, "/b"))).toMatchObject({ url: "/b" });
    expect(await service.stop()).toBe(0);
  });

  it.each(["POST", "GET"])("give one answer with the section's own options, and an exit code: %s", async (method) => {
    await configure(
      directory,
      "[server:main]\nuse = egg:propylon#fcgi_thread\nmount = /x\nmax_body_bytes = 5\naccess_log = stderr\n",
    );
    const given = method === "POST" ? { CONTENT_LENGTH: "6" } : {};
    const service = await Service.start({
      ...{ args: [join(directory, "hello.ini")], env: { ...env, ...given, REQUEST_METHOD: method, PATH_INFO: "/x/y" } },
      until: async () => await Promise.resolve(),
    });
    await until(
      () => service.gone,
      () => service.output,
    );
    expect(service.process.exitCode).toBe(0);
    if (method === "POST") expect(service.output).toMatch(/^Status: 413 /m);
    else expect(service.output).toMatch(/^Status: 200 OK\r\n(?:.+\r\n)+\r\n.*"url":"\/y","baseUrl":"\/x"/m);
    expect(service.output).toMatch(/"(?:GET|POST) \/x\/y .*" (?:413|200) /);
  });
});
