/** Early hints from workers, through lighttpd, which passes them on; and from an app that is started as CGI. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { InformationEvent } from "node:http";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterEach, describe, expect, it, onTestFinished } from "vitest";

import { type Front, INSTALLED, startWebServer } from "../support/front.ts";
import { call } from "../support/http-client.ts";
import { SupervisedServer } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const APP = `call:${ROOT}test/support/apps/hints.js:makeApp`;
const LINK = "</style.css>; rel=preload; as=style";

let server: SupervisedServer | undefined;
let front: Front | undefined;
afterEach(async () => {
  await front?.stop();
  await server?.stop();
  front = server = undefined;
});

describe.runIf(INSTALLED.has("lighttpd"))("behind lighttpd", () => {
  it("hints come over HTTP/2 as well, which is where browsers heed them", async () => {
    server = await SupervisedServer.start({
      ...{ mode: "thread", transport: "unix", use: APP },
      server: { early_hints: "true" },
    });
    const config = `${ROOT}examples/lighttpd/fastcgi-unix.conf`;
    front = await startWebServer({
      name: "lighttpd",
      config,
      values: { SOCKET: (server.target as { path: string }).path },
    });
    const session = connect(front.url);
    onTestFinished(() => session.destroy());
    const request = session.request({ ":path": "/a" });
    const interim: unknown[] = [];
    request.on("headers", (headers: IncomingHttpHeaders) => interim.push([headers[":status"], headers["link"]]));
    const [headers] = (await once(request, "response")) as [IncomingHttpHeaders];
    expect([headers[":status"], await text(request)]).toEqual([200, "answer to /a"]);
    expect(interim).toEqual([[103, LINK]]);
  });

  it.each([
    ["fastcgi-unix.conf", { protocol: "fastcgi", transport: "unix", mode: "thread" }],
    ["scgi-tcp.conf", { protocol: "scgi", transport: "tcp", mode: "fork" }],
    ["ajp13-tcp.conf", { protocol: "ajp", transport: "tcp", mode: "thread" }],
  ] as const)("hints are there while the worker works: %s", async (example, serving) => {
    server = await SupervisedServer.start({ ...serving, use: APP, server: { early_hints: "true" } });
    const { target } = server;
    const values = "path" in target ? { SOCKET: target.path } : { BACKEND_PORT: target.port };
    front = await startWebServer({ name: "lighttpd", config: `${ROOT}examples/lighttpd/${example}`, values });
    const seen: [status: number, link: unknown, at: number][] = [];
    const informed = ({ statusCode, headers }: InformationEvent): void =>
      void seen.push([statusCode, headers["link"], performance.now()]);
    const answer = await call(front.url, { path: "/a?after=400", informed });
    expect([answer.status, String(answer.body)]).toEqual([200, "answer to /a?after=400"]);
    expect(seen.map(([status, link]) => [status, link])).toEqual([
      [102, undefined],
      [103, LINK],
    ]);
    expect(performance.now() - seen[1]![2]).toBeGreaterThan(200);
  });
});

it.each([
  ["true", ["Status: 102 Processing", "", "Status: 103 Early Hints", `link: ${LINK}`, "", "Status: 200 OK"]],
  ["false", ["Status: 200 OK"]],
])("under CGI the document says what early_hints = %s allows", async (early_hints, lines) => {
  const directory = await mkdtemp(join(tmpdir(), "propylon-hints-"));
  onTestFinished(async () => await rm(directory, { recursive: true }));
  const file = join(directory, "app.ini");
  const section = `[server:main]\nuse = package:propylon#fcgi\nearly_hints = ${early_hints}\n`;
  await writeFile(file, `[app:main]\nuse = ${APP}\n${section}`);
  const request = { REQUEST_METHOD: "GET", SCRIPT_NAME: "", REQUEST_URI: "/a", PATH_INFO: "/a", QUERY_STRING: "" };
  const env = { ...process.env, GATEWAY_INTERFACE: "CGI/1.1", SERVER_PROTOCOL: "HTTP/1.1", ...request };
  const command = [`${ROOT}bin/propylon.js`, "serve", file];
  const { stdout } = await promisify(execFile)(process.execPath, command, { env });
  expect(stdout.split("\r\n").slice(0, lines.length)).toEqual(lines);
  expect(stdout).toMatch(/\r\n\r\nanswer to \/a$/);
});
