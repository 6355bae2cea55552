import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { fastCgiRequest } from "../../../src/client/fastcgi-request.ts";
import { check, start } from "../../../src/deploy/start.ts";
import type { Logger } from "../../../src/log.ts";
import { collectingLog } from "../../support/collecting-log.ts";
import { type Told, VARIABLES, ask } from "../../support/library.ts";

let directory = "";
let stop: (() => Promise<void>) | undefined;
const logged: string[] = [];
const infos: string[] = [];
const log: Logger = { ...collectingLog(logged), info: (text) => void infos.push(text) };

beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "propylon-pieces-")));
  mkdirSync(join(directory, "public/sub"), { recursive: true });
  writeFileSync(join(directory, "public/a.txt"), "a file\n");
  writeFileSync(join(directory, "public/sub/index.html"), "<p>sub\n");
  writeFileSync(join(directory, "secret.txt"), "secret\n");
  writeFileSync(
    join(directory, "app.cjs"),
    `exports.makeApp = (globalConf, { name = "app", status = "200" }) => async (req, res) => {
       if (req.url.startsWith("/throw")) throw new Error("thrown <b>");
       if (req.url.startsWith("/late")) { res.write("begun"); throw new Error("thrown late"); }
       res.setHeader("X-From", name);
       res.statusCode = Number(status);
       if (req.url.startsWith("/large")) return void res.setHeader("Content-Type", "text/plain").end("large ".repeat(10000));
       res.write(name + " ");
       res.end([req.baseUrl, req.url, req.originalUrl, req.cgi.SCRIPT_NAME, req.cgi.PATH_INFO, req.config?.colour].join("|"));
     };
     exports.fetchApp = { fetch: (request) => new Response("fetched " + new URL(request.url).pathname) };`,
  );
});
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(async () => {
  await stop?.();
  stop = undefined;
  logged.length = 0;
});

const SERVER = "[server:main]\nuse = egg:propylon#fcgi\nsocket = %(here)s/app.sock\n";
const APP = "use = call:./app.cjs:makeApp";

function write(sections: string): void {
  writeFileSync(join(directory, "app.ini"), `${SERVER}${sections}`);
}

async function serve(sections: string): Promise<(uri: string, more?: Record<string, string>) => Promise<Told>> {
  write(sections);
  const running = await start("app.ini", { relativeTo: directory, log });
  stop = async () => await running.close();
  return async (uri, more = {}) => {
    const [path = "", query = ""] = uri.split("?");
    const variables = { REQUEST_URI: uri, PATH_INFO: decodeURIComponent(path), QUERY_STRING: query };
    return await ask({ path: join(directory, "app.sock") }, { ...variables, ...more });
  };
}

async function refusal(sections: string): Promise<string> {
  write(sections);
  return await check("app.ini", { relativeTo: directory }).then(
    () => "",
    (error: unknown) => String(error),
  );
}

describe("egg:Paste#urlmap", () => {
  const sections = (more = ""): string =>
    `[composite:main]\nuse = egg:Paste#urlmap\n/ = home\n/blog = blog\n/blog/old = call:./app.cjs:fetchApp\n` +
    `domain www.example.org /blog = org\ndomain admin.example.org port 8080 / = admin\n${more}\n` +
    ["home", "blog", "org", "admin", "lost"].map((name) => `[app:${name}]\n${APP}\nname = ${name}\n`).join("");

  it.for([
    ["/", "home |/|/||/|"],
    ["/x?y", "home |/x?y|/x?y||/x|"],
    ["/blog", "blog /blog|/|/blog|/blog|/|"],
    ["/blog/a%2Fb?c", "blog /blog|/a%2Fb?c|/blog/a%2Fb?c|/blog|/a/b|"],
    ["/blogger", "home |/blogger|/blogger||/blogger|"],
    ["/blog/old/x", "fetched /x"],
  ] as const)("gives %s to the app of the longest path, which sees the rest", async ([uri, body]) => {
    const get = await serve(sections());
    expect((await get(uri)).body).toBe(body);
  });

  it("knows hosts and ports", async () => {
    const get = await serve(sections());
    expect((await get("/blog/x", { HTTP_HOST: "WWW.example.org" })).headers.get("x-from")).toBe("org");
    expect((await get("/x", { HTTP_HOST: "admin.example.org:8080" })).headers.get("x-from")).toBe("admin");
    expect((await get("/x", { HTTP_HOST: "admin.example.org" })).headers.get("x-from")).toBe("home");
  });

  it("answers 404 for the rest, or has an app for that", async () => {
    let get = await serve(`[composite:main]\nuse = egg:Paste#urlmap\n/blog = blog\n[app:blog]\n${APP}\n`);
    expect(await get("/x")).toMatchObject({ status: 404, body: "Not Found\n" });
    await stop!();
    get = await serve(
      `[composite:main]\nuse = egg:propylon#urlmap\n/blog = blog\nnot_found_app = lost\n[app:blog]\n${APP}\n[app:lost]\n${APP}\nname = lost\n`,
    );
    expect((await get("/x")).headers.get("x-from")).toBe("lost");
  });

  it("refuses a key that is no place, and says where it stands", async () => {
    expect(await refusal(sections("blog = blog"))).toMatch(/CONFIG_UNKNOWN_OPTION.*app\.ini:\d+.*"blog" is no place/);
  });
});

