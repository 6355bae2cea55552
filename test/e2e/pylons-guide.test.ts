/** The configuration of the Pylons deployment guide, as it stands there, before the sample wiki. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type Front, INSTALLED, freePort, startWebServer } from "../support/front.ts";
import { call } from "../support/http-client.ts";
import { until } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "bin/propylon.js");

/** `deployment.ini_tmpl` of a Pylons project; the wiki's own three keys stand after its own. */
const TEMPLATE = `
[DEFAULT]
debug = true
email_to = you@yourdomain.com
smtp_server = localhost
error_email_from = paste@localhost

[server:main]
use = egg:Paste#http
host = 127.0.0.1
port = 5000

[app:main]
use = egg:wiki
full_stack = true
static_files = true

cache_dir = %(here)s/data
beaker.session.key = wiki
beaker.session.secret = \${app_instance_secret}
app_instance_uuid = \${app_instance_uuid}

# If you'd like to fine-tune the individual locations of the cache data dirs
# for the Cache data, or the Session saves, un-comment the desired settings
# here:
#beaker.cache.data_dir = %(here)s/data/cache
#beaker.session.data_dir = %(here)s/data/sessions

# WARNING: *THE LINE BELOW MUST BE UNCOMMENTED ON A PRODUCTION ENVIRONMENT*
# Debug mode will enable the interactive debugging tool, allowing ANYONE to
# execute malicious code after an exception is raised.
set debug = false

database = %(here)s/data/wiki.db
secret = \${app_instance_secret}
site_name = James

# Logging configuration
[loggers]
keys = root

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = INFO
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[formatter_generic]
format = %(asctime)s %(levelname)-5.5s [%(name)s] [%(threadName)s] %(message)s
`;

let directory: string;
let child: ChildProcess | undefined;
let front: Front | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-guide-"));
  await chmod(directory, 0o755);
  const modules = join(directory, "node_modules");
  await mkdir(join(modules, "@fastify"), { recursive: true });
  await cp(join(ROOT, "examples/wiki"), join(modules, "wiki"), { recursive: true });
  await writeFile(join(modules, "wiki/deployment.ini_tmpl"), TEMPLATE);
  for (const name of ["express", "libsql", "marked", "@fastify/busboy"]) {
    await symlink(join(ROOT, "node_modules", name), join(modules, name));
  }
});

afterEach(async () => {
  await front?.stop();
  front = undefined;
  if (child !== undefined && child.exitCode === null) {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  child = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function propylon(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const run = spawn(process.execPath, [BIN, ...args], { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(run, "exit") as Promise<[number | null]>;
  const [out, err, [code]] = await Promise.all([text(run.stdout), text(run.stderr), exit]);
  return { code, out, err };
}

/** Gives what it has said, which grows. */
async function serve(): Promise<{ said: string }> {
  const output = { said: "" };
  child = spawn(process.execPath, [BIN, "serve", "wiki_production.ini"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (chunk: Buffer) => void (output.said += String(chunk)));
  }
  await until(
    () => output.said.includes("Serving ") || child!.exitCode !== null,
    () => output.said,
  );
  expect(output.said).toContain("Serving ");
  return output;
}

/** make-config, an edit of the server's section, setup-app. */
async function configure(edit: (config: string) => string): Promise<void> {
  const made = await propylon("make-config", "wiki", "wiki_production.ini");
  expect(made).toMatchObject({ code: 0, err: "" });
  const file = join(directory, "wiki_production.ini");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const config = await readFile(file, "utf8");
  expect(config).toMatch(/^beaker\.session\.secret = \S{40,}$/m);
  expect(config).not.toContain("${");
  await writeFile(file, edit(config));
  const set = await propylon("setup-app", "wiki_production.ini");
  expect(set.code, set.err).toBe(0);
  // The wiki says by console what it has done, and the root logger lets it pass.
  expect(set.err).toMatch(/INFO {2}\[console\] \[MainThread\] .*wiki\.db: \d+ pages written/);
}

const SERVER = /use = egg:Paste#http\nhost = 127\.0\.0\.1\nport = 5000\n/;
const FCGI = "use = egg:PasteScript#flup_fcgi_thread";
const PREFIX = "\n[filter:proxy-prefix]\nuse = egg:PasteDeploy#prefix\nprefix = /james\n";

async function page(url: string, path: string): Promise<string> {
  const { status, body } = await call(url, { path });
  expect(status).toBe(200);
  return String(body);
}

describe("the Pylons guide's configuration", () => {
  it("is made, set up and served by HTTP as it stands", async () => {
    const port = await freePort();
    await configure((config) => config.replace("port = 5000", `port = ${port}`));
    const output = await serve();
    expect(await page(`http://127.0.0.1:${port}`, "/")).toContain("James");
    expect(output.said).not.toMatch(/ (?:warn|error) /);
  });

  it("serves FastCGI by threads on host and port", async ({ skip }) => {
    skip(!INSTALLED.has("apache"), "apache is not installed");
    const port = await freePort();
    await configure((config) => config.replace(SERVER, `${FCGI}\nhost = 127.0.0.1\nport = ${port}\n`));
    await serve();
    const config = join(ROOT, "apache-examples/mod_proxy_fcgi-tcp.conf");
    front = await startWebServer({ name: "apache", config, values: { BACKEND_PORT: port } });
    expect(await page(front.url, "/")).toContain("James");
  });

  it("serves FastCGI by threads on a socket", async ({ skip }) => {
    skip(!INSTALLED.has("lighttpd"), "lighttpd is not installed");
    const socket = join(directory, "app.socket");
    // Only root may give the socket to the web server's group.
    await configure((config) => config.replace(SERVER, `${FCGI}\nsocket = ${socket}\nsocket_mode = 0666\n`));
    await serve();
    const config = join(ROOT, "examples/lighttpd/fastcgi-unix.conf");
    front = await startWebServer({ name: "lighttpd", config, values: { SOCKET: socket } });
    expect(await page(front.url, "/")).toContain("James");
  });

  it("puts the wiki below a prefix by filter-with = proxy-prefix, setup-app included", async ({ skip }) => {
    skip(!INSTALLED.has("nginx"), "nginx is not installed");
    const port = await freePort();
    await configure(
      (config) =>
        config
          .replace(SERVER, `${FCGI}\nhost = 127.0.0.1\nport = ${port}\n`)
          .replace("full_stack = true", "full_stack = true\nfilter-with = proxy-prefix") + PREFIX,
    );
    await serve();
    const config = join(ROOT, "examples/nginx/fastcgi-tcp.conf");
    front = await startWebServer({ name: "nginx", config, values: { BACKEND_PORT: port } });
    const home = await page(front.url, "/james/");
    expect(home).toContain("James");
    const links = [...home.matchAll(/(?:href|src)="(\/[^"]*)"/g)].map(([, link]) => link!);
    expect(links.length).toBeGreaterThan(3);
    for (const link of links) expect(link).toMatch(/^\/james(?:\/|$)/);
    await page(
      front.url,
      links.find((link) => link.length > "/james/".length)!,
    );
  });
});
