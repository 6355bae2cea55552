import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { serve, type ServeOptions } from "../../../src/deploy/serve.ts";
import type { RunningServer } from "../../../src/deploy/gateway.ts";
import { ask } from "../../support/library.ts";
import { collectingLog } from "../../support/collecting-log.ts";

let directory: string;
let socket: string;
let path: string;
let running: RunningServer | null;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "access-log-"));
  socket = join(directory, "s");
  path = join(directory, "access.log");
  running = null;
  writeFileSync(join(directory, "app.mjs"), "export default (req, res) => res.end(`hello ${req.url}`);\n");
});

afterEach(async () => {
  await running?.close();
  rmSync(directory, { recursive: true });
});

const begin = async (options: Partial<ServeOptions>): Promise<RunningServer> =>
  (running = await serve({ app: "./app.mjs", relativeTo: directory, mode: "single", socket, ...options }));

const get = async (url: string): Promise<string> =>
  (await ask({ path: socket }, { REQUEST_URI: url, PATH_INFO: url, QUERY_STRING: "" })).body;

describe("a server with an access log", () => {
  it("writes a line for each request, all of them when it is closed", async () => {
    const server = await begin({ accessLog: path, accessLogFormat: '%h "%r" %>s %b' });
    for (const url of ["/one", "/two"]) await get(url);
    await server.close();
    running = null;
    const lines = ['192.0.2.7 "GET /one HTTP/1.1" 200 10', '192.0.2.7 "GET /two HTTP/1.1" 200 10', ""];
    expect(readFileSync(path, "utf8").split("\n")).toEqual(lines);
  });

  it("goes on in a new file when the old one was renamed, and loses no line", async () => {
    const server = await begin({ accessLog: path, accessLogFormat: "%U" });
    await get("/1");
    renameSync(path, `${path}.1`);
    await get("/2");
    server.reopenLogs!();
    await get("/3");
    await server.close();
    running = null;
    expect(readFileSync(`${path}.1`, "utf8")).toBe("/1\n/2\n");
    expect(readFileSync(path, "utf8")).toBe("/3\n");
  });

  it("has the combined format unless it is given another", async () => {
    const server = await begin({ accessLog: path });
    await get("/");
    await server.close();
    running = null;
    expect(readFileSync(path, "utf8")).toMatch(/^192\.0\.2\.7 - - \[.+\] "GET \/ HTTP\/1\.1" 200 7 "-" "-"\n$/);
  });

  it("serves on while the disk is full, and says so once", { skip: !existsSync("/dev/full") }, async () => {
    const said: string[] = [];
    await begin({ accessLog: "/dev/full", log: collectingLog(said) });
    for (let i = 0; i < 5; i++) expect(await get(`/${i}`)).toBe(`hello /${i}`);
    expect(said).toEqual([expect.stringMatching(/^cannot write \/dev\/full: ENOSPC/)]);
  });

  it("has no reopenLogs without a log", async () => {
    expect((await begin({})).reopenLogs).toBe(undefined);
  });

  it("does not start with a file that cannot be opened, or a directive that is unknown", async () => {
    const nowhere = begin({ accessLog: join(directory, "none", "access.log") });
    await expect(nowhere).rejects.toMatchObject({
      code: "CONFIG_BAD_VALUE",
      message: expect.stringContaining("ENOENT"),
    });
    await expect(begin({ accessLog: path, accessLogFormat: "%h %y" })).rejects.toMatchObject({
      code: "CONFIG_BAD_VALUE",
      message: expect.stringContaining('"%y"'),
      place: { key: "accessLogFormat" },
    });
    expect(existsSync(socket)).toBe(false);
  });
});
