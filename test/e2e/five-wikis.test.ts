/** The story that propylon exists for: an app installed once from its package, without root, and set up five times. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Front, INSTALLED, startWebServer } from "../support/front.ts";
import { until } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** `nobody`: root goes on as somebody who may nothing; anybody else as himself. */
const NOBODY = 65_534;
const asUser = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
const NAMES = ["one", "two", "three", "four", "five"] as const;
type Name = (typeof NAMES)[number];

let directory = "";
const servers = new Map<Name, ChildProcess>();
const fronts: Front[] = [];

/** In the folder, as the ordinary user. */
function run(command: string, args: readonly string[]): string {
  const env = { PATH: process.env["PATH"], HOME: directory, npm_config_cache: join(directory, ".npm-cache") };
  return execFileSync(command, args, {
    cwd: directory,
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    ...asUser,
  });
}

function propylon(...args: string[]): string {
  return run(join(directory, "node_modules/.bin/propylon"), args);
}

async function serve(name: Name): Promise<void> {
  const child = spawn(join(directory, "node_modules/.bin/propylon"), ["serve", `${name}.ini`], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    ...asUser,
  });
  servers.set(name, child);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => void (output += String(chunk)));
  await until(
    () => output.includes("Serving ") || child.exitCode !== null,
    () => output,
  );
  expect(output).toContain(`Serving FastCGI on ${join(directory, `${name}.sock`)}`);
}

async function stopAll(): Promise<void> {
  const exits = [...servers.values()].map(async (child) => {
    child.kill("SIGTERM");
    const [code] = (await once(child, "exit")) as [number];
    expect(code).toBe(0);
  });
  await Promise.all(exits);
  servers.clear();
}

/** One front before all five: the part of the example that names prefix and socket, once for each wiki. */
function fiveTimes(file: string, part: RegExp): string {
  const text = readFileSync(join(ROOT, file), "utf8");
  const [one] = part.exec(text)!;
  const five = NAMES.map((name) =>
    one.replaceAll(/(?<=\/)james\b/g, name).replaceAll("/run/propylon/app.sock", join(directory, `${name}.sock`)),
  );
  const config = join(directory, file.replaceAll("/", "-"));
  writeFileSync(
    config,
    text.replace(part, () => five.join("\n")),
  );
  return config;
}

async function save(origin: string, name: Name, text: string): Promise<void> {
  const form = `${origin}/${name}/p/Visit/edit`;
  const page = await fetch(form);
  const cookie = page.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  const hidden = [...(await page.text()).matchAll(/<input\s+type="hidden"\s+name="(\w+)"\s+value="([^"]*)"/g)];
  const fields = new URLSearchParams([
    ...hidden.map(([, key, value]): [string, string] => [key!, value!]),
    ["text", text],
  ]);
  const saved = await fetch(form, { method: "POST", body: fields, headers: { cookie }, redirect: "manual" });
  expect(saved.status).toBe(303);
  expect(saved.headers.get("location")).toContain(`/${name}/`);
}

async function visit(origin: string, name: Name): Promise<string> {
  return await (await fetch(`${origin}/${name}/p/Visit`)).text();
}

const able = INSTALLED.has("apache") && INSTALLED.has("lighttpd");

describe.skipIf(!able)("five wikis from one installation", () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "propylon-five-"));
    chmodSync(directory, 0o755);
    const pack = (what: string): void =>
      void execFileSync("npm", ["pack", "--silent", "--pack-destination", directory, what], { cwd: ROOT });
    pack(".");
    pack("./examples/wiki");
    if (asUser.uid !== undefined) chownSync(directory, asUser.uid, asUser.gid);
    writeFileSync(join(directory, "package.json"), "{}\n");
    const tarballs = readdirSync(directory).filter((file) => file.endsWith(".tgz"));
    expect(tarballs).toHaveLength(2);
    run("npm", [
      "install",
      "--no-save",
      "--no-audit",
      "--no-fund",
      "--no-package-lock",
      ...tarballs.map((file) => `./${file}`),
    ]);
  }, 180_000);

  afterAll(async () => {
    await Promise.all(fronts.map(async (front) => await front.stop()));
    for (const child of servers.values()) child.kill("SIGKILL");
    if (directory !== "") rmSync(directory, { recursive: true, force: true });
  });

  it("is what the package says, and nothing of the repository", () => {
    expect(readdirSync(join(directory, "node_modules/propylon")).toSorted()).not.toContain("src");
    expect(propylon("--version")).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.for(NAMES)("makes and sets up %s with a database of its own", (name) => {
    expect(propylon("make-config", "wiki", `${name}.ini`)).toContain(`propylon setup-app ${name}.ini`);
    const file = join(directory, `${name}.ini`);
    const config = readFileSync(file, "utf8")
      .replace(/^socket = .*$/m, `socket = %(here)s/${name}.sock\nsocket_mode = 0666`)
      .replace(/^database = .*$/m, `database = %(here)s/data/${name}.db`);
    writeFileSync(file, config);
    expect(propylon("setup-app", `${name}.ini`)).toMatch(/data\/\w+\.db: \d+ pages written\n.*is set up/s);
  });

  it("has five secrets, which nobody else can read", () => {
    const secrets = NAMES.map(
      (name) => /^secret = (\S+)$/m.exec(readFileSync(join(directory, `${name}.ini`), "utf8"))?.[1],
    );
    expect(new Set(secrets).size).toBe(5);
    for (const secret of secrets) expect(secret!.length).toBeGreaterThan(40);
    for (const name of NAMES) expect(statSync(join(directory, `${name}.ini`)).mode & 0o077).toBe(0);
  });

  it(
    "serves each at its prefix behind lighttpd and Apache, and keeps its pages through a restart",
    { timeout: 120_000 },
    async () => {
      await Promise.all(NAMES.map(serve));
      const lighttpd = fiveTimes(
        "examples/lighttpd/fastcgi-unix-james.conf",
        /(?<=fastcgi\.server = \( )"\/james" => \(\([^)]*\)\)/,
      );
      writeFileSync(lighttpd, readFileSync(lighttpd, "utf8").replaceAll('))\n"/', ')),\n"/'));
      const apache = fiveTimes(
        "apache-examples/mod_proxy_fcgi-unix-james.conf",
        / *# The name after[^]*<\/Location>\n/,
      );
      fronts.push(
        await startWebServer({ name: "lighttpd", config: lighttpd }),
        await startWebServer({ name: "apache", config: apache }),
      );
      const [first, second] = fronts.map(({ url }) => url.replace(/\/$/, ""));
      for (const name of NAMES)
        await save(name.length % 2 === 0 ? first! : second!, name, `written into ${name} alone`);
      await stopAll();
      await Promise.all(NAMES.map(serve));
      for (const origin of [first!, second!]) {
        for (const name of NAMES) {
          const page = await visit(origin, name);
          expect(page).toContain(`written into ${name} alone`);
          for (const other of NAMES) if (other !== name) expect(page).not.toContain(`written into ${other} alone`);
        }
      }
      await stopAll();
    },
  );
});
