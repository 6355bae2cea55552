/** The app as a browser sees it, through node's own http server. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { makeApp } from "../src/app.ts";
import { setupApp } from "../src/websetup.ts";

const said: string[] = [];
const command = { say: (line: string) => void said.push(line) };

let directory: string;
let localConf: Record<string, string>;
let server: Server | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "app-"));
  localConf = { greeting: "Good <day>", data_file: join(directory, "data/text.txt"), secret: "for the tests" };
  said.length = 0;
});

afterEach(async () => {
  server?.close();
  server = undefined;
  await rm(directory, { recursive: true });
});

/** Sets the app up and serves it. @returns its address */
async function serve(): Promise<string> {
  await setupApp(command, { globalConf: {}, localConf });
  server = createServer(makeApp({}, localConf)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("the app", () => {
  it("shows its greeting and the text of the data file, as it is now", async () => {
    const origin = await serve();
    const first = await fetch(origin);
    expect(first.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(await first.text()).toMatch(/<h1>Good &lt;day&gt;<\/h1>\s+<p>This text is the data file's/);
    await writeFile(localConf["data_file"]!, "Changed & saved\n");
    expect(await (await fetch(`${origin}/?again`)).text()).toContain("<p>Changed &amp; saved</p>");
  });

  it("counts the visits of a browser, and believes no count that it has not signed", async () => {
    const origin = await serve();
    const visit = async (cookie: string): Promise<Response> => await fetch(origin, { headers: { cookie } });
    const [cookie = ""] = (await visit("")).headers.getSetCookie();
    expect(await (await visit(cookie)).text()).toContain("visit no. 2<");
    expect(await (await visit(cookie.replace("=1.", "=7."))).text()).toContain("visit no. 1<");
  });

  it.each([
    ["GET", "/other", 404],
    ["POST", "/", 405],
  ])("answers %s %s with %d", async (method, path, status) => {
    expect((await fetch((await serve()) + path, { method })).status).toBe(status);
  });

  it("says what is missing in its configuration", () => {
    expect(() => makeApp({}, { secret: "s" })).toThrow('needs a line "data_file = …"');
    expect(() => makeApp({}, { data_file: "f" })).toThrow('needs a line "secret = …"');
    expect(() => makeApp({}, localConf)).toThrow("propylon setup-app makes it");
  });
});

describe("its set-up", () => {
  it("makes the data file, and leaves one that is there", async () => {
    await setupApp(command, { globalConf: {}, localConf }, { text: "first" });
    await setupApp(command, { globalConf: {}, localConf }, { text: "second" });
    expect(said).toEqual([`wrote ${localConf["data_file"]}`, `${localConf["data_file"]} is there already`]);
    expect(await (await fetch(await serve())).text()).toContain("<p>first</p>");
  });
});
