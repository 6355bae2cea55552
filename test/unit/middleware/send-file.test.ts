import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { createServer } from "../../../src/library/create-server.ts";
import type { ServerOptions } from "../../../src/library/options.ts";
import { type SendFileOptions, sendFile } from "../../../src/middleware/send-file.ts";
import { ask, open } from "../../support/library.ts";
import { listen } from "../../support/node-server.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "propylon-send-file-"));
  mkdirSync(join(directory, "files/.hidden/deep"), { recursive: true });
  for (const name of ["a.html", "größer & b.txt", "100%.txt", "line\nend", ".dot", ".hidden/deep/x", "no-ending"]) {
    writeFileSync(join(directory, "files", name), `<${name}>`);
  }
  writeFileSync(join(directory, "outside.txt"), "outside");
  symlinkSync("nowhere", join(directory, "files/dangling"));
});
afterAll(() => rmSync(directory, { recursive: true }));

const root = (): string => join(directory, "files");
const send = (path: string, options: SendFileOptions = { root: root() }) => {
  return async (_req: unknown, res: ServerResponse): Promise<void> => await sendFile(res, path, options);
};

describe("sendFile without a web server that is told", () => {
  const get = async (path: string, init?: RequestInit, options?: SendFileOptions): Promise<Response> =>
    await fetch((await listen(send(path, options))).url, init);

  it("answers with the file, its type and length", async () => {
    const answer = await get("a.html", {}, { root: root(), maxAge: 60_500 });
    expect([answer.status, await answer.text()]).toEqual([200, "<a.html>"]);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      ...{ "content-type": "text/html; charset=utf-8", "content-length": "8", "accept-ranges": "bytes" },
      ...{ "cache-control": "public, max-age=60", etag: expect.any(String), "last-modified": expect.any(String) },
    });
    expect((await get("no-ending")).headers.get("content-type")).toBe("application/octet-stream");
    expect((await get("a.html")).headers.get("cache-control")).toBeNull();
  });

  it("takes names as the system has them, and absolute ones without a root", async () => {
    for (const name of ["größer & b.txt", "100%.txt", "line\nend", "/a.html", "./a.html", "//a.html"]) {
      expect([name, await (await get(name)).text()]).toEqual([name, `<${name.replace(/^\.?\/+/, "")}>`]);
    }
    expect(await (await get(join(root(), ".dot"), {}, {})).text()).toBe("<.dot>");
    expect(await (await get(".hidden/deep/x", {}, { root: root(), dotfiles: true })).text()).toBe("<.hidden/deep/x>");
  });

  it("answers HEAD, ranges and conditions", async () => {
    const head = await get("a.html", { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "8", ""]);
    const part = await get("a.html", { headers: { range: "bytes=1-3" } });
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([206, "bytes 1-3/8", "a.h"]);
    const beyond = await get("a.html", { headers: { range: "bytes=9-" } });
    expect([beyond.status, beyond.headers.get("content-range"), await beyond.text()]).toEqual([416, "bytes */8", ""]);
    const etag = head.headers.get("etag")!;
    // fetch would ask for no copy by itself.
    const conditional = { "if-none-match": etag, "cache-control": "max-age=0" };
    expect((await get("a.html", { headers: conditional })).status).toBe(304);
    const failed = await get("a.html", { headers: { "if-match": '"other"' } });
    expect([failed.status, await failed.text()]).toEqual([412, ""]);
  });

  it.each([
    ["../outside.txt", "FILE_OUTSIDE_ROOT"],
    ["a/../../outside.txt", "FILE_OUTSIDE_ROOT"],
    ["a.html\0", "FILE_OUTSIDE_ROOT"],
    [".dot", "FILE_OUTSIDE_ROOT"],
    [".hidden/deep/x", "FILE_OUTSIDE_ROOT"],
    ["nothing", "FILE_NOT_FOUND"],
    ["a.html/", "FILE_NOT_FOUND"],
    ["a.html/b", "FILE_NOT_FOUND"],
    ["", "FILE_NOT_FOUND"],
    ["dangling", "FILE_NOT_FOUND"],
    ["x".repeat(300), "FILE_NOT_FOUND"],
  ])("rejects for %j with %s and leaves the answer to the app", async (path, code) => {
    const { url } = await listen(async (_req, res) => {
      const error = (await sendFile(res, path, { root: root() }).catch((error: unknown) => error)) as Error;
      res.end(JSON.stringify([error, error.name, res.hasHeader("Content-Type")]));
    });
    expect(await (await fetch(url)).json()).toEqual([{ name: "FileError", code, status: 404 }, "FileError", false]);
  });

  it("resolves where the client has left before it could begin", async () => {
    let resolved = 0;
    const leave = async (_req: unknown, res: ServerResponse): Promise<void> => {
      const closed = once(res, "close");
      res.socket!.destroy();
      await closed;
      await sendFile(res, "a.html", { root: root() });
      resolved++;
    };
    await expect(fetch((await listen(leave)).url)).rejects.toThrow("fetch failed");
    const told = createServer({ sendfile: "x-sendfile", sendfileRoot: root() }, leave);
    await ask(await open(told)).catch(() => {});
    await vi.waitFor(() => expect(resolved).toBe(2));
  });

  it("rejects for what only the app's author can get wrong", async () => {
    expect(await (await get("a.html", {}, {})).text()).toContain("TypeError: sendFile");
    const { url } = await listen(async (_req, res) => {
      res.write("begun, ");
      await sendFile(res, "a.html", { root: root() }).catch((error: Error) => res.end(error.message));
    });
    expect(await (await fetch(url)).text()).toBe("begun, sendFile: the head of the answer has been sent already");
  });
});

