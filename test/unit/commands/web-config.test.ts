import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { type WebConfigFlags, webConfig } from "../../../src/commands/web-config.ts";

const APP = "[app:main]\nuse = call:./app.js:makeApp\n";
let directory: string;

beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), "propylon-web-config-"))));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => {
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

interface Outcome {
  readonly code: unknown;
  readonly printed: string;
  readonly told: string;
}

/** Runs the command with a file of a server section and an app. */
async function run(kind: string, server: string, flags: WebConfigFlags = {}, app = APP): Promise<Outcome> {
  const file = join(directory, "wiki.ini");
  writeFileSync(file, `[server:main]\n${server}\n${app}`);
  let printed = "";
  let told = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => (printed += String(chunk)) !== "");
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => (told += String(chunk)) !== "");
  await webConfig(kind, file, [], flags);
  return { code: process.exitCode, printed, told };
}

const FCGI = "use = egg:propylon#fcgi\nsocket = /run/wiki/app.sock\nsocket_group = www-data";
const AJP = "use = egg:propylon#ajp\nport = 8009";
const SPAWNED = "use = egg:propylon#fcgi";

describe("propylon web-config", () => {
  it.for<readonly [string, string, WebConfigFlags, string]>([
    ["iis", FCGI, {}, '"iis" is none of apache, lighttpd, nginx, caddy, systemd'],
    ["ngnix", FCGI, {}, ', did you mean "nginx"?'],
    ["haproxy", FCGI, {}, "nothing is printed for haproxy: examples/haproxy has configurations to copy"],
    ["systemd", FCGI, { hostName: "x" }, "--host-name is for web servers, and not for systemd"],
    ["nginx", FCGI, { user: "x" }, "--user is for systemd, and not for nginx"],
    ["nginx", AJP, {}, "CONFIG_NOT_SUPPORTED"],
    ["caddy", AJP, {}, 'Caddy speaks no AJP: "use = package:propylon#fcgi"'],
    ["caddy", "use = egg:propylon#scgi\nport = 4000", {}, "Caddy speaks no SCGI"],
    ["nginx", SPAWNED, {}, "nginx starts no programs: write"],
    ["caddy", SPAWNED, {}, "Caddy starts no programs: write"],
    ["systemd", SPAWNED, {}, "who starts it hands over its socket: examples/systemd has units for that"],
    ["apache", "use = egg:propylon#scgi", {}, "Apache starts no SCGI servers: write"],
    ["lighttpd", "use = egg:propylon#ajp\nsecret = x", {}, "[server:main] secret: lighttpd does not send it"],
    ["apache", AJP, { prefix: "/james" }, 'mod_proxy_ajp cannot say that the app is at /james: write "mount = /james"'],
    ["lighttpd", AJP, { prefix: "/james" }, 'AJP cannot say that the app is at /james: write "mount = /james"'],
    ["nginx", "use = egg:propylon#http", {}, "propylon#http speaks neither FastCGI nor SCGI nor AJP"],
    ["nginx", `${FCGI}\nmount = /a`, { prefix: "/b" }, "mount: the app is at /a, and not at the --prefix /b"],
    [
      "nginx",
      `${FCGI}\nmount = /`,
      { prefix: "/b" },
      "mount: says that the app is at /, and --prefix that it is at /b",
    ],
    ["nginx", `${FCGI}\nmount = /a b`, {}, 'mount: the prefix "/a b" cannot be written'],
    ["nginx", FCGI, { prefix: "/a/../b" }, '--prefix: the prefix "/a/../b" cannot be written'],
    ["nginx", FCGI, { prefix: "james" }, '--prefix: the prefix "james" cannot be written'],
    ["nginx", FCGI, { static: ["/x"] }, '--static: "/x" is not URL=DIRECTORY'],
    ["nginx", FCGI, { static: ["x=/y"] }, '--static: "x=/y" is not URL=DIRECTORY'],
    ["nginx", FCGI, { static: ["/=/y"] }, '--static: "/=/y" is not URL=DIRECTORY'],
    ["nginx", FCGI, { static: ["/x="] }, '--static: "/x=" is not URL=DIRECTORY'],
    ["nginx", FCGI, { static: ["/x=~/y"] }, '--static: no shell replaces the ~ of "/x=~/y"'],
    ["nginx", FCGI, { static: ["/a;b=/y"] }, '--static: the path "/a;b" cannot be written'],
    ["nginx", FCGI, { static: ["/x=/y$z"] }, 'the directory "/y$z/" has "$"'],
    ["nginx", FCGI, { static: ["/x=/y\nz"] }, 'the directory "/y\\nz/" has "\\n"'],
    ["apache", FCGI, { static: ["/x=/y*"] }, 'the directory "/y*" has "*"'],
    ["apache", FCGI, { static: ["/x=/${y}"] }, 'has "${"'],
    ["lighttpd", FCGI, { static: ["/x=/y\\z"] }, 'has "\\\\"'],
    ["caddy", FCGI, { static: ["/x=/{y}"] }, 'the directory "/{y}" has "{"'],
    ["caddy", FCGI, { root: "/{y}" }, 'the directory "/{y}" has "{"'],
    ["nginx", FCGI, { listen: "x" }, '--listen: "x" is no port and no HOST:PORT'],
    ["nginx", FCGI, { listen: "0" }, '--listen: "0" is no port'],
    ["nginx", FCGI, { listen: "65536" }, '--listen: "65536" is no port'],
    ["nginx", FCGI, { listen: "a;b:80" }, '--listen: "a;b" is no name and no address of a host'],
    ["nginx", FCGI, { hostName: "a b" }, '--host-name: "a b" is no name and no address of a host'],
    ["nginx", FCGI, { hostName: "a:80" }, '--host-name: "a:80" has a port or more in it'],
    ["nginx", "use = egg:propylon#fcgi\nport = 0", {}, "port: 0 is another port at each start"],
    ["nginx", "use = egg:propylon#fcgi\nsocket = app.sock", {}, "write %(here)s/app.sock"],
    ["apache", "use = egg:propylon#fcgi\nsocket = /run/a|b.sock", {}, 'the socket "/run/a|b.sock" has characters'],
    ["nginx", "use = egg:propylon#fcgi\nsocket = /run/a;b.sock", {}, 'the socket "/run/a;b.sock" has characters'],
    ["apache", `${AJP}\nsecret = a b`, {}, "secret: has characters"],
    ["systemd", "use = egg:propylon#fcgi\nsocket = /run/wiki.sock", {}, "only root can have a socket right in /run"],
    ["systemd", `${FCGI}\nsocket_owner = daemon`, {}, "socket_owner: only root may give a socket away"],
    ["systemd", FCGI, { user: "a b" }, '"a b" is no name of a user or a group'],
    ["nginx", FCGI, { socket: "/run/x.sock" }, "--socket is for a server that is handed its socket"],
    ["systemd", FCGI, { socket: "/run/x.sock" }, "--socket is for web servers, and not for systemd"],
    ["nginx", `${FCGI}\nsokcet = x`, {}, 'did you mean "socket"?'],
  ])("refuses %s of %j with %j: 2", async ([kind, server, flags, wording]) => {
    const { code, printed, told } = await run(kind, server, flags);
    expect(told).toContain(wording);
    expect({ code, printed }).toEqual({ code: 2, printed: "" });
  });

  it("never tells a secret in a refusal", async () => {
    expect((await run("apache", `${AJP}\nsecret = hush hush`)).told).not.toContain("hush");
  });

  it.each([
    ["0.0.0.0", "127.0.0.1:6500"],
    ["::", "127.0.0.1:6500"],
    ["localhost", "127.0.0.1:6500"],
    ["[::1]", "[::1]:6500"],
    ["app.internal", "app.internal:6500"],
  ])("asks a server on %s at %s", async (host, address) => {
    const server = `use = egg:propylon#fcgi\nhost = ${host}\nport = 6500\nallowed_clients = 10.0.0.1`;
    expect((await run("nginx", server)).printed).toContain(`fastcgi_pass ${address};`);
  });

  it("takes the prefix from PrefixMiddleware, and then AJP needs no mount", async () => {
    const filtered = `${APP}filter-with = p\n[filter:p]\nuse = egg:PasteDeploy#prefix\nprefix = /james/\n`;
    expect((await run("apache", AJP, {}, filtered)).printed).toContain(
      'ProxyPass "/james" "ajp://127.0.0.1:8009/james"',
    );
  });

  it("is told where the socket is that somebody hands over", async () => {
    const { printed } = await run("nginx", SPAWNED, { socket: "/run/wiki.sock" });
    expect(printed).toContain("fastcgi_pass unix:/run/wiki.sock;");
    expect(printed).not.toContain("socket_group");
  });

  it("asks where the socket is that systemd hands over", async () => {
    const { code, told } = await run("lighttpd", `${SPAWNED}\nfd = web`);
    expect(told).toContain("hands the socket over: say by --socket where it is");
    expect(code).toBe(2);
  });

  it("tells Apache's sockets apart by their paths", async () => {
    expect((await run("apache", FCGI)).printed).toContain('"unix:/run/wiki/app.sock|fcgi://run-wiki-app/"');
  });

  it.each(["apache", "lighttpd", "nginx", "caddy"])("says of %s which group the socket needs", async (kind) => {
    const { printed } = await run(kind, "use = egg:propylon#fcgi\nsocket = /run/wiki/app.sock");
    expect(printed).toMatch(/^# .*socket_group = (?:www-data|caddy)"/m);
  });

  it("has a word for options that need more of the web server", async () => {
    const server = `${FCGI}\nauthorizer = main`;
    const { code, printed, told } = await run("apache", server);
    expect([code, printed.includes("ProxyPass")]).toEqual([undefined, true]);
    expect(told).toMatch(/wiki\.ini:5 \[server:main\] authorizer: needs lines of the web server .*web-server\.md/);
    expect((await run("systemd", server, { user: "www-data" })).told).not.toContain("needs lines");
  });

  it("refuses a way to send files that the web server does not know", async () => {
    const byPath = `${FCGI}\nsendfile = x-sendfile\nsendfile_root = /srv`;
    const byUri = `${FCGI}\nsendfile = x-accel-redirect\nsendfile_root = /srv\nsendfile_uri = /internal/`;
    for (const [kind, server, why] of [
      ["nginx", byPath, "nginx is told by x-accel-redirect"],
      ["apache", byUri, "Apache is told by x-sendfile"],
      ["lighttpd", byUri, "lighttpd is told by x-sendfile"],
      ["caddy", byUri, "Caddy is told by x-sendfile"],
    ] as const) {
      const { code, printed, told } = await run(kind, server);
      expect([code, printed], told).toEqual([2, ""]);
      expect(told).toMatch(new RegExp(`CONFIG_NOT_SUPPORTED: .*sendfile.*: ${why}`));
    }
    const internal = `${FCGI}\nsendfile = x-accel-redirect\nsendfile_root = /srv\nsendfile_uri = /int{1}/`;
    expect((await run("nginx", internal)).told).toMatch(/sendfile_uri/);
  });

  it("has a word for early hints, but for lighttpd", async () => {
    const server = `${FCGI}\nearly_hints = true`;
    const warning = expect.stringMatching(/wiki\.ini:\d+ \[server:main\] early_hints: nginx passes no early hints/);
    expect((await run("nginx", server)).told).toEqual(warning);
    expect((await run("lighttpd", server)).told).not.toContain("early");
  });

  it("lets nginx be patient with WebSockets over SCGI, and has a word for what cannot carry them", async () => {
    const scgi = FCGI.replace("fcgi", "scgi");
    const [upgrade, patient] = ["upgrade = true", "upgrade = true\nupgrade_idle_timeout = 10m"];
    expect(await run("nginx", `${scgi}\n${upgrade}`)).toMatchObject({
      printed: expect.stringContaining("        scgi_read_timeout 330s;\n"),
      told: "",
    });
    expect((await run("nginx", `${scgi}\n${patient}`)).printed).toContain("scgi_read_timeout 630s;");
    const endless = `${scgi}\nupgrade = true\nupgrade_idle_timeout = 0`;
    expect((await run("nginx", endless)).printed).toContain("scgi_read_timeout 24d;");
    expect((await run("nginx", scgi)).printed).not.toContain("read_timeout");
    const fastcgi = await run("nginx", `${FCGI}\n${upgrade}`);
    expect(fastcgi.printed).not.toContain("read_timeout");
    expect(fastcgi.told).toMatch(/wiki\.ini:\d+ \[server:main\] upgrade: nginx carries WebSockets over SCGI alone/);
    expect((await run("apache", `${scgi}\n${upgrade}`)).told).toMatch(/upgrade: apache carries no WebSockets: leave/);
    expect((await run("lighttpd", `${scgi}\n${upgrade}`)).told).toMatch(/upgrade: needs lines that are not printed/);
  });

  it("has a word for a directory that is not on this machine, and prints all the same", async () => {
    const { code, printed, told } = await run("nginx", FCGI, { static: ["/here=/tmp", "/there=/not/there/"] });
    expect(told).toMatch(/ warn there is no directory \/not\/there on this machine, for the files at \/there\n$/);
    expect(told.split("\n")).toHaveLength(2);
    expect(printed).toContain('alias "/not/there/";');
    expect(code).toBeUndefined();
  });

  it("lets Caddy have a certificate for a host name alone", async () => {
    expect((await run("caddy", FCGI, { hostName: "wiki.example.org" })).printed).toMatch(/^wiki\.example\.org \{/m);
    const flags = { hostName: "wiki.example.org", listen: "8080" };
    expect((await run("caddy", FCGI, flags)).printed).toMatch(/^http:\/\/wiki\.example\.org:8080 \{/m);
  });
});

describe("propylon web-config systemd", () => {
  it("runs as the user of the file, with the group of the socket beside its own, in a directory of /run", async () => {
    const { printed } = await run("systemd", `${FCGI}\nuser = daemon\ngroup = daemon`);
    for (const line of ["User=daemon", "Group=daemon", "SupplementaryGroups=www-data", "RuntimeDirectory=wiki"]) {
      expect(printed).toContain(`\n${line}\n`);
    }
    expect(printed).not.toContain("--user");
  });

  it("tells the server of another user than the file's", async () => {
    const { printed } = await run("systemd", `${FCGI}\nuser = daemon`, { user: "www-data" });
    expect(printed).toContain("\nUser=www-data\n");
    expect(printed).toMatch(/^ExecStart=.* serve .*wiki\.ini --user www-data$/m);
  });

  it("reloads servers with workers alone: the signal would end the others", async () => {
    expect((await run("systemd", FCGI)).printed).not.toContain("ExecReload");
    expect((await run("systemd", FCGI.replace("fcgi", "fcgi_fork"))).printed).toContain("\nExecReload=");
  });

  it.each([
    ["", "50"],
    ["\ngraceful_timeout = 90s", "110"],
    ["\ngraceful_timeout = 0", "infinity"],
  ])("waits for graceful_timeout (%j) and more: %s", async (option, value) => {
    expect((await run("systemd", FCGI + option)).printed).toContain(`\nTimeoutStopSec=${value}\n`);
  });

  it("lets a user have a port below 1024", async () => {
    expect((await run("systemd", "use = egg:propylon#fcgi\nport = 900")).printed).toContain("CAP_NET_BIND_SERVICE");
  });

  it("knows of a server that is not a gateway no more than how it is started", async () => {
    const { code, printed } = await run("systemd", "use = egg:propylon#http");
    expect(code).toBeUndefined();
    expect(printed).toMatch(/^ExecStart=\S+ \S+\/bin\/propylon\.js serve \S+\/wiki\.ini$/m);
  });
});
