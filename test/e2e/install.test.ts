/** `propylon make-config` and `propylon setup-app`, as a webmaster calls them. */
import { spawn } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "bin/propylon.js");

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-install-"));
  await mkdir(join(directory, "node_modules"));
  await symlink(ROOT, join(directory, "node_modules/propylon"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function propylon(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const code = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, out, err };
}

/** An installed package: file names and what is in them. */
async function install(name: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [file, content] of Object.entries(files)) {
    const path = join(directory, "node_modules", name, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}

const MANIFEST = JSON.stringify({
  ...{ name: "blog", version: "1.0.0", type: "module", description: "A blog" },
  propylon: { app: { main: "./app.js#makeApp", admin: "./app.js#makeAdmin" } },
});
const APP = "export const makeApp = () => () => {};\nexport const makeAdmin = () => () => {};\n";
const TEMPLATE =
  "[server:main]\nuse = egg:propylon#fcgi\nsocket = %(here)s/${app_name}.sock\n\n" +
  "[app:main]\nuse = egg:blog#${ep_name}\ntitle = ${title}\n";
const WEBSETUP =
  'import { appendFileSync } from "node:fs";\n' +
  "export async function setupApp(command, conf, vars) {\n" +
  "  if (conf.localConf.title === 'bad') throw new Error('the database is full');\n" +
  "  appendFileSync('set-up.txt', JSON.stringify([conf.localConf.title, conf.globalConf.here, vars]) + '\\n');\n" +
  "}\n";

async function installBlog(more: Readonly<Record<string, string>> = {}): Promise<void> {
  await install("blog", { "package.json": MANIFEST, "app.js": APP, "deployment.ini_tmpl": TEMPLATE, ...more });
}

async function read(file: string): Promise<string> {
  return await readFile(join(directory, file), "utf8");
}

describe("make-config", () => {
  it("writes the sample wiki's configuration, which setup-app and serve take as it is", async () => {
    await cp(join(ROOT, "examples/wiki"), join(directory, "node_modules/wiki"), { recursive: true });
    await symlink(join(ROOT, "node_modules"), join(directory, "node_modules/wiki/node_modules"));
    const made = await propylon(["make-config", "wiki", "wiki_production.ini"]);
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(made.out).toMatch(/^wrote wiki_production\.ini$/m);
    expect(made.out).toContain("propylon setup-app wiki_production.ini\n  propylon serve wiki_production.ini\n");
    expect((await stat(join(directory, "wiki_production.ini"))).mode & 0o777).toBe(0o600);
    expect(await read("wiki_production.ini")).toMatch(/^secret = [\w-]{43}$/m);
    const first = await propylon(["setup-app", "wiki_production.ini"]);
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toMatch(/wiki\.db: \d+ pages written\nwiki_production\.ini is set up\n$/);
    expect((await propylon(["setup-app", "wiki_production.ini"])).out).toContain("is set up already");
  });

  it("takes variables and the name of an app, with or without a file's name", async () => {
    await installBlog();
    expect(await propylon(["make-config", "blog#admin", "title=Mine"])).toMatchObject({ code: 0, err: "" });
    expect(await read("blog.ini")).toBe(
      "[server:main]\nuse = egg:propylon#fcgi\nsocket = %(here)s/blog.sock\n\n[app:main]\nuse = egg:blog#admin\ntitle = Mine\n",
    );
    expect((await propylon(["make-config", "blog", "sub/dir/a.ini", "title=x", "--name", "admin"])).code).toBe(0);
    expect(await read("sub/dir/a.ini")).toContain("egg:blog#admin");
  });

  it("leaves what is the same, keeps what differs and shows it, replaces it with --force", async () => {
    await installBlog();
    const make = async (...args: string[]): Promise<Run> => await propylon(["make-config", "blog", "a.ini", ...args]);
    await make("title=one");
    await chmod(join(directory, "a.ini"), 0o640);
    const { mtimeMs } = await stat(join(directory, "a.ini"));
    expect(await make("title=one")).toMatchObject({ code: 0, out: expect.stringContaining("as it should be already") });
    expect((await stat(join(directory, "a.ini"))).mtimeMs).toBe(mtimeMs);
    const kept = await make("title=two");
    expect(kept.code).toBe(1);
    expect(kept.out).toMatch(/^-title = one\n\+title = two$/m);
    expect(kept.err).toBe("propylon: a.ini was left as it is; --force replaces it\n");
    expect(await read("a.ini")).toContain("title = one");
    expect(await make("title=two", "-n", "--force")).toMatchObject({ code: 0 });
    expect(await read("a.ini")).toContain("title = one");
    expect(await make("title=two", "--force")).toMatchObject({
      code: 0,
      out: expect.stringContaining("replaced a.ini"),
    });
    expect(await read("a.ini")).toContain("title = two");
    expect((await stat(join(directory, "a.ini"))).mode & 0o777).toBe(0o640);
    expect(await readdir(directory)).toEqual(["a.ini", "node_modules"]);
  });

  it("writes nothing with -n, and nothing but --info's answer with that", async () => {
    await installBlog();
    const simulated = await propylon(["make-config", "blog", "a.ini", "title=x", "-n"]);
    expect(simulated).toMatchObject({ code: 0, out: "would write a.ini, 108 bytes\n" });
    expect(await propylon(["make-config", "blog", "--info"])).toEqual({ code: 0, out: "blog#main: A blog\n", err: "" });
    expect(await readdir(directory)).toEqual(["node_modules"]);
  });

  it("edits with $EDITOR, then sets up", async () => {
    await installBlog({ "websetup.js": WEBSETUP });
    const editor = "sed -i s/before/after/";
    const env = { EDITOR: editor, VISUAL: editor };
    const made = await propylon(["make-config", "blog", "a.ini", "title=before", "--edit", "--setup"], env);
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(await read("set-up.txt")).toContain('["after",');
    const failed = await propylon(["make-config", "blog", "b.ini", "title=x", "--edit", "--setup"], {
      EDITOR: "false",
      VISUAL: "false",
    });
    expect(failed).toMatchObject({
      code: 1,
      err: expect.stringContaining("the editor failed (false); b.ini is written"),
    });
    const none = await propylon(["make-config", "blog", "c.ini", "title=x", "--edit"], { EDITOR: "", VISUAL: "" });
    expect(none).toMatchObject({ code: 2, out: "", err: "propylon: --edit: set $EDITOR to your editor first\n" });
  });

  it("without a template writes a file with the app alone", async () => {
    await install("blog", { "package.json": MANIFEST, "app.js": APP });
    expect((await propylon(["make-config", "blog"])).code).toBe(0);
    expect(await read("blog.ini")).toContain("[app:main]\nuse = package:blog#main\n");
  });

  it.for([
    [["blogg", "a.ini"], 2, /CONFIG_NO_PACKAGE: package "blogg" is not installed, did you mean "blog"\?/],
    [["blog#amin", "a.ini"], 2, /CONFIG_NO_ENTRY_POINT: package blog has no app "amin", did you mean "main"\?/],
    [
      ["blog", "a.ini"],
      2,
      /CONFIG_TEMPLATE: .*deployment\.ini_tmpl:7 nobody has said what \$\{title\} is.*title=VALUE/,
    ],
    [["blog", "a.ini", "title"], 2, /"title" is not var=value/],
    [["blog#main", "a.ini", "--name", "admin"], 2, /names an app, and so does --name/],
    [["blog", "node_modules", "title=x"], 2, /node_modules is a directory, expected a file/],
    [["blog", "blocked/a.ini", "title=x"], 1, /ENOTDIR/],
  ] as const)("%j ends with %d and leaves nothing", async ([args, code, message]) => {
    await installBlog();
    await writeFile(join(directory, "blocked"), "");
    const run = await propylon(["make-config", ...args]);
    expect(run.code).toBe(code);
    expect(run.err).toMatch(message);
    expect(await readdir(directory)).toEqual(["blocked", "node_modules"]);
  });

  it("goes through the package's own installer", async () => {
    await install("blog", {
      "package.json": JSON.stringify({
        ...{ name: "blog", type: "module" },
        propylon: { app: { main: "./app.js#makeApp" }, install: { main: "./installer.js#Own" } },
      }),
      "app.js": APP,
      "installer.js":
        'import { Installer } from "propylon";\n' +
        "export class Own extends Installer {\n" +
        '  defaultConfigFilename = "own.ini";\n' +
        '  async description() { return "described by itself"; }\n' +
        "  async configContent(command, variables) { return `[app:main]\\nuse = egg:blog\\nby = ${variables.app_name}\\n`; }\n" +
        "  async setupConfig(command, conf) { command.say(`set up by itself: ${conf.merged.by}`); return true; }\n" +
        "}\n",
    });
    expect((await propylon(["make-config", "blog", "--info"])).out).toBe("described by itself\n");
    expect((await propylon(["make-config", "blog"])).code).toBe(0);
    expect(await read("own.ini")).toContain("by = blog");
    expect((await propylon(["setup-app", "own.ini"])).out).toContain("set up by itself: blog\n");
  });
});

describe("setup-app", () => {
  const FILTER = "[filter:f]\npaste.filter_factory = ./f.js:make\n";
  const BLOG = "[app:blog]\nuse = egg:blog\ntitle = T\n";

  it.for([
    ["an app of another name", "a.ini#blog", BLOG],
    ["filter-with", "a.ini", `[app:main]\nuse = egg:blog\ntitle = T\nfilter-with = f\n\n${FILTER}`],
    ["a pipeline", "a.ini", `[pipeline:main]\npipeline = f blog\n\n${BLOG}\n${FILTER}`],
    ["filter-app", "a.ini", `[filter-app:main]\npaste.filter_factory = ./f.js:make\nnext = blog\n\n${BLOG}`],
    ["an app by its module", "a.ini", "[app:main]\nuse = call:blog/app.js:makeApp\ntitle = T\n"],
  ])("finds the app behind %s", async ([, target, configuration]) => {
    await installBlog({ "websetup.js": WEBSETUP });
    await writeFile(join(directory, "a.ini"), configuration!);
    expect(await propylon(["setup-app", target!, "v=1"])).toEqual({ code: 0, out: "a.ini is set up\n", err: "" });
    expect(await read("set-up.txt")).toBe(`${JSON.stringify(["T", directory, { v: "1" }])}\n`);
  });

  it("runs nothing with -n", async () => {
    await installBlog({ "websetup.js": `${WEBSETUP}throw new Error("loaded");\n` });
    await writeFile(join(directory, "a.ini"), BLOG);
    const run = await propylon(["setup-app", "a.ini", "--name", "blog", "-n"]);
    expect(run).toEqual({
      ...{ code: 0, err: "" },
      out: `would run setupApp of ./websetup.js in ${join(directory, "node_modules/blog")}\n`,
    });
  });

  it("says so where there is nothing to set up", async () => {
    await installBlog();
    await writeFile(join(directory, "a.ini"), BLOG);
    expect(await propylon(["setup-app", "a.ini#blog"])).toMatchObject({ code: 0, out: "blog has nothing to set up\n" });
  });

  it.for([
    [
      "a set-up that fails",
      "[app:main]\nuse = egg:blog\ntitle = bad\n",
      1,
      /setupApp of .*websetup\.js failed: the database is full/,
    ],
    ["no such section", "[app:other]\nuse = egg:blog\n", 2, /CONFIG_NO_SECTION/],
    [
      "an app of propylon",
      "[app:main]\nuse = egg:Paste#static\n",
      2,
      /has nothing to set up; name the section of an app/,
    ],
    ["no such package", "[app:main]\nuse = egg:block\n", 2, /CONFIG_NO_PACKAGE.*did you mean "blog"/],
  ] as const)("ends with a message for %s", async ([, configuration, code, message]) => {
    await installBlog({ "websetup.js": WEBSETUP });
    await writeFile(join(directory, "a.ini"), configuration);
    const run = await propylon(["setup-app", "a.ini"]);
    expect(run.code).toBe(code);
    expect(run.err).toMatch(message);
  });
});

describe("points", () => {
  it("lists what installed packages offer, by group, beside what comes with propylon", async () => {
    await installBlog();
    const all = await propylon(["points"]);
    expect(all).toMatchObject({ code: 0, err: "" });
    expect(all.out).toMatch(
      /^app\n {2}egg:blog#main +\.\/app\.js#makeApp\n {2}egg:blog#admin +\.\/app\.js#makeAdmin\n/,
    );
    expect(all.out).toMatch(/^ {2}egg:PasteDeploy#prefix +comes with propylon$/m);
    expect(all.out).toMatch(/^ {2}egg:PasteScript#flup_fcgi_thread +comes with propylon$/m);
  });

  it("lists one group as JSON", async () => {
    await installBlog();
    const apps = JSON.parse((await propylon(["points", "app", "--json"])).out) as object[];
    expect(apps).toContainEqual({
      ...{ group: "app", use: "egg:blog#main", target: "./app.js#makeApp", directory: expect.stringMatching(/blog$/) },
    });
    expect(new Set(apps.map((point) => (point as { group: string }).group))).toEqual(new Set(["app"]));
  });

  it("tells by its exit code whether there is one, and with -v where it is", async () => {
    expect(await propylon(["points", "install", "-q"])).toMatchObject({ code: 1, out: "" });
    await installBlog();
    expect(await propylon(["points", "app", "-q"])).toMatchObject({ code: 0, out: "" });
    expect((await propylon(["points", "app", "-v"])).out).toMatch(/egg:blog#main +\.\/app\.js#makeApp in \/.*blog\n/);
  });

  it("refuses a group that there is not", async () => {
    const run = await propylon(["points", "filters"]);
    expect(run.code).toBe(2);
    expect(run.err).toMatch(/there is no group "filters", did you mean "filter"/);
  });
});