describe("sendFile before a web server that is told", () => {
  const told = async (path: string, options: ServerOptions = {}, header: string[] = []) => {
    const settings = { sendfile: "x-sendfile", sendfileRoot: root(), ...options } as const;
    const server = createServer(settings, async (_req, res) => {
      res.setHeader("X-Sendfile", "/etc/passwd").setHeader("X-Accel-Redirect", "/secret");
      for (const name of header) res.removeHeader(name);
      await sendFile(res, path, path.startsWith("/") ? {} : { root: root() });
    });
    const { status, headers, body } = await ask(await open(server));
    return { status, type: headers.get("content-type"), body, ...orders(headers) };
  };
  const orders = (headers: ReadonlyMap<string, string>) => ({
    sendfile: headers.get("x-sendfile"),
    accel: headers.get("x-accel-redirect"),
  });
  const html = "text/html; charset=utf-8";

  it("names the file and sends none of it; the headers of the app's own are dropped", async () => {
    expect(await told("a.html")).toEqual({
      ...{ status: 200, type: html, body: "", sendfile: join(root(), "a.html"), accel: undefined },
    });
    const accel = { sendfile: "x-accel-redirect", sendfileUri: "/internal" } as const;
    const name = "größer & b.txt";
    expect(await told(name, accel)).toMatchObject({
      ...{ status: 200, body: "", sendfile: undefined, accel: `/internal/${encodeURIComponent(name)}` },
    });
  });

  it("writes a name of X-Sendfile in its bytes, and sends those itself that a web server could mistake", async () => {
    const name = "größer & b.txt";
    const { sendfile, body } = await told(name);
    expect([Buffer.from(sendfile!, "latin1").toString(), body]).toEqual([join(root(), name), ""]);
    for (const odd of ["100%.txt", "line\nend"]) {
      expect(await told(odd)).toMatchObject({ status: 200, body: `<${odd}>`, sendfile: undefined });
    }
  });

  it("sends by itself what is outside of the web server's directory", async () => {
    expect(await told(join(directory, "outside.txt"))).toMatchObject({ body: "outside", sendfile: undefined });
    // A directory whose name only begins as that one's.
    expect(await told("a.html", { sendfileRoot: join(directory, "fil") })).toMatchObject({ body: "<a.html>" });
  });

  it("answers 404 for a FileError that the app does not catch", async () => {
    expect(await told("nothing")).toMatchObject({ status: 404, sendfile: undefined, accel: undefined });
    expect(await told("../outside.txt")).toMatchObject({ status: 404, body: "404 Not Found\n" });
  });

  it.each<[ServerOptions, string]>([
    [{ sendfile: "x-sendfile" }, "sendfile: needs sendfile_root"],
    [{ sendfile: "x-sendfile", sendfileRoot: "files" }, 'sendfileRoot: "files" is no absolute path'],
    [{ sendfile: "x-sendfile", sendfileRoot: "/a", sendfileUri: "/b/" }, "sendfileUri: means something with x-accel"],
    [{ sendfile: "x-accel-redirect", sendfileRoot: "/a" }, "sendfile: needs sendfile_uri"],
    [{ sendfile: "x-accel-redirect", sendfileRoot: "/a", sendfileUri: "b" }, 'sendfileUri: "b" is no path'],
    [{ sendfileRoot: "/a" }, "sendfileRoot: means something with the option sendfile only"],
    [{ sendfileUri: "/a" }, "sendfileUri: means something with the option sendfile only"],
    [{ sendfile: "x-send" as "x-sendfile", sendfileRoot: "/a" }, 'sendfile: "x-send" is neither'],
  ])("refuses the options %j", (options, message) => {
    expect(() => createServer(options)).toThrow(`CONFIG_BAD_VALUE: ${message}`);
  });
});
