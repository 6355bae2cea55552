/** `afterResponse`: the client has its answer before the hooks are over, and a server that ends waits for them. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { FastCgiClient } from "../../dist/client/fastcgi-client.js";
import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { type Mode, Serving } from "../support/serving.ts";

const MODES: readonly Mode[] = ["single", "thread", "fork"];
const APP = { directory: "test/support/apps/afterwards", file: "app.ini" } as const;
/** A server with one worker: what is not answered by it is answered by nobody. */
const ONE = [
  ["graceful_timeout", "minSpare = 1\nmaxSpare = 1\nmaxThreads = 1\nmaxChildren = 1\ngraceful_timeout"],
] as const;

const params = (url: string): [string, string][] => [
  ["REQUEST_METHOD", "GET"],
  ["REQUEST_URI", url],
  ["SCRIPT_NAME", ""],
  ["PATH_INFO", url.split("?", 1)[0]!],
  ["QUERY_STRING", url.split("?", 2)[1] ?? ""],
  ["SERVER_PROTOCOL", "HTTP/1.1"],
];

/** The status once FCGI_END_REQUEST has come. */
async function ask({ socket }: Serving, url: string): Promise<number> {
  const answer = await fastCgiRequest({ path: socket }, { params: params(url) });
  for await (const chunk of answer.body) void chunk;
  expect((await answer.ended).protocolStatus).toBe(0);
  return answer.status;
}

async function notes(serving: Serving): Promise<string[]> {
  const text = await readFile(join(serving.directory, "notes"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

describe.each(MODES)("in the %s mode", (mode) => {
  let serving: Serving;
  beforeAll(async () => void (serving = await Serving.start({ ...APP, mode, replace: ONE })));
  afterAll(() => serving?.stop());

  it("a hook begins after the end of the answer, and goes on while others are answered", async () => {
    expect(await ask(serving, "/wait?bytes=1000000")).toBe(200);
    await expect.poll(async () => await notes(serving)).toEqual(["wait begun"]);
    expect(await ask(serving, "/")).toBe(200);
    expect(await notes(serving)).toEqual(["wait begun"]);
    await writeFile(join(serving.directory, "go"), "");
    await expect.poll(async () => await notes(serving)).toEqual(["wait begun", "wait ended"]);
  });

  it.each(["/block?empty", "/block?bytes=300000"])(
    "the client has the whole answer to %s although the hook blocks its thread",
    async (url) => {
      const before = (await notes(serving)).length;
      expect(await ask(serving, url)).toBe(200);
      expect(await notes(serving)).not.toContain("block ended");
      await expect
        .poll(async () => (await notes(serving)).slice(before), { timeout: 5000 })
        .toEqual([...["block begun", "block ended"]]);
      await writeFile(join(serving.directory, "notes"), "");
    },
  );

  it("what throws is logged, and what comes after it is called, in the request's context", async () => {
    expect(await ask(serving, "/throw,reject,context")).toBe(200);
    await expect.poll(async () => await notes(serving)).toContain("context /throw,reject,context");
    for (const what of ["thrown", "rejected"]) {
      await expect
        .poll(() => serving.output)
        .toMatch(new RegExp(`GET /throw,reject,context, after the response: Error: ${what} afterwards`));
    }
    expect(await ask(serving, "/")).toBe(200);
  });

  it("is called for a handler that fails, too", async () => {
    await writeFile(join(serving.directory, "notes"), "");
    expect(await ask(serving, "/soon?fail")).toBe(500);
    await expect.poll(async () => await notes(serving)).toEqual(["soon begun", "soon ended"]);
  });

  it("does not keep a connection of the web server from its next request", async () => {
    const client = new FastCgiClient({ path: serving.socket });
    await writeFile(join(serving.directory, "notes"), "");
    for (const url of ["/soon", "/", "/"]) {
      const answer = await client.request({ params: params(url) });
      for await (const chunk of answer.body) void chunk;
      await answer.ended;
    }
    expect(await notes(serving)).not.toContain("soon ended");
    client.close();
    await expect.poll(async () => await notes(serving)).toEqual(["soon begun", "soon ended"]);
  });
});

describe.each(MODES)("SIGTERM in the %s mode", (mode) => {
  let serving: Serving;
  afterEach(() => serving?.stop());

  it("waits for the hooks", async () => {
    serving = await Serving.start({ ...APP, mode, replace: ONE });
    expect(await ask(serving, "/soon,soon")).toBe(200);
    expect(await serving.terminate()).toBe(0);
    expect(await notes(serving)).toEqual(["soon begun", "soon ended", "soon begun", "soon ended"]);
  });

  it("waits no longer than graceful_timeout, and says so", async () => {
    serving = await Serving.start({
      ...APP,
      mode,
      replace: [["graceful_timeout = 30s", "graceful_timeout = 1s"], ...ONE],
    });
    expect(await ask(serving, "/never")).toBe(200);
    const begun = Date.now();
    await serving.terminate();
    const took = Date.now() - begun;
    expect(took).toBeGreaterThan(800);
    expect(took).toBeLessThan(9000);
    expect(await notes(serving)).toEqual(["never begun"]);
    // A thread's own line may not leave it before it is ended.
    expect(serving.output).toMatch(
      /hooks of afterResponse that were not over .*: 1\n|thread \d+ is ended: gracefulTimeout/,
    );
  });
});
