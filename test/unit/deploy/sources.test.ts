import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

import { sourcesOf } from "../../../src/deploy/sources.ts";

let root = "";

function write(name: string, content = ""): void {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), content);
}

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "propylon-sources-")));
  write("site/package.json", '{ "name": "site" }');
  write("site/lib/app.js");
  write(
    "site/node_modules/blog/package.json",
    '{ "name": "blog", "propylon": { "app": { "main": "./lib/blog.js" } } }',
  );
  write("site/node_modules/blog/lib/blog.js");
  write("loose/filter.js");
});
afterAll(() => rmSync(root, { recursive: true }));

it("names the files that were read and the packages of all apps and filters, behind composites too", () => {
  write(
    "site/config/a.ini",
    "[composite:main]\nuse = egg:Paste#urlmap\n/ = home\n/blog = egg:blog\n/x = config:b.ini\nfilter-with = f\n" +
      "[app:home]\nuse = call:../lib/app.js:makeApp\n[filter:f]\nuse = call:../../loose/filter.js:f\n",
  );
  write("site/config/b.ini", "[app:main]\nuse = call:../lib/app.js:other\n");
  const { files, directories } = sourcesOf("a.ini", { relativeTo: join(root, "site/config") });
  expect(files).toEqual([join(root, "site/config/a.ini"), join(root, "site/config/b.ini")]);
  expect(new Set(directories)).toEqual(
    new Set([join(root, "site"), join(root, "site/node_modules/blog"), join(root, "loose")]),
  );
});

it("of a file with a fault names what there is, and the place of a module that is missing", () => {
  write("site/config/c.ini", "nonsense\n");
  const at = { relativeTo: join(root, "site/config") };
  expect(sourcesOf("c.ini", at)).toEqual({ files: [join(root, "site/config/c.ini")], directories: [] });
  write("site/config/c.ini", "[app:main]\nuse = call:./missing.js:makeApp\n");
  expect(sourcesOf("c.ini", at).directories).toEqual([join(root, "site")]);
  expect(sourcesOf("none.ini", at).files).toEqual([join(root, "site/config/none.ini")]);
});
