/** `sendFile`: the web server sends the file that the app names, where its section says so; else the app does. */
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { serve } from "../../dist/index.js";
import { type Front, hasModule, INSTALLED, isRunnable, type ServerName, startWebServer } from "../support/front.ts";
import { type Answer, call } from "../support/http-client.ts";
import { note, rowOf } from "../support/matrix.ts";
import { type Mode, Serving } from "../support/serving.ts";
import { makeSpawned, startSpawning } from "../support/spawned.ts";
import { CONFIGURATIONS, SPAWNED, VARIANTS } from "./configurations.ts";

const MIB = 1024 * 1024;
const LARGE = Buffer.from(Array.from({ length: 2 * MIB }, (_, i) => i % 251));
/** The names of files, and those that Apache passes on at all. */
const ODD = ["100% größer+ä&b#c;d.txt", "größer+ä&b#c; d.txt"];

interface Case {
  readonly name: ServerName;
  readonly config: string;
  readonly serverName: string;
  readonly mode: Mode;
  readonly runs: boolean;
  /** The web server is told to send the file. */
  readonly told: boolean;
}

const CASES: readonly Case[] = [
  ...(["single", "fork"] as const).map((mode) => ({
    ...{ name: "lighttpd" as const, config: "examples/lighttpd/x-sendfile.conf", serverName: "main", mode },
    ...{ runs: INSTALLED.has("lighttpd"), told: true },
  })),
  {
    ...{ name: "apache", config: "apache-examples/mod_xsendfile.conf", serverName: "main", mode: "thread" },
    ...{ runs: hasModule("apache", "xsendfile"), told: true },
  },
  {
    ...{ name: "caddy", config: "examples/caddy/x-sendfile.Caddyfile", serverName: "main", mode: "thread" },
    ...{ runs: INSTALLED.has("caddy"), told: true },
  },
  {
    ...{ name: "nginx", config: "examples/nginx/x-accel-redirect.conf", serverName: "nginx", mode: "thread" },
    ...{ runs: INSTALLED.has("nginx"), told: true },
  },
  {
    ...{ name: "nginx", config: "examples/nginx/fastcgi-unix.conf", serverName: "main", mode: "thread" },
    ...{ runs: INSTALLED.has("nginx"), told: false },
  },
];

describe.each(CASES.map((each) => [`${each.config} in the ${each.mode} mode`, each] as const))(
  "%s",
  (_title, { name, config, serverName, mode, runs, told }) => {
    describe.runIf(runs)("before examples/files", () => {
      let serving: Serving;
      let front: Front;
      let files: string;
      let outside: string;

      beforeAll(async () => {
        outside = await mkdtemp(join(tmpdir(), "propylon-files-"));
        // The web server's workers are another user.
        await chmod(outside, 0o755);
        files = join(outside, "files");
        await mkdir(join(files, "deep"), { recursive: true });
        await writeFile(join(files, "a.txt"), "the text of a\n");
        await writeFile(join(files, "deep", "large.bin"), LARGE);
        for (const odd of ODD) await writeFile(join(files, odd), `${odd}\n`);
        await writeFile(join(files, ".secret"), "secret\n");
        await writeFile(join(outside, "outside.txt"), "outside\n");
        await symlink("a.txt", join(files, "link.txt"));
        serving = await Serving.start({
          ...{ directory: "examples/files", file: "files.ini", mode, serverName },
          replace: [
            ["/srv/files", files],
            [
              "socket_mode = 0666",
              "socket_mode = 0666\naccess_log = %(here)s/access.log\naccess_log_format = %%>s %%B %%U",
            ],
            ...(told ? [] : [[/\nsendfile.*/g, ""] as const]),
          ],
        });
        const values = { SOCKET: serving.socket, FILES: files };
        front = await startWebServer({ name, config: example(config), values });
      });
      afterAll(async () => {
        await front?.stop();
        await serving?.stop();
        await rm(outside, { recursive: true, force: true });
      });

      const get = async (path: string, ...headers: string[]): Promise<Answer> =>
        await call(front.url, { path, headers: ["Cookie", "member=yes", ...headers] });
      const field = ({ headers }: Answer, wanted: string): string | undefined =>
        headers.find(([name]) => name === wanted)?.[1];

      it("sends a file with its type, validators and length", async () => {
        const answer = await get("/a.txt");
        expect([answer.status, String(answer.body), answer.complete]).toEqual([200, "the text of a\n", true]);
        expect(field(answer, "content-type")).toBe("text/plain; charset=utf-8");
        expect(field(answer, "cache-control")).toBe("private");
        expect(field(answer, "content-length")).toBe("14");
        expect(field(answer, "etag")).toMatch(/^(?:W\/)?".+"$/);
        const { mtime } = await stat(join(files, "a.txt"));
        expect(field(answer, "last-modified")).toBe(mtime.toUTCString());
        expect(field(answer, "x-sendfile") ?? field(answer, "x-accel-redirect")).toBeUndefined();
      });

      it("is sent by who is told to", async () => {
        const answer = await get("/deep/large.bin");
        expect([answer.status, LARGE.equals(answer.body)]).toEqual([200, true]);
        await expect
          .poll(async () => await readFile(join(serving.directory, "access.log"), "utf8"))
          .toContain(`200 ${told ? 0 : LARGE.length} /deep/large.bin\n`);
      });

      it("answers ranges and conditions, and HEAD", async () => {
        const part = await get("/deep/large.bin", "Range", "bytes=1000000-1000099");
        expect([part.status, field(part, "content-range")]).toEqual([206, `bytes 1000000-1000099/${LARGE.length}`]);
        expect(LARGE.subarray(1_000_000, 1_000_100).equals(part.body)).toBe(true);
        const beyond = await get("/a.txt", "Range", "bytes=100-");
        expect(beyond.status).toBe(416);
        if (name === "nginx") expect(field(beyond, "content-range")).toBe("bytes */14");
        const etag = field(await get("/a.txt"), "etag")!;
        expect((await get("/a.txt", "If-None-Match", etag)).status).toBe(304);
        const head = await call(front.url, { method: "HEAD", path: "/a.txt", headers: ["Cookie", "member=yes"] });
        expect([head.status, field(head, "content-length"), head.body.length]).toEqual([200, "14", 0]);
      });

      it("sends names with any characters, and through a symbolic link", async () => {
        for (const odd of name === "apache" ? ODD.slice(1) : ODD) {
          expect(String((await get(`/${encodeURIComponent(odd)}`)).body)).toBe(`${odd}\n`);
        }
        expect(String((await get("/link.txt")).body)).toBe("the text of a\n");
      });

      it("answers 404 for what is no file, leads out of the directory or is a dotfile", async () => {
        for (const path of ["/nothing.txt", "/deep", "/deep/", "/.secret", "/a.txt/b"]) {
          expect([path, (await get(path)).status]).toEqual([path, 404]);
        }
        // nginx refuses it by itself.
        expect((await get("/%2e%2e%2foutside.txt")).status).toBe(name === "nginx" ? 400 : 404);
      });

      it("sends no file that a client asks for by a header", async () => {
        const asked = ["X-Sendfile", "X-Accel-Redirect", "X-Sendfile-Type", "X-Accel-Mapping"];
        const headers = asked.flatMap((header) => [header, join(outside, "outside.txt")]);
        expect(String((await get("/a.txt", ...headers)).body)).toBe("the text of a\n");
        expect((await call(front.url, { path: "/a.txt", headers })).status).toBe(403);
      });
    });
  },
);

