/** `propylon create`: the new package is built, tested, documented, packed, installed elsewhere and served. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { until, variables } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** No package of the registry has it: `npm publish` looks. */
const NAME = "@propylon-test/wiki";

let directory: string;
/** propylon from its tarball. */
let home: string;
/** The new package, and where its tarball is installed. */
let source: string;
let site: string;
let server: ChildProcess | undefined;

/** @throws with all that it has said, unless it ends with 0 */
async function run(cwd: string, command: string, ...args: string[]): Promise<{ out: string; err: string }> {
  // Whoever runs the tests may have told npm to be silent.
  const env = { ...process.env, npm_config_loglevel: "notice" };
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(child, "exit");
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await exit) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit ${code}\n${out}\n${err}`);
  return { out, err };
}

async function npmInstall(cwd: string, ...what: string[]): Promise<void> {
  await run(cwd, "npm", "install", "--no-audit", "--no-fund", "--prefer-offline", ...what);
}

async function propylon(cwd: string, ...args: string[]): Promise<string> {
  return (await run(cwd, join(home, "node_modules/.bin/propylon"), ...args)).out;
}

async function ask(socket: string): Promise<string> {
  return await text((await fastCgiRequest({ path: socket }, { params: variables("/") })).body);
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "propylon-create-"));
  [home, source, site] = ["home", "wiki", "site"].map((name) => join(directory, name)) as [string, string, string];
  for (const folder of [home, site]) {
    mkdirSync(folder);
    writeFileSync(join(folder, "package.json"), "{}\n");
  }
  await run(ROOT, "npm", "pack", "--silent", "--pack-destination", home);
  const tarball = readdirSync(home).find((file) => file.endsWith(".tgz"));
  await npmInstall(home, `./${tarball}`);
}, 120_000);

afterAll(async () => {
  if (server?.kill()) await once(server, "exit");
  rmSync(directory, { recursive: true, force: true });
});

describe("a new app", { timeout: 120_000 }, () => {
  it("is written by the installed propylon, formatted as propylon itself", async () => {
    expect(await propylon(directory, "create", NAME)).toContain("\n  cd wiki\n  npm install\n  npm test\n");
    expect(readdirSync(directory).toSorted()).toEqual(["home", "site", "wiki"]);
    await run(source, join(ROOT, "node_modules/.bin/oxfmt"), "--check", "-c", join(ROOT, ".oxfmtrc.json"), ".");
  });

  it("is installed without propylon", async () => {
    await npmInstall(source);
    expect(existsSync(join(source, "node_modules/propylon"))).toBe(false);
  });

  it("is built, tested with every example, and documented", async () => {
    const [{ out }] = await Promise.all([run(source, "npm", "test"), run(source, "npm", "run", "docs")]);
    expect(out).toMatch(/npm run build\n[^]*Tests .*11 passed/);
    expect(readFileSync(join(source, "docs/html/functions/app.makeApp.html"), "utf8")).toMatch(/Example.*makeApp/);
    expect(existsSync(join(source, "docs/html/documents/Configuration.html"))).toBe(true);
  });

  it("has a test that notices an example which does not work", async () => {
    const page = join(source, "docs/Configuration.md");
    const before = readFileSync(page, "utf8");
    writeFileSync(page, before.replace("data_file =", "no_such_key ="));
    await expect(run(source, "npx", "vitest", "run", "test/examples.test.ts")).rejects.toThrow(
      /example 1 of docs\/Configuration\.md/,
    );
    writeFileSync(page, before);
    expect(readdirSync(join(source, "test"))).toHaveLength(3);
  });

  it("builds itself for npm pack, holds what it needs, and could be published", async () => {
    rmSync(join(source, "dist"), { recursive: true });
    await run(source, "npm", "pack", "--pack-destination", site);
    const { err } = await run(source, "npm", "publish", "--dry-run", "--ignore-scripts");
    const warnings = err.split("\n").filter((line) => line.startsWith("npm warn") && !line.includes("logged in"));
    expect(warnings).toEqual([]);
    expect(err).toMatch(/README\.md[^]*deployment\.ini_tmpl[^]*dist\/app\.js[^]*docs\/Configuration\.md/);
  });

  it.each([
    ["in its own directory", () => source],
    ["installed from its tarball", () => site],
  ])("is configured, set up twice and served %s", async (_, place) => {
    const cwd = place();
    if (cwd === site) await npmInstall(site, "./propylon-test-wiki-0.1.0.tgz");
    expect(await propylon(cwd, "make-config", NAME, "one.ini")).toContain("propylon setup-app one.ini");
    const file = join(cwd, "data/wiki.txt");
    expect(await propylon(cwd, "setup-app", "one.ini", "text=Made in set-up")).toBe(
      `wrote ${file}\none.ini is set up\n`,
    );
    expect(await propylon(cwd, "setup-app", "one.ini", "text=Another")).toContain(`${file} is there already\n`);
    server = spawn(join(home, "node_modules/.bin/propylon"), ["serve", "one.ini"], { cwd, stdio: "ignore" });
    await until(
      () => existsSync(join(cwd, "wiki.sock")),
      () => "its socket",
    );
    expect(await ask(join(cwd, "wiki.sock"))).toMatch(/<h1>Hello<\/h1>\s+<p>Made in set-up<\/p>/);
    server.kill();
    expect(await once(server, "exit")).toEqual([0, null]);
  });
});