describe("egg:Paste#static", () => {
  const FILES = "[app:main]\nuse = egg:Paste#static\ndocument_root = public\ncache_max_age = 60\n";

  it("serves files below document_root and nothing else", async () => {
    const get = await serve(FILES);
    const file = await get("/a.txt");
    expect(file).toMatchObject({ status: 200, body: "a file\n" });
    expect(file.headers.get("cache-control")).toBe("public, max-age=60");
    expect((await get("/sub/")).body).toBe("<p>sub\n");
    expect((await get("/a.txt", { REQUEST_METHOD: "POST" })).status).toBe(404);
    for (const uri of ["/none", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2Fsecret.txt"]) {
      const { status, body } = await get(uri);
      expect([400, 403, 404]).toContain(status);
      expect(body).not.toContain("secret\n");
    }
    expect((await get("/a.txt", { HTTP_IF_NONE_MATCH: file.headers.get("etag")! })).status).toBe(304);
  });

  it("sends the client on to a directory where it is for the client, whatever was taken off the URL", async () => {
    const prefixed = `${FILES}filter-with = p\n[filter:p]\nuse = egg:PasteDeploy#prefix\nprefix = /james\n`;
    const get = await serve(prefixed);
    for (const uri of ["/sub", "/james/sub"]) {
      const told = await get(uri);
      expect([told.status, told.headers.get("location")]).toEqual([301, "/james/sub/"]);
    }
  });

  it("needs a document_root, and knows its keys", async () => {
    expect(await refusal("[app:main]\nuse = egg:Paste#static\n")).toMatch(/CONFIG_BAD_VALUE.*document_root/);
    expect(await refusal(`${FILES}document_rot = x\n`)).toMatch(/CONFIG_UNKNOWN_OPTION.*did you mean "document_root"/);
  });
});

describe("egg:Paste#cascade", () => {
  const sections = (status: number, more = ""): string =>
    `[composite:main]\nuse = egg:Paste#cascade\n${more}app1 = files\napp2 = first\napp3 = last\n` +
    `[app:files]\nuse = egg:Paste#static\ndocument_root = %(here)s/public\n` +
    `[app:first]\n${APP}\nname = first\nstatus = ${status}\n[app:last]\n${APP}\nname = last\nstatus = 404\n`;

  it("asks one app after the other until one does not answer 404", async () => {
    let get = await serve(sections(200));
    expect((await get("/a.txt")).body).toBe("a file\n");
    expect(await get("/x")).toMatchObject({ status: 200, body: "first |/x|/x||/x|" });
    expect((await get("/throw")).status).toBe(500);
    await stop!();
    get = await serve(sections(404));
    const last = await get("/x");
    expect(last).toMatchObject({ status: 404, body: "last |/x|/x||/x|" });
    expect(last.headers.get("x-from")).toBe("last");
  });

  it("goes on at other statuses where it is told to", async () => {
    const get = await serve(sections(403, "catch = 403, 404\n"));
    expect((await get("/x")).headers.get("x-from")).toBe("last");
    expect((await get("/a.txt")).body).toBe("a file\n");
  });

  it("needs an app", async () => {
    expect(await refusal("[composite:main]\nuse = egg:Paste#cascade\n")).toMatch(/CONFIG_BAD_VALUE.*no app to try/);
  });
});

describe("egg:Paste#gzip", () => {
  it("compresses for clients that take it", async () => {
    const get = await serve(
      `[app:main]\n${APP}\nfilter-with = gzip\n[filter:gzip]\nuse = egg:Paste#gzip\ncompress_level = 9\n`,
    );
    const plain = await get("/large");
    expect(plain.headers.has("content-encoding")).toBe(false);
    const packed = await get("/large", { HTTP_ACCEPT_ENCODING: "gzip" });
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    expect(packed.headers.get("vary")).toBe("Accept-Encoding");
    const params = Object.entries({
      ...VARIABLES,
      REQUEST_URI: "/large",
      PATH_INFO: "/large",
      HTTP_ACCEPT_ENCODING: "gzip",
    });
    const { body } = await fastCgiRequest({ path: join(directory, "app.sock") }, { params });
    expect(gunzipSync(await buffer(body)).toString()).toBe(plain.body);
  });

  it("knows levels from 1 to 9", async () => {
    const filter = "[filter:gzip]\nuse = egg:Paste#gzip\ncompress_level = 10\n";
    expect(await refusal(`[app:main]\n${APP}\nfilter-with = gzip\n${filter}`)).toMatch(/CONFIG_BAD_VALUE.*from 1 to 9/);
  });
});

describe("egg:Paste#error_catcher", () => {
  const sections = (more: string): string =>
    `[app:main]\n${APP}\nfilter-with = catch\n[filter:catch]\nuse = egg:Paste#error_catcher\nerror_email = a@example.org\n${more}`;

  it("answers 500 and tells the log, not the client", async () => {
    const get = await serve(sections(""));
    expect(await get("/throw")).toMatchObject({ status: 500, body: "500 Internal Server Error\n" });
    expect(logged.join("\n")).toMatch(/GET \/throw: Error: thrown <b>\n +at .*app\.cjs/);
    expect((await get("/x")).status).toBe(200);
  });

  it("shows the stack where debug is on, to clients on this machine", async () => {
    const get = await serve(sections("debug = true\n"));
    expect((await get("/throw")).body).toBe("500 Internal Server Error\n");
    const told = await get("/throw", { REMOTE_ADDR: "127.0.0.1" });
    expect(told.body).toMatch(/^500 Internal Server Error\n\nError: thrown <b>\n +at /);
    expect(told.headers.get("content-type")).toMatch(/^text\/plain/);
  });

  it("breaks off an answer that has begun", async () => {
    const get = await serve(sections(""));
    await expect(get("/late")).rejects.toThrow();
  });
});

describe("egg:Paste#translogger", () => {
  const sections = (more: string): string =>
    `[app:main]\n${APP}\nfilter-with = log\n[filter:log]\nuse = egg:Paste#translogger\n${more}`;
  const LOGGING =
    "[loggers]\nkeys = root, wsgi\n[handlers]\nkeys = file\n[logger_root]\nhandlers =\n[logger_wsgi]\nqualname = wsgi\nlevel = INFO\nhandlers = file\n" +
    "[handler_file]\nclass = FileHandler\nargs = ('wsgi.log',)\n";

  it("writes a line for each request to the logger wsgi", async () => {
    const get = await serve(sections(LOGGING));
    await get("/x?y", { REMOTE_USER: 'a "b"', HTTP_USER_AGENT: "curl\t8", HTTP_REFERER: "http://x/ y" });
    await get("/throw");
    await stop!();
    stop = undefined;
    const lines = readFileSync(join(directory, "wsgi.log"), "utf8").split("\n");
    expect(lines[0]).toMatch(
      /^192\.0\.2\.7 - a\\x20\\x22b\\x22 \[\d\d\/\w{3}\/\d{4}:[^\]]+\] "GET \/x\?y HTTP\/1\.1" 200 - "http:\/\/x\/ y" "curl\\x098"$/,
    );
    expect(lines[1]).toContain("/throw");
    expect(lines).toHaveLength(3);
  });

  it("has formats of its own, and propylon's log where there are no loggers", async () => {
    const get = await serve(sections("format = %%(REQUEST_METHOD)s %%(status)s of %%(REMOTE_USER)s\n"));
    infos.length = 0;
    await get("/x");
    expect(infos).toContain("GET 200 of -");
  });

  it.for([
    ["format = %%(nothing)s", /format: %\(nothing\)s is no field/],
    ["logging_level = LOUD", /"LOUD" is none of debug, info/],
  ] as const)("refuses %s", async ([line, message]) => {
    expect(await refusal(sections(`${line}\n`))).toMatch(message);
  });
});

