import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Context, FactoryContext } from "../../../src/deploy/context.ts";
import { create } from "../../../src/deploy/create.ts";
import { type DescribeOptions, describe as describeUri } from "../../../src/deploy/loader.ts";
import { ConfigError } from "../../../src/errors.ts";
import { collectingLog } from "../../support/collecting-log.ts";

let root = "";
let number = 0;

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "propylon-loader-")));
  write("node_modules/wiki/package.json", JSON.stringify({ name: "wiki", propylon: WIKI }));
  write("node_modules/wiki/app.cjs", "exports.makeApp = (g, l) => ({ made: l });");
  write("node_modules/@scope/My.Wiki/package.json", JSON.stringify({ name: "@scope/My.Wiki", propylon: WIKI }));
  write("node_modules/Odd_Name/package.json", JSON.stringify({ name: "Odd_Name", propylon: WIKI }));
  write("node_modules/plain/package.json", JSON.stringify({ name: "plain" }));
});
afterAll(() => rmSync(root, { recursive: true }));

const WIKI = {
  app: { main: "./app.cjs#makeApp", admin: "./app.cjs#makeAdmin", broken: 5 },
  server: { main: "./server.js" },
};

function write(path: string, text: string | Buffer): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function describeText(text: string, options: DescribeOptions & { kind?: "app" | "filter" | "server" } = {}): Context {
  const file = `${++number}.ini`;
  write(file, text);
  return describeUri(options.kind ?? "app", `config:${file}`, { relativeTo: root, ...options });
}

