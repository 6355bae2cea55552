import { mkdirSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { newPackageFiles, writeNewPackage } from "../../../src/install/new-package.ts";

const NEW = { name: "@site/wiki", description: "Pages", propylonVersion: "3.2.1" };

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-new-package-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe("the files of a new package", () => {
  it("have the names that tools look for, and what the package is called", async () => {
    const files = new Map((await newPackageFiles(NEW)).map(({ path, content }) => [path, content]));
    expect([...files.keys()]).toEqual([
      ...[".gitignore", "README.md", "deployment.ini_tmpl", "docs/Configuration.md", "package.json"],
      ...["app", "page", "settings", "visits", "websetup"].map((name) => `src/${name}.ts`),
      ...["test/app.test.ts", "test/examples.test.ts", "test/tsconfig.json", "tsconfig.json", "typedoc.json"],
    ]);
    expect(JSON.parse(files.get("package.json")!)).toMatchObject({ peerDependencies: { propylon: ">=3.2.1" } });
    expect(files.get("src/app.ts")).toContain('import { makeApp } from "@site/wiki";');
    expect(files.get("src/app.ts")).toContain("`${baseUrl}/`");
    expect(files.get("deployment.ini_tmpl")).toMatch(/^socket = %\(here\)s\/\$\{app_name\}\.sock$/m);
  });

  it("leave nothing behind where one of them cannot be written", async () => {
    const files = [
      { path: "a", content: "" },
      { path: "a/b", content: "" },
    ];
    await expect(writeNewPackage(join(directory, "some/where"), files)).rejects.toThrow("EEXIST");
    expect(await readdir(directory)).toEqual([]);
    await mkdir(join(directory, "there"));
    await expect(writeNewPackage(join(directory, "there"), files)).rejects.toThrow("EEXIST");
    expect(await readdir(join(directory, "there"))).toEqual([]);
  });

  it("take the place of no directory that has come meanwhile", async () => {
    const target = join(directory, "wiki");
    const file = {
      path: "a",
      get content(): string {
        mkdirSync(target);
        writeFileSync(join(target, "somebody's"), "");
        return "";
      },
    };
    await expect(writeNewPackage(target, [file])).rejects.toThrow("ENOTEMPTY");
    expect(await readdir(directory, { recursive: true })).toEqual(["wiki", "wiki/somebody's"]);
  });
});