describe("egg:PasteDeploy#config and #prefix", () => {
  it("show the app its configuration", async () => {
    const get = await serve(
      `[DEFAULT]\ncolour = red\n[app:main]\n${APP}\nfilter-with = config\n[filter:config]\nuse = egg:PasteDeploy#config\nsize = 1\n`,
    );
    expect((await get("/x")).body).toBe("app |/x|/x||/x|red");
  });

  const prefixed = (more: string): string =>
    `[app:main]\n${APP}\nfilter-with = proxy-prefix\n[filter:proxy-prefix]\nuse = egg:PasteDeploy#prefix\nprefix = /james\n${more}`;

  it("put an app under a prefix, as the Pylons guide has it", async () => {
    const get = await serve(prefixed(""));
    expect((await get("/james/x")).body).toBe("app /james|/x|/james/x|/james|/x|");
    expect(logged).toEqual([]);
  });

  it("say that forwarded headers need trusted proxies", async () => {
    await serve(prefixed("translate_forwarded_server = true\n"));
    expect(logged.join()).toMatch(
      /app\.ini:\d+ \[filter:proxy-prefix\] translate_forwarded_server: forwarded headers count only from trusted_proxies/,
    );
  });

  it.for([
    ["scheme = gopher", /"gopher" is none of http, https/],
    ["force_port = 0", /0 is no port/],
    ["trusted_proxies = 10.0.0.0/40", /10\.0\.0\.0\/40/],
    ["trusted_proxies = 100", /100 proxies are too many/],
    ["trusted_proxy = 10.0.0.1", /did you mean "trusted_proxies"/],
  ] as const)("refuse %s and say where it stands", async ([line, message]) => {
    const text = await refusal(prefixed(`${line}\n`));
    expect(text).toMatch(message);
    expect(text).toMatch(/app\.ini:\d+ \[filter:proxy-prefix\]/);
  });
});
