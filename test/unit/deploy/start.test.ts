import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { fastCgiRequest } from "../../../src/client/fastcgi-request.ts";
import { scgiRequest } from "../../../src/client/scgi-request.ts";
import type { RunningServer } from "../../../src/deploy/gateway.ts";
import { loadServer } from "../../../src/deploy/load.ts";
import { type StartOptions, check, start } from "../../../src/deploy/start.ts";
import { FCGI_AUTHORIZER, FCGI_FILTER, FCGI_RESPONDER } from "../../../src/protocol/fastcgi/constants.ts";
import { collectingLog } from "../../support/collecting-log.ts";

let directory = "";
let running: RunningServer | undefined;
const warnings: string[] = [];
const log = collectingLog(warnings);

const APP = `
[app:main]
use = call:./app.cjs:makeApp
greeting = hello

[app:upgradable]
use = call:./app.cjs:upgradable

[app:fetch]
use = call:./app.cjs:fetchApp
`;

beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "propylon-start-")));
  writeFileSync(
    join(directory, "app.cjs"),
    `exports.makeApp = (globalConf, localConf) => (req, res) => {
       if (req.url === "/throw") throw new Error("thrown");
       if (req.url === "/cgi") return res.end(req.cgi.REMOTE_USER + " " + req.cgi.NOTE + " " + req.socket.encrypted);
       res.end(localConf.greeting + " " + req.baseUrl + "|" + req.url);
     };
     exports.makeDoor = () => (req, res) => res.deny();
     exports.upgradable = Object.assign((req, res) => res.end("plain"), {
       upgrade(req, socket) {
         if (req.url === "/throw") throw new Error("thrown");
         socket.end("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: x\\r\\nConnection: Upgrade\\r\\n\\r\\nup at " + req.originalUrl);
       },
       handle() {},
     });
     exports.fetchApp = { fetch: (request) => new Response("fetched " + new URL(request.url).pathname) };`,
  );
});
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(async () => {
  await running?.close();
  running = undefined;
  warnings.length = 0;
});

async function startText(server: string, options: StartOptions = {}): Promise<RunningServer> {
  writeFileSync(join(directory, "app.ini"), `[server:main]\n${server}\n${APP}`);
  running = await start("app.ini", { relativeTo: directory, log, ...options });
  return running;
}

function params(url: string): [string, string][] {
  return [
    ["REQUEST_METHOD", "GET"],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", url],
    ["REQUEST_URI", url],
    ["QUERY_STRING", ""],
    ["SERVER_PROTOCOL", "HTTP/1.1"],
    ["SERVER_NAME", "localhost"],
    ["SERVER_PORT", "80"],
    ["CONTENT_LENGTH", "0"],
  ];
}

function portOf({ where }: RunningServer): number {
  return Number(/:(\d+)\/?$/.exec(where)?.[1]);
}

