import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { CommanderError } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { createProgram } from "../../../src/commands/program.ts";

const home = process.cwd();
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-create-"));
  process.chdir(directory);
});

afterEach(async () => {
  process.chdir(home);
  process.exitCode = 0;
  await rm(directory, { recursive: true });
});

/** Runs `propylon create`, where the test is. */
async function create(...args: string[]): Promise<{ code: unknown; out: string; err: string }> {
  const written = { out: "", err: "" };
  const catching = (stream: "out" | "err") => (chunk: string | Uint8Array) => {
    written[stream] += String(chunk);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation(catching("out")),
    vi.spyOn(process.stderr, "write").mockImplementation(catching("err")),
  ];
  const exit = vi.spyOn(process, "exit").mockImplementation((code) => {
    throw new CommanderError(Number(code), "test.exit", "exit");
  });
  process.exitCode = 0;
  try {
    await createProgram()
      .parseAsync(["create", ...args], { from: "user" })
      .catch(() => {});
    return { code: exit.mock.calls[0]?.[0] ?? process.exitCode, ...written };
  } finally {
    for (const spy of [...spies, exit]) spy.mockRestore();
  }
}

async function manifest(folder: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Record<string, unknown>;
}

describe("propylon create", () => {
  it("writes a package of that name, and says what to run next", async () => {
    expect(await create("wiki")).toEqual({
      code: 0,
      out:
        "wrote 15 files into wiki\n\nNow:\n  cd wiki\n  npm install\n  npm test\n" +
        "  propylon make-config wiki wiki.ini\n  propylon setup-app wiki.ini\n  propylon serve wiki.ini --server-name http\n",
      err: "",
    });
    expect(await readdir(".")).toEqual(["wiki"]);
    expect((await readdir("wiki")).toSorted()).toEqual([
      ...[".gitignore", "README.md", "deployment.ini_tmpl", "docs", "package.json", "src", "test"],
      ...["tsconfig.json", "typedoc.json"],
    ]);
    expect((await stat("wiki")).mode & 0o777).toBe(0o777 & ~process.umask());
    expect(await manifest("wiki")).toMatchObject({
      ...{ name: "wiki", description: "An app for propylon", peerDependencies: { propylon: ">=0.1.0" } },
      propylon: { app: { main: "./dist/app.js#makeApp" } },
    });
    expect(await readFile("wiki/deployment.ini_tmpl", "utf8")).toMatch(
      /^use = package:wiki#main\n(.*\n)*secret = \$\{app_instance_secret\}\n$/m,
    );
  });

  it("takes a scope, a description and a directory, of which the ones above are made too", async () => {
    const made = await create("@site/wiki", "their apps/w", "--description", 'Pages by "all"');
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(made.out).toContain("  cd 'their apps/w'\n");
    expect(made.out).toContain("  propylon make-config @site/wiki wiki.ini\n");
    expect(await manifest("their apps/w")).toMatchObject({ name: "@site/wiki", description: 'Pages by "all"' });
    expect(await readFile("their apps/w/README.md", "utf8")).toMatch(/^# @site\/wiki\n\nPages by "all"\n/);
    expect((await create("@site/blog")).code).toBe(0);
    expect((await manifest("blog"))["name"]).toBe("@site/blog");
  });

  it("fills an empty directory, which stays the same one", async () => {
    const { ino } = await stat(".");
    const made = await create("wiki", ".");
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(made.out).not.toContain("cd ");
    expect((await manifest(directory))["name"]).toBe("wiki");
    expect((await stat(directory)).ino).toBe(ino);
    expect(await readdir(directory)).toHaveLength(9);
  });

  it("names the files with -n, and writes none", async () => {
    const { code, out } = await create("wiki", "-n");
    expect(code).toBe(0);
    expect(out.split("\n")).toHaveLength(16);
    expect(out).toMatch(/^would write wiki\/\.gitignore, \d+ bytes\n/);
    expect(out).toMatch(/^would write wiki\/src\/app\.ts, \d+ bytes$/m);
    expect(await readdir(".")).toEqual([]);
  });

  it("names the files with -v, and says nothing with -q", async () => {
    const { out } = await create("wiki", "-v");
    expect(out).toMatch(/^wrote wiki\/\.gitignore, \d+ bytes\n(wrote wiki\/.*\n){14}wrote 15 files into wiki\n/);
    expect(await create("blog", "-q")).toEqual({ code: 0, out: "", err: "" });
  });

  it.each([
    [
      ["Wiki"],
      '"Wiki" cannot be the name of an npm package: name can no longer contain capital letters; take one such',
    ],
    [["../wiki"], "cannot be the name of an npm package: name cannot start with a period"],
    [["@site/.."], "cannot be the name of an npm package: name cannot start with a period"],
    [["a wiki"], "name can only contain URL-friendly characters"],
    [["http"], "http is a core module name"],
    [["vitest"], '"vitest" is a package that every new app needs; take another name'],
    [["propylon"], '"propylon" is a package that every new app needs'],
    [["wiki", "full"], "the directory full is not empty, and nothing in it is replaced; name another one: propylon"],
    [["wiki", "full", "-n"], "the directory full is not empty"],
    [["wiki", "full/file"], "full/file is no directory; name another one: propylon create wiki DIRECTORY"],
    [["wiki", "full/file/wiki"], "full/file/wiki is no directory"],
    [["wiki", "--description", "one\ntwo"], "--description is one line"],
    [["wiki", "-q", "-v"], "cannot be used with option"],
    [[], "missing required argument 'NAME'"],
  ])("refuses %j with 2 and leaves nothing", async (args, wording) => {
    await mkdir("full");
    await writeFile("full/file", "");
    const { code, out, err } = await create(...args);
    expect(code).toBe(2);
    expect(err).toContain(wording);
    expect(out).toBe("");
    expect(await readdir(".", { recursive: true })).toEqual(["full", "full/file"]);
  });

  it("ends with 1 and the system's word where it cannot be written", async () => {
    const { code, err } = await create("wiki", join("apps", "x".repeat(300)));
    expect(code).toBe(1);
    expect(err).toMatch(/^propylon: ENAMETOOLONG: /);
    expect(await readdir(".")).toEqual([]);
  });

  it("documents its exit codes", async () => {
    const { code, out } = await create("--help");
    expect(code).toBe(0);
    expect(out).toMatch(/Exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 .*\n\nExample:\n {2}propylon create wiki\n/);
  });
});