function faultOf(text: string, options: DescribeOptions & { kind?: "app" | "filter" | "server" } = {}): ConfigError {
  try {
    describeText(text, options);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("no error");
}

describe("describe", () => {
  it("names a package.json that is none, of the package that is asked for", () => {
    write("node_modules/garbled/package.json", '{ "name": ');
    expect(() => describeText("[app:main]\nuse = egg:garbled\n")).toThrow(
      /^CONFIG_NO_PACKAGE: .*:2 \[app:main\] use: .*garbled\/package\.json is no JSON: /,
    );
  });

  it("says where the section and each of its keys stand", () => {
    const context = describeText("\n[app:main]\nuse = package:wiki\n\n# note\na = 1\nget b = here\n");
    expect(context.place).toMatchObject({ section: "app:main", line: 2 });
    expect(context.keys.get("a")).toMatchObject({ section: "app:main", key: "a", line: 6 });
    expect(context.localConf).toEqual({ a: "1", b: root });
  });

  it("finds a package's factory in its package.json without loading it", () => {
    expect(describeText("[server:main]\nuse = package:wiki\n", { kind: "server" })).toMatchObject({
      type: "server",
      factory: { from: "module", module: "./server.js", export: "default", base: join(root, "node_modules/wiki") },
    });
  });

  it("finds scoped packages by their exact name", () => {
    expect(describeText("[app:main]\nuse = package:@scope/My.Wiki#main\n").type).toBe("app");
  });

  it("finds eggs whatever their case and their -_.", () => {
    expect(describeText("[app:main]\nuse = egg:odd.name\n").type).toBe("app");
    expect(faultOf("[app:main]\nuse = package:odd.name\n").code).toBe("CONFIG_NO_PACKAGE");
  });

  it("finds the package that the file lies in by its own name", () => {
    write("self/package.json", JSON.stringify({ name: "self", propylon: WIKI }));
    write("self/conf/a.ini", "[app:main]\nuse = package:self\n");
    expect(describeUri("app", "config:self/conf/a.ini", { relativeTo: root })).toMatchObject({
      factory: { base: join(root, "self") },
    });
  });

  it("searches the directories above the file", () => {
    write("deep/er/a.ini", "[app:main]\nuse = package:wiki\n");
    expect(describeUri("app", `config:${root}/deep/er/a.ini`).type).toBe("app");
  });

  it("says where a package was looked for, and one of nearly that name", () => {
    const error = faultOf("[app:main]\nuse = package:wikki\n");
    expect(error.code).toBe("CONFIG_NO_PACKAGE");
    expect(error.message).toContain('did you mean "wiki"?');
    expect(error.message).toContain(join(root, "node_modules"));
    expect(error.place).toMatchObject({ section: "app:main", key: "use", line: 2 });
  });

  it("refuses names that would leave node_modules", () => {
    expect(faultOf("[app:main]\nuse = package:../secret\n").code).toBe("CONFIG_NO_PACKAGE");
    expect(faultOf("[app:main]\nuse = package:..\n").code).toBe("CONFIG_NO_PACKAGE");
  });

  it("lists the entry points that a package has", () => {
    const error = faultOf("[app:main]\nuse = package:wiki#adnim\n");
    expect(error.code).toBe("CONFIG_NO_ENTRY_POINT");
    expect(error.message).toContain('no app or composite "adnim", did you mean "admin"?');
    expect(error.message).toContain('app "main", app "admin"');
    expect(faultOf("[app:main]\nuse = package:plain\n").message).toContain("offers no app or composite at all");
    expect(faultOf("[app:main]\nuse = package:wiki#broken\n").message).toContain('is not "module#export"');
  });

  it("lists the sections that are there, with the nearest", () => {
    const error = faultOf("[app:mian]\nuse = package:wiki\n[server:main]\nuse = x\n");
    expect(error.code).toBe("CONFIG_NO_SECTION");
    expect(error.message).toContain("has no [app:main] or [composite:main] or [pipeline:main] or [filter-app:main]");
    expect(error.message).toContain("did you mean [app:mian]? (it has [app:mian] [server:main])");
  });

  it.each([
    ["[ap:main]\nuse = package:wiki\n", "did you mean [app:main] by [ap:main] in line 1? (it has [ap:main])"],
    ["[app:main]\nuse = ./app.js:makeApp\n", 'code is named by call:, as in "call:./app.js:makeApp"'],
    ["[pipeline:main]\npipeline = a,b\n", "blanks part one name from the next, without commas"],
    ["[pipeline:main]\npipeline = f\n[filter:f]\n", "[filter:f] describes a filter, and here an app belongs"],
    ["[app:main]\nuse = package:wiki\nfilter-with = b\n[app:b]\n", "describes an app, and here a filter belongs"],
    ["[app:main]\nuse = b\n[loggers]\n[handler_b]\n", "(it has [app:main])"],
    ["[app:main]\nuse =\n", "[app:main] use: is empty, and should name something"],
    ["[app:main]\nues = x\n", 'did you mean "use" by "ues"?'],
    ["[app:main]\nuse call:./app.js:makeApp\n", 'a = is missing behind "use"'],
    ["[app:main]\npaste.ap_factory = a:b\n", 'did you mean "paste.app_factory" by "paste.ap_factory"?'],
    ["[pipeline:main]\npipelin = a\n", 'did you mean "pipeline" by "pipelin"?'],
  ])("guesses what is meant in %j", (text, hint) => {
    expect(faultOf(text).message).toContain(hint);
  });

  it("says of a composite which key names what is not there", () => {
    const context = describeText("[composite:main]\nuse = call:./app.js:make\n/blog = blgo\n") as FactoryContext;
    const find = (): unknown => context.find("app", "blgo", {});
    expect(find).toThrow(/:3 \[composite:main\] \/blog: .* has no \[app:blgo\]/);
  });

  it("says why a file cannot be read, and which one is nearly called so", () => {
    write("near/production.ini", "[app:main]\nuse = package:wiki\n");
    write("near/latin.ini", Buffer.from("[app:main]\nuse = package:wiki\nname = caf\xe9\n", "latin1"));
    const fault = (file: string): unknown => describeUri("app", `config:near/${file}`, { relativeTo: root });
    expect(() => fault("productoin.ini")).toThrow(
      /there is no file .*productoin\.ini, did you mean production\.ini\?$/,
    );
    expect(() => fault("production")).toThrow(/did you mean production\.ini\?$/);
    expect(() => fault(".")).toThrow(/near is a directory, expected a file$/);
    expect(() => fault("latin.ini")).toThrow(/CONFIG_SYNTAX: .*latin\.ini:3 the line has a byte that is not UTF-8/);
  });

  it("warns of [DEFAULT] in other letters", () => {
    const warnings: string[] = [];
    describeText("[default]\na = 1\n[app:main]\nuse = package:wiki\n", { log: collectingLog(warnings) });
    expect(warnings).toEqual([expect.stringMatching(/:1 \[default\] has no effect; .* \[DEFAULT\], in capitals$/)]);
  });

  it("takes application for app, unless both are there", () => {
    const text = "[application:main]\nuse = package:wiki\na = 1\n";
    expect(describeText(text).localConf).toEqual({ a: "1" });
    expect(describeText(`${text}[app:main]\nuse = package:wiki\na = 2\n`).localConf).toEqual({ a: "2" });
  });

  it("names the loop when sections use each other", () => {
    const error = faultOf("[app:main]\nuse = b\n[app:b]\nuse = main\n");
    expect(error.code).toBe("CONFIG_LOOP");
    expect(error.message).toMatch(/\[app:main\] in .*, then \[app:b\] in .*, then \[app:main\]/);
    expect(error.place.line).toBe(4);
  });

  it("finds loops through filters, pipelines and other files", () => {
    expect(
      faultOf("[app:main]\nuse = package:wiki\nfilter-with = f\n[filter:f]\nuse = call:x:y\nfilter-with = f\n").code,
    ).toBe("CONFIG_LOOP");
    expect(faultOf("[pipeline:main]\npipeline = main\n").code).toBe("CONFIG_LOOP");
    write("loop-a.ini", "[app:main]\nuse = config:loop-b.ini\n");
    write("loop-b.ini", "[app:main]\nuse = config:loop-a.ini\n");
    expect(() => describeUri("app", "config:loop-a.ini", { relativeTo: root })).toThrow("CONFIG_LOOP");
  });

  it("keeps here and __file__ of the outer file in globalConf and of the inner one in %(here)s", () => {
    write(
      "sub/inc.ini",
      "[DEFAULT]\nshared = inner\n[app:main]\nuse = package:wiki\na = in\nb = in\nh = %(here)s\ns = %(shared)s\no = %(outer)s\n",
    );
    const context = describeText(
      "[DEFAULT]\nshared = out\nouter = 50%%\n[app:main]\nuse = config:sub/inc.ini\na = out\n",
    );
    expect(context.globalConf).toMatchObject({ here: root, shared: "out", outer: "50%" });
    expect(context.localConf).toEqual({ a: "out", b: "in", h: join(root, "sub"), s: "inner", o: "50%" });
  });

  it("warns of an option that [DEFAULT] hides", () => {
    const warnings: string[] = [];
    const log = { error() {}, warn: (text: string) => void warnings.push(text), info() {}, debug() {} };
    const context = describeText("[DEFAULT]\ndebug = 1\n[app:main]\nuse = package:wiki\ndebug = 0\n", { log });
    expect(context.localConf).toEqual({});
    expect(warnings).toEqual([expect.stringMatching(/:5 \[app:main\] debug: has no effect.*set debug/)]);
  });

  it("takes a name within its own value for the variable below", () => {
    const text = "[app:main]\nuse = package:wiki\nport = %(port)s\nurl = http://x:%(port)s/\n";
    expect(describeText(text, { globalConf: { port: "81" } }).localConf).toEqual({ port: "81", url: "http://x:81/" });
    expect(faultOf(text).code).toBe("CONFIG_INTERPOLATION");
  });

  it("refuses a get of what is not there", () => {
    const error = faultOf("[DEFAULT]\nhost = x\n[app:main]\nuse = package:wiki\nget a = hots\n");
    expect(error.code).toBe("CONFIG_BAD_VALUE");
    expect(error.message).toContain('there is no "hots" in [DEFAULT] or set, did you mean "host"?');
  });

  it.each([
    ["[app:main]\na = 1\n", "CONFIG_NO_LOADER"],
    ["[app:main]\npaste.app_factory = x:y\npaste.composite_factory = x:y\n", "CONFIG_AMBIGUOUS_SECTION"],
    ["[app:main]\npaste.app_factory = noexport\n", "CONFIG_BAD_VALUE"],
    ["[app:main]\nuse = eggs:wiki\n", "CONFIG_UNKNOWN_SCHEME"],
    ["[app:main]\nuse = package:wiki\nrequire = wiki nothere\n", "CONFIG_NO_PACKAGE"],
    ["[pipeline:main]\npipeline = a\nextra = 1\n", "CONFIG_UNKNOWN_OPTION"],
    ["[pipeline:main]\npipeline =\n", "CONFIG_BAD_VALUE"],
    ["[pipeline:main]\n", "CONFIG_NO_LOADER"],
    ["[filter-app:main]\nuse = call:x:y\n", "CONFIG_NO_LOADER"],
    ["[app:main]\nuse = config:%%zz.ini\n", "CONFIG_BAD_VALUE"],
  ])("refuses %j with %s and a line", (text, code) => {
    const error = faultOf(text);
    expect(error.code).toBe(code);
    expect(error.place.line).toBeGreaterThan(0);
  });

  it("describes a ready app apart from a factory", () => {
    expect(describeText("[app:main]\npropylon.app = ./a.js:app\n")).toMatchObject({
      factory: { from: "ready", module: "./a.js", export: "app", base: root },
      localConf: {},
    });
  });
});

describe("create", () => {
  it("calls an app factory with copies of both configurations", async () => {
    write("f.cjs", "exports.make = async (g, l) => { g.x = 1; return { g, l }; };");
    const context = describeText("[DEFAULT]\nd = 1\n[app:main]\nuse = call:./f.cjs:make\na = 2\n");
    expect(await create(context)).toMatchObject({ g: { d: "1", x: 1 }, l: { a: "2" } });
    expect(context.globalConf).not.toHaveProperty("x");
  });

  it("takes what is an app already for the app, and a plain function of propylon.app", async () => {
    write("ready.cjs", "exports.app = { fetch() {} }; exports.handler = (req, res) => {};");
    expect(await create(describeText("[app:main]\nuse = call:./ready.cjs:app\n"))).toHaveProperty("fetch");
    const handler = await create(describeText("[app:main]\npropylon.app = ./ready.cjs:handler\n"));
    expect(handler).toBeInstanceOf(Function);
  });

  it("applies a filter that is a promise's value", async () => {
    write("filters.cjs", "exports.f = async (g, l) => async (app) => ({ ...app, by: l.name });");
    const text = "[app:main]\nuse = package:wiki\nfilter-with = f\n[filter:f]\nuse = call:./filters.cjs:f\nname = f1\n";
    expect(await create(describeText(text))).toEqual({ made: {}, by: "f1" });
  });

  it("finds a composite's loop when the composite asks for itself", async () => {
    write("comp.cjs", "exports.c = (loader, g) => loader.getApp('main', { globalConf: g });");
    const context = describeText("[composite:main]\nuse = call:./comp.cjs:c\n");
    await expect(create(context)).rejects.toThrow("CONFIG_LOOP");
  });

  it.each([
    ["exports.make = 5;", "APP_WRONG_EXPORT", "is the number 5; a factory (globalConf, localConf) was expected"],
    ["exports.make = () => {};", "APP_WRONG_EXPORT", "returned undefined; it must return an app"],
    ["exports.mkae = () => {};", "APP_WRONG_EXPORT", 'no export "make" (it exports default, mkae)'],
    ["exports.make = () => { throw new TypeError('no db'); };", "APP_LOAD_FAILED", "failed: no db"],
    ["exports.make = (req, res) => res.end();", "APP_LOAD_FAILED", 'no factory, write "propylon.app = ./bad'],
    ["throw new Error('early');", "APP_LOAD_FAILED", "failed to load: early"],
  ])("refuses %j with %s", async (code, expected, text) => {
    write(`bad${++number}.cjs`, code);
    const context = describeText(`[app:main]\nuse = call:./bad${number}.cjs:make\n`);
    const error = await create(context).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).code).toBe(expected);
    expect((error as ConfigError).message).toContain(text);
    expect((error as ConfigError).place).toMatchObject({ section: "app:main", line: 2 });
  });
});
