import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { BUILTINS } from "../../../src/deploy/builtins.ts";
import { describe as describeContext } from "../../../src/deploy/loader.ts";
import { type AppShape, shapeOf } from "../../../src/deploy/static-files.ts";

let directory: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), "propylon-static-files-"))));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const APPS = `
[app:wire]
use = call:./not-there.js:makeApp
[app:files]
use = egg:Paste#static
document_root = /srv/files
[app:own]
use = egg:propylon#static
document_root = public
cache_max_age = 60
[filter:auth]
use = call:./not-there.js:makeFilter
[filter:gzip]
use = egg:Paste#gzip
[filter:prefix]
use = egg:PasteDeploy#prefix
prefix = /james
`;

function shape(main: string): AppShape {
  const file = join(directory, "app.ini");
  writeFileSync(file, main + APPS);
  return shapeOf(describeContext("app", `config:${file}`, { builtins: BUILTINS, relativeTo: "/" }));
}

const URLMAP = "[composite:main]\nuse = egg:Paste#urlmap\n";

describe("the static files of an app", () => {
  it("are those that a urlmap has below a path, relative to the file", () => {
    const { files, kept } = shape(`${URLMAP}/ = wire\n/static = files\n/a/b%20c = own\n`);
    expect(files).toEqual([
      { url: "/static", directory: "/srv/files" },
      { url: "/a/b c", directory: join(directory, "public"), maxAge: 60 },
    ]);
    expect(kept).toEqual([]);
  });

  it("are found in a urlmap below another, and behind filters of propylon's own", () => {
    const deeper = "[composite:deeper]\nuse = egg:Paste#urlmap\n/ = wire\n/static = files\n";
    const { files, prefix } = shape(
      `[pipeline:main]\npipeline = prefix gzip top\n[composite:top]\nuse = egg:Paste#urlmap\n/ = wire\n/sub = deeper\n${deeper}`,
    );
    expect(files).toEqual([{ url: "/sub/static", directory: "/srv/files" }]);
    expect(prefix).toBe("/james");
  });

  it.each([
    [
      "an unknown filter round all",
      `${URLMAP}/static = files\n/ = wire\nfilter-with = auth\n`,
      'the filter "makeFilter"',
    ],
    [
      "an unknown filter round them",
      `${URLMAP}/static = x\n/ = wire\n[filter-app:x]\nuse = auth\nnext = files\n`,
      'the filter "makeFilter"',
    ],
    ["a cascade", "[composite:main]\nuse = egg:Paste#cascade\napp1 = files\napp2 = wire\n", "it is one of a cascade"],
    ["an app below them", `${URLMAP}/static = files\n/static/live = wire\n`, "other apps are below it"],
    ["a host of their own", `${URLMAP}/ = wire\ndomain a.example.org /static = files\n`, "it is one host's"],
    ["nothing else", "[app:main]\nuse = files\n", "it is all of the app"],
  ])("stay with it where there is %s", (_what, main, why) => {
    const { files, kept } = shape(main);
    expect(files).toEqual([]);
    expect(kept).toEqual([expect.stringContaining(why)]);
    expect(kept[0]).toContain("/srv/files at /");
  });

  it("are none where the app is code", () => {
    expect(shape("[app:main]\nuse = wire\n")).toEqual({ prefix: undefined, files: [], kept: [] });
  });
});
