/** `propylon request`: the app in this process, and running servers. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { SupervisedServer } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "bin/propylon.js");

const APP = `
import { createHash } from "node:crypto";
export function makeApp(globalConf, { greeting = "hello" }) {
  setInterval(() => {}, 1000); // Keeps a process that does not end by itself.
  return async (req, res) => {
    if (req.url === "/throw") throw new Error("thrown by the app");
    if (req.url === "/break") { res.write("half"); setTimeout(() => res.destroy(), 50); return; }
    if (req.url === "/hang") return;
    const body = []; for await (const chunk of req) body.push(chunk);
    if (req.url === "/echo") return res.end(Buffer.concat(body));
    if (req.url === "/missing") res.statusCode = 404;
    res.setHeader("x-greeting", greeting);
    res.end(JSON.stringify({ greeting, method: req.method, url: req.url, base: req.baseUrl, headers: req.headers,
      user: req.cgi.REMOTE_USER, https: req.cgi.HTTPS, path: req.cgi.PATH_INFO, body: Buffer.concat(body).toString(), pid: process.pid }));
  };
}`;

let directory: string;
let server: SupervisedServer | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-asking-"));
  await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
  await writeFile(join(directory, "app.js"), APP);
  await writeFile(
    join(directory, "app.ini"),
    "[app:main]\nuse = call:./app.js:makeApp\ngreeting = %(word)s\n[DEFAULT]\nword = hello\n" +
      "[app:other]\nuse = call:./app.js:makeApp\ngreeting = other\n[server:main]\nuse = egg:propylon#scgi_fork\nport = 1\n",
  );
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
});
afterAll(async () => await rm(directory, { recursive: true }));

interface Run {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}

async function request(args: readonly string[], input?: Uint8Array): Promise<Run> {
  const child = spawn(process.execPath, [BIN, "request", ...args], { cwd: directory, stdio: "pipe" });
  child.stdin.end(input);
  const code = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const out: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  const err = await text(child.stderr);
  return { code: await code, out: Buffer.concat(out), err };
}

async function told(...args: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await request(args);
  expect(err).toBe("");
  expect(code).toBe(0);
  return JSON.parse(String(out)) as Record<string, unknown>;
}

describe("a request to the app of a file", () => {
  it("is a GET by itself, with the variables of a web server on this machine", async () => {
    expect(await told("app.ini", "/a%20b/é?x=1#fragment")).toMatchObject({
      ...{ greeting: "hello", method: "GET", url: "/a%20b/%C3%A9?x=1", base: "", headers: { host: "localhost" } },
    });
  });

  it("has the app, the mount, the headers, the host and the variables that are said", async () => {
    const said = [
      "-n",
      "other",
      "--mount",
      "/james",
      "-H",
      "X-One: ü",
      "-H",
      "Cookie: a=b",
      "--param",
      "REMOTE_USER=alice",
    ];
    expect(await told("app.ini", "https://example.org/james/x", ...said)).toMatchObject({
      ...{ greeting: "other", url: "/x", base: "/james", user: "alice", https: "on" },
      headers: { host: "example.org", "x-one": Buffer.from("ü").toString("latin1"), cookie: "a=b" },
    });
    expect(await told("app.ini#other", "/")).toMatchObject({ greeting: "other" });
    expect(await told("app.ini", "/", "word=hi")).toMatchObject({ greeting: "hi" });
  });

  it("posts what --data says, a file or standard input, byte for byte", async () => {
    expect(await told("app.ini", "/", "-d", "a=b&c=d")).toMatchObject({
      ...{ method: "POST", body: "a=b&c=d" },
      headers: { "content-type": "application/x-www-form-urlencoded", "content-length": "7" },
    });
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256));
    await writeFile(join(directory, "data.bin"), bytes);
    const put = ["app.ini", "/echo", "-X", "PUT", "-H", "content-type: application/octet-stream"];
    expect((await request([...put, "-d", "@data.bin"])).out.equals(bytes)).toBe(true);
    expect((await request([...put, "-d", "@-"], bytes)).out.equals(bytes)).toBe(true);
  });

  it("shows the head with -i, and ends with the first digit of an error", async () => {
    const { code, out } = await request(["app.ini", "/missing", "-i"]);
    expect(String(out)).toMatch(/^Status: 404 Not Found\n(?:.+\n)*x-greeting: hello\n(?:.+\n)*\n\{/i);
    expect(code).toBe(4);
  });

  it("prints no body with -q", async () => {
    expect(await request(["app.ini", "/missing", "-q"])).toMatchObject({ code: 4, out: Buffer.alloc(0), err: "" });
  });

  it("shows what the app throws once, on standard error", async () => {
    const { code, out, err } = await request(["app.ini", "/throw"]);
    expect(code).toBe(5);
    expect(String(out)).toBe("500 Internal Server Error\n");
    expect(err.match(/thrown by the app/g)).toHaveLength(1);
    expect(err).toMatch(/^Error: thrown by the app\n +at .*app\.js/);
  });

  it("fails with 1 where the answer breaks off or does not come", async () => {
    const broken = await request(["app.ini", "/break"]);
    expect(broken).toMatchObject({ code: 1, err: expect.stringContaining("propylon: the answer breaks off: ") });
    expect(String(broken.out)).toBe("half");
    const hangs = await request(["app.ini", "/hang", "--timeout", "0.3"]);
    expect(hangs).toMatchObject({ code: 1, err: expect.stringContaining("no answer in 300 ms") });
  });

  it.for([
    ["while the app answers", ["app.ini", "/hang"]],
    ["while the app loads", ["slow.ini", "/"]],
    ["while standard input is read", ["app.ini", "/echo", "--data", "@-"]],
  ] as const)("leaves nothing behind when it is interrupted %s", async ([, args]) => {
    await writeFile(join(directory, "slow.js"), `${APP}\nawait new Promise(() => setInterval(() => {}, 1000));\n`);
    await writeFile(join(directory, "slow.ini"), "[app:main]\nuse = call:./slow.js:makeApp\n");
    const child = spawn(process.execPath, [BIN, "request", ...args], {
      cwd: directory,
      env: { ...process.env, TMPDIR: directory },
      stdio: ["pipe", "ignore", "inherit"],
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    child.kill("SIGINT");
    const late = setTimeout(() => child.kill("SIGKILL"), 5000);
    expect(await ended).toBe(130);
    clearTimeout(late);
    expect((await readdir(directory)).filter((name) => name.startsWith("propylon-request-"))).toEqual([]);
  });
});

describe("a request to a running server", () => {
  it.for([
    ["fastcgi", "unix"],
    ["scgi", "tcp"],
    ["ajp", "unix"],
  ] as const)("goes by %s over %s", async ([protocol, transport]) => {
    server = await SupervisedServer.start({ mode: "single", protocol, transport });
    const where = "path" in server.target ? ["--socket", server.target.path] : ["--port", String(server.target.port)];
    const { code, out } = await request(["/x", ...where, "--protocol", protocol]);
    expect({ code, out: String(out) }).toEqual({ code: 0, out: "hello GET /x\n" });
    // The file knows the protocol.
    const told = await request([server.file, "/x", ...where]);
    expect(String(told.out)).toBe("hello GET /x\n");
    const thrown = await request(["/throw", ...where, "--protocol", protocol]);
    expect(thrown.code).toBe(5);
    expect(/thrown by the app/.test(thrown.err)).toBe(protocol === "fastcgi");
  });

  it("has the secret of the file, in any letters", async () => {
    server = await SupervisedServer.start({ mode: "single", protocol: "ajp", server: { secret: "Schlüssel" } });
    const where = ["--socket", (server.target as { path: string }).path];
    expect((await request(["/x", ...where, "--protocol", "ajp"])).code).toBe(4);
    expect(String((await request([server.file, "/x", ...where])).out)).toBe("hello GET /x\n");
  });

  it("says where nobody answers", async () => {
    expect(await request(["/", "--socket", "none.sock"])).toMatchObject({
      ...{ code: 1, err: "propylon: none.sock: there is no such socket (ENOENT)\n" },
    });
  });
});