/** What an example configuration lacks for it, where a web server knows how; `FILES` is the directory. */
const LACKS: Readonly<Partial<Record<ServerName, readonly [where: RegExp, lines: string]>>> = {
  apache: [/(?=^<\/VirtualHost>)/m, 'XSendFile On\nXSendFilePath "FILES"\n'],
  lighttpd: [
    /(?<=\.server = \( "[^"]*" => \(\(\n)/,
    '"x-sendfile" => "enable", "x-sendfile-docroot" => ( "FILES" ),\n',
  ],
  caddy: [
    /(?<=transport fastcgi \{[^}]*\})/,
    `
      @file header X-Sendfile FILES/*
      handle_response @file {
        copy_response_headers {
          exclude Content-Length Status X-Sendfile
        }
        rewrite * {rp.header.X-Sendfile}
        uri strip_prefix FILES
        method GET
        root * FILES
        file_server
      }`,
  ],
  nginx: [/(?=^ *location )/m, "location /internal/ { internal; alias FILES/; }\n"],
};
const APP =
  'import { sendFile } from "propylon";\n' +
  "export const makeApp = () => async (req, res) => await sendFile(res, req.url, { root: import.meta.dirname });\n";
/** One of each row of the matrix. */
const WAYS = new Map(
  [...CONFIGURATIONS, ...VARIANTS, ...SPAWNED]
    .filter(({ server }) => server in LACKS)
    .map((each) => [rowOf(each.title), each]),
);

describe.each([...WAYS])("%s, with the lines for it", (row, configuration) => {
  const { server, protocol, transport, prefix, mount, secret, spawned } = configuration;
  let directory: string;
  let serving: Awaited<ReturnType<typeof serve>> | undefined;
  let front: Front | undefined;

  beforeEach(async () => {
    directory = await makeSpawned(APP);
    await writeFile(join(directory, "large.bin"), LARGE);
  });
  afterEach(async () => {
    await front?.stop();
    await serving?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const runs = isRunnable(configuration) && (server !== "apache" || hasModule("apache", "xsendfile"));
  it.skipIf(!runs)("sends a file that the app names", async (context) => {
    const [where, lines] = LACKS[server]!;
    const file = join(directory, basename(configuration.file));
    const text = await readFile(configuration.file, "utf8");
    await writeFile(file, text.replace(where, lines.replaceAll("FILES", directory)));
    const accessLog = join(directory, "run/access.log");
    const told =
      server === "nginx"
        ? ({ sendfile: "x-accel-redirect", sendfileUri: "/internal/" } as const)
        : ({ sendfile: "x-sendfile" } as const);

    if (spawned === true) {
      const options = `sendfile = ${told.sendfile}\nsendfile_root = ${directory}\naccess_log = ${accessLog}\n`;
      front = await startSpawning(directory, { server, protocol, file }, options);
    } else {
      const socket = join(directory, "app.sock");
      serving = await serve({
        ...{ app: "call:./app.js:makeApp", relativeTo: directory, mode: "single", protocol, mount },
        ...(secret === undefined ? {} : { secret }),
        ...(transport === "unix" ? { socket, socketMode: 0o666 } : { port: 0 }),
        ...{ ...told, sendfileRoot: directory, accessLog },
      });
      const values = { SOCKET: socket, BACKEND_PORT: Number(serving.where.split(":").at(-1)) };
      front = await startWebServer({ name: server, config: file, documents: configuration.documents, values });
    }
    const answer = await call(front.url, { path: `${prefix}/large.bin` });
    expect([answer.status, answer.complete, LARGE.equals(answer.body)]).toEqual([200, true, true]);
    // None of it came from the app.
    await expect.poll(async () => await readFile(accessLog, "utf8")).toMatch(/ 200 -/);
    note(context, row, "sendfile");
  });
});

function example(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
