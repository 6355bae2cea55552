import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { loadExport, syntaxPlace } from "../../../src/app/load.ts";
import { ConfigError } from "../../../src/errors.ts";

let base = "";

const FILES: Record<string, string> = {
  "esm.mjs": "export const late = await Promise.resolve('awaited'); export default 'whole';",
  "common.cjs": "module.exports = { make: 'made' };",
  "dynamic.cjs": "module.exports = Object.fromEntries([['hidden', 'found']]);",
  "throws.mjs": "throw new TypeError('first line\\nsecond');",
  "syntax.mjs": "export const = 1;",
  "empty.mjs": "",
  "typed.ts": "export const make: string = 'typed'; enum E { A }",
  "with space.mjs": "export const odd = 'odd';",
  "node_modules/cjs/package.json": '{ "name": "cjs", "main": "./lib/main.js" }',
  "node_modules/cjs/lib/main.js": "exports.make = 'cjs';",
  "node_modules/cjs/lib/other.js": "exports.make = 'other';",
  "node_modules/esm/package.json":
    '{ "name": "esm", "type": "module", "exports": { ".": { "types": "./x.d.ts", "import": "./main.js" }, "./sub": { "import": { "node": "./sub.js" } } } }',
  "node_modules/esm/main.js": "export const make = 'esm';",
  "node_modules/esm/sub.js": "export const make = 'sub';",
  "node_modules/@s/p/package.json": '{ "name": "@s/p", "type": "module", "exports": { "import": "./main.js" } }',
  "node_modules/@s/p/main.js": "export const make = 'scoped';",
  "deep/er/.keep": "",
};

beforeAll(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "propylon-load-")));
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    writeFileSync(join(base, path), text);
  }
});
afterAll(() => rmSync(base, { recursive: true }));

async function load(module: string, name: string, from = base): Promise<unknown> {
  return await loadExport({ module, base: from, export: name }, { file: "a.ini", line: 2 });
}

async function faultOf(module: string, name: string): Promise<ConfigError> {
  const error = await load(module, name).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  return error as ConfigError;
}

describe("loadExport", () => {
  it.each([
    ["./esm.mjs", "late", "awaited"],
    ["./esm.mjs", "default", "whole"],
    ["./common.cjs", "make", "made"],
    ["./dynamic.cjs", "hidden", "found"],
    ["./with space.mjs", "odd", "odd"],
    ["cjs", "make", "cjs"],
    ["cjs/lib/other.js", "make", "other"],
    ["esm", "make", "esm"],
    ["esm/sub", "make", "sub"],
    ["@s/p", "make", "scoped"],
  ])("takes from %s its %s", async (module, name, value) => {
    expect(await load(module, name)).toBe(value);
  });

  it("finds packages and files from the given directory", async () => {
    expect(await load("esm", "make", join(base, "deep/er"))).toBe("esm");
    expect(await load("../../common.cjs", "make", join(base, "deep/er"))).toBe("made");
    expect(await load(join(base, "common.cjs"), "make", "/")).toBe("made");
  });

  it("lists the exports that are there", async () => {
    const error = await faultOf("./esm.mjs", "make");
    expect(error.code).toBe("APP_WRONG_EXPORT");
    expect(error.message).toContain(`a.ini:2 ${base}/esm.mjs has no export "make" (it exports default, late)`);
    expect((await faultOf("./empty.mjs", "make")).message).toContain("(it exports nothing)");
  });

  it.each([
    ["./nothere-at-all.js", "nothere-at-all.js"],
    ["nothere", 'module "nothere" cannot be found from'],
    ["esm.mjs", 'did you mean "./esm.mjs"?'],
    ["esm/none", 'module "esm/none" cannot be found'],
    ["./throws.mjs", "throws.mjs failed to load: first line"],
    ["./syntax.mjs", "syntax.mjs failed to load"],
    ["./esm", "there is no file"],
    ["./esm", ', did you mean "esm.mjs"?'],
    ["./sintax.mjs", ', did you mean "syntax.mjs"?'],
    ["./deep", "/deep is a directory, expected a file"],
  ])("says why %s is not loaded", async (module, text) => {
    const error = await faultOf(module, "make");
    expect(error.code).toBe("APP_LOAD_FAILED");
    expect(error.message).toContain(text);
    expect(error.message).not.toContain("second");
  });

  it("says where a syntax error is", () => {
    const stack = "file:///srv/lib/page.js:12\n  res.end(\n\nSyntaxError: missing )\n    at compile";
    expect(syntaxPlace(Object.assign(new SyntaxError("missing )"), { stack }), "x")).toBe(" (/srv/lib/page.js:12)");
    const file = join(base, "syntax.mjs");
    expect(syntaxPlace(new SyntaxError("Unexpected token"), file)).toBe(` (${file}:1)`);
    const well = join(base, "esm.mjs");
    expect(syntaxPlace(new SyntaxError("of what it imports"), well)).toBe(`; "node ${well}" says where`);
    expect(syntaxPlace(new TypeError("another"), file)).toBe("");
  });

  it("keeps the app's own error as the cause", async () => {
    expect((await faultOf("./throws.mjs", "make")).cause).toBeInstanceOf(TypeError);
  });
});