describe("start", () => {
  it("serves FastCGI on a Unix socket and takes the socket away again", async () => {
    const { where } = await startText("use = package:propylon#fcgi\nsocket = %(here)s/a.sock");
    expect(where).toBe(`FastCGI on ${directory}/a.sock`);
    const answer = await fastCgiRequest({ path: join(directory, "a.sock") }, { params: params("/x") });
    expect(await text(answer.body)).toBe("hello |/x");
    await running!.close();
    running = undefined;
    expect(existsSync(join(directory, "a.sock"))).toBe(false);
  });

  it("serves under a mount", async () => {
    const server = await startText("use = egg:propylon#fcgi\nport = 0\nscriptName = /james");
    const answer = await fastCgiRequest({ port: portOf(server) }, { params: params("/james/x") });
    expect(await text(answer.body)).toBe("hello /james|/x");
  });

  it("serves SCGI over TCP, IPv6 too", async () => {
    const server = await startText("use = package:propylon#scgi\nhost = ::1\nport = 0");
    expect(server.where).toMatch(/^SCGI on \[::1\]:\d+$/);
    const answer = await scgiRequest({ host: "::1", port: portOf(server) }, { params: params("/y") });
    expect(await text(answer.body)).toBe("hello |/y");
  });

  it("serves HTTP for development, and answers 500 for an app that throws", async () => {
    const server = await startText("use = egg:Paste#http\nport = 0\nuse_threadpool = true");
    expect(server.where).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(await (await fetch(`${server.where}z`)).text()).toBe("hello |/z");
    expect((await fetch(`${server.where}throw`)).status).toBe(500);
  });

  it("serves an app that has fetch", async () => {
    const server = await startText("use = package:propylon#http\nport = 0", { appName: "fetch" });
    expect(await (await fetch(`${server.where}f`)).text()).toBe("fetched /f");
  });

  it("gives upgrades to an app over HTTP too", async () => {
    const server = await startText("use = package:propylon#http\nport = 0", { appName: "upgradable" });
    const ask = async (path: string): Promise<string> => {
      const socket = connect(portOf(server), "127.0.0.1");
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`);
      return await text(socket);
    };
    expect(await ask("/a")).toMatch(/^HTTP\/1\.1 101 .*\r\n\r\nup at \/a$/s);
    expect(await ask("/throw")).toBe("");
    expect(warnings).toEqual([expect.stringContaining("upgrade /throw: Error: thrown")]);
  });

  it.each([
    ["use = package:propylon#ajp\nport = 0\nupgrade = true", "over AJP"],
    ["use = package:propylon#fcgi\nport = 0\nupgrade = true\nmultiplexed = true", "on multiplexed connections"],
  ])("says that an upgrade is not to be had with %j", async (server, where) => {
    await startText(server);
    expect(warnings).toEqual([expect.stringMatching(`app\\.ini:4 \\[server:main\\] upgrade: no effect ${where}$`)]);
  });

  it("serves under flup's name of the single mode and says once that its section asks for workers in vain", async () => {
    await startText("use = egg:flup#fcgi_single\nhost = 127.0.0.1\nport = 0\nmaxSpare = 5\nmaxChildren = 9");
    expect(warnings).toEqual([
      expect.stringMatching(/app\.ini:5 \[server:main\] maxSpare: no effect in the single mode/),
      expect.stringMatching(/app\.ini:6 \[server:main\] maxChildren: no effect in the single mode/),
    ]);
  });

  it.for([
    ["socket = %(here)s/d.sock", true],
    ["host = 127.0.0.1\nport = 0", true],
    ["host = 0.0.0.0\nport = 0", false],
  ] as const)("with debug at %j shows the stack: %s", async ([where, shown]) => {
    const server = await startText(`use = egg:propylon#fcgi\ndebug = true\n${where}`);
    const target = where.startsWith("socket") ? { path: join(directory, "d.sock") } : { port: portOf(server) };
    const body = await text((await fastCgiRequest(target, { params: params("/throw") })).body);
    expect(/at .*app\.cjs/.test(body)).toBe(shown);
    expect(warnings.filter((line) => line.includes("[server:main]"))).toEqual(
      shown ? [] : [expect.stringMatching(/app\.ini:1 \[server:main\] debug: shows no stacks, since others/)],
    );
  });

  it("lays the variables of environ over those of each request", async () => {
    await startText(
      "use = egg:propylon#fcgi\nsocket = %(here)s/e.sock\nenviron.REMOTE_USER = bot\nenviron.NOTE = é\nenviron.HTTPS = on",
    );
    const answer = await fastCgiRequest({ path: join(directory, "e.sock") }, { params: params("/cgi") });
    expect(await text(answer.body)).toBe(`bot ${Buffer.from("é").toString("latin1")} true`);
  });

  it("answers the roles that have an app by it, by a URI too, and no role that has none", async () => {
    const server = await startText("use = egg:propylon#fcgi\nport = 0\nauthorizer = call:./app.cjs:makeDoor");
    const ask = async (role: number): Promise<string> => {
      const answer = await fastCgiRequest({ port: portOf(server) }, { params: params("/x"), role });
      return `${answer.status} ${await text(answer.body)}`;
    };
    expect([await ask(FCGI_RESPONDER), await ask(FCGI_AUTHORIZER), await ask(FCGI_FILTER)]).toEqual([
      "200 hello |/x",
      "403 ",
      "500 500 Internal Server Error\n",
    ]);
  });

  it("answers by the one app what roles says and nobody else has", async () => {
    const server = await startText("use = egg:propylon#fcgi\nport = 0\nroles = authorizer", { appName: "fetch" });
    const request = { params: params("/x"), role: FCGI_AUTHORIZER };
    const answer = await fastCgiRequest({ port: portOf(server) }, request);
    expect(await text(answer.body)).toBe("fetched /x");
  });

  it("does not start with a made app a server that names another one", async () => {
    writeFileSync(
      join(directory, "app.ini"),
      `[server:main]\nuse = egg:propylon#fcgi\nport = 0\nfilter = fetch\n${APP}`,
    );
    const server = await loadServer("config:app.ini", { relativeTo: directory });
    await expect(server(() => {})).rejects.toThrow(
      /CONFIG_NOT_SUPPORTED: .*app\.ini:4 \[server:main\] filter: a server/,
    );
  });

  it("gives variables to server and app", async () => {
    const server = await startText("use = egg:Paste#http\nport = %(port)s", { globalConf: { port: "0" } });
    expect(await (await fetch(server.where)).text()).toContain("hello");
  });

  it.each([
    ["use = package:propylon#fcgi\nport = 1\nsocket = x.sock", "CONFIG_BAD_VALUE", "not on both"],
    ["use = package:propylon#fcgi\nhost = 127.0.0.1", "CONFIG_BAD_VALUE", "a host needs a port"],
    ["use = package:propylon#fcgi\nport = 0\nsocket_mode = 0600", "CONFIG_BAD_VALUE", "with a socket only"],
    ["use = package:propylon#fcgi\nprot = 0", "CONFIG_UNKNOWN_OPTION", 'did you mean "port"?'],
    ["use = package:propylon#http\nsocket = x", "CONFIG_UNKNOWN_OPTION", "listens on host and port"],
    ["use = egg:Paste#http\nssl_pem = x", "CONFIG_NOT_SUPPORTED", "no TLS"],
    ["use = egg:propylon#ajp\nhost = 0.0.0.0\nport = 8009", "CONFIG_BAD_VALUE", "secret"],
    ["use = egg:propylon#ajp\nport = 8009\npacket_size = 4k", "CONFIG_BAD_VALUE", "at least 8192"],
    ["use = egg:propylon#ajp\nport = 8009\npacket_size = 128k", "CONFIG_BAD_VALUE", "at most 65536"],
    [
      "use = egg:propylon#scgi\nport = 0\nauthorizer = fetch",
      "CONFIG_BAD_VALUE",
      "SCGI has no roles, only FastCGI has",
    ],
    [
      "use = egg:propylon#fcgi\nport = 0\nroles = responder, filter\nauthorizer = fetch",
      "CONFIG_BAD_VALUE",
      "authorizer: the option roles (responder, filter) leaves this role out",
    ],
    [
      "use = egg:propylon#fcgi\nport = 0\nsendfile = x-sendfile\nsendfile_root = a",
      "CONFIG_BAD_VALUE",
      "sendfile_root: ",
    ],
    ["use = egg:propylon#fcgi\nport = 0\nfilter = nowhere", "CONFIG_NO_SECTION", "filter:"],
    ["use = package:propylon#fgci", "CONFIG_NO_ENTRY_POINT", 'did you mean "fcgi"?'],
  ])("refuses %j with %s", async (server, code, wording) => {
    const error = await startText(server).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, place: { section: "server:main" } });
    expect((error as Error).message).toContain(wording);
  });

  it.each([
    ["allowed_clients = web1", '"web1" is no address'],
    ["user = nobdy", 'user "nobdy" is not in /etc/passwd'],
    ["socket_group = nogrp", 'group "nogrp" is not in /etc/group'],
    ["chdir = /not/there", "there is no directory /not/there"],
    ["access_log = /not/there.log", "there is no directory /not"],
    ["socket_mode = 0600\n sockt_owner = me", "is not one line"],
  ])("finds %j where it only checks", async (line, wording) => {
    const server = `use = package:propylon#fcgi\nsocket = %(here)s/x.sock\n${line}`;
    writeFileSync(join(directory, "app.ini"), `[server:main]\n${server}\n${APP}`);
    const error = await check("app.ini", { relativeTo: directory }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "CONFIG_BAD_VALUE", place: { section: "server:main", line: 4 } });
    expect((error as Error).message).toContain(wording);
  });

  it("says where the option stands that fails when it is used", async () => {
    const server = "use = package:propylon#fcgi\nport = 0\nallowedServers = web1";
    await expect(startText(server)).rejects.toThrow(/app\.ini:4 \[server:main\] allowedServers: "web1" is no address/);
  });

  it("names the variable of the command line that is wrong", async () => {
    const options = { serverType: "fcgi", globalConf: { port: "abc" } };
    await expect(startText("", options)).rejects.toThrow('CONFIG_BAD_VALUE: port: "abc" is not a whole number');
  });

  it("says once what has no effect", async () => {
    writeFileSync(
      join(directory, "app.ini"),
      `[DEFAULT]\ngreeting = x\n[server:main]\nuse = egg:propylon#fcgi\nport = 0\n${APP}`,
    );
    await check("app.ini", { relativeTo: directory, log });
    expect(warnings).toEqual([expect.stringMatching(/greeting: has no effect/)]);
  });

  it("finds faults of the file before any code of the app is loaded", async () => {
    const error = await startText("use = package:propylon#fcgi\nport = 0", { appName: "none" }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: "CONFIG_NO_SECTION" });
  });

  it("rejects if it cannot listen", async () => {
    const first = await startText("use = package:propylon#fcgi\nport = 0");
    const port = portOf(first);
    writeFileSync(join(directory, "b.ini"), `[server:main]\nuse = package:propylon#fcgi\nport = ${port}\n${APP}`);
    await expect(start("b.ini", { relativeTo: directory, log })).rejects.toThrow("EADDRINUSE");
  });
});
