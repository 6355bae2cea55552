import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { parseIni } from "../../../src/deploy/ini.ts";
import { ConfigError } from "../../../src/errors.ts";

function valuesOf(text: string, section: string): Record<string, string> {
  const found = parseIni(text, "x.ini").sections.get(section);
  return Object.fromEntries(Array.from(found?.options.values() ?? [], ({ key, value }) => [key, value]));
}

function faultOf(text: string): ConfigError {
  try {
    parseIni(text, "x.ini");
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("no error");
}

describe("parseIni", () => {
  it("takes the first = or : as the delimiter and trims around it", () => {
    expect(valuesOf("[s]\na = 1\nb: 2\nc d/e.f =x=y:z\ng:=h\nempty =\n", "s")).toEqual({
      a: "1",
      b: "2",
      "c d/e.f": "x=y:z",
      g: "=h",
      empty: "",
    });
  });

  it("keeps quotes, backslashes, # and ; in a value", () => {
    expect(valuesOf(`[s]\na = "q"\nb = 'r' # s\nc = x;y \\; \\n\n`, "s")).toEqual({
      a: '"q"',
      b: "'r' # s",
      c: "x;y \\; \\n",
    });
  });

  it("keeps case, and keys that mean something to npm ini or to JavaScript", () => {
    const text = "[s]\nA = 1\na = 2\nlist[] = 3\n__proto__ = 4\nconstructor = 5\na.b = true\nn = null\n";
    expect(Object.entries(valuesOf(text, "s"))).toEqual([
      ["A", "1"],
      ["a", "2"],
      ["list[]", "3"],
      ["__proto__", "4"],
      ["constructor", "5"],
      ["a.b", "true"],
      ["n", "null"],
    ]);
  });

  it("keeps dots, quotes and brackets of section names", () => {
    const names = ["a.b", ".a", "a\\.b", '"q"', "x] # [y", "__proto__", " spaced "];
    const text = names.map((name) => `[${name}]\nk = ${name.length}`).join("\n");
    expect(Array.from(parseIni(text, "x.ini").sections.keys())).toEqual(names);
    for (const name of names) expect(valuesOf(text, name)).toEqual({ k: String(name.length) });
  });

  it("joins indented lines, keeps blank lines inside a value and drops those after it", () => {
    expect(valuesOf("[s]\na = 1\n  2\n# gone\n\n\t3\n\nb = 4\n", "s")).toEqual({ a: "1\n2\n\n3", b: "4" });
  });

  it("takes an indented header or option for a continuation", () => {
    expect(valuesOf("[s]\na = 1\n  [t]\n  b = 2\n", "s")).toEqual({ a: "1\n[t]\nb = 2" });
  });

  it("knows the line of every section and key, whatever the line ends", () => {
    const { sections, defaults } = parseIni(
      "\uFEFF[DEFAULT]\r\nd = 0\r\n\r\n[s] tail\r\na = 1\r\n  2\r\nb = 3",
      "x.ini",
    );
    expect(defaults.options.get("d")?.line).toBe(2);
    expect(sections.get("s")?.line).toBe(4);
    expect(sections.get("s")?.options.get("a")?.line).toBe(5);
    expect(sections.get("s")?.options.get("b")?.line).toBe(7);
  });

  it("allows [DEFAULT] twice and knows it by its exact case only", () => {
    const parsed = parseIni("[DEFAULT]\na = 1\n[default]\nb = 2\n[DEFAULT]\nc = 3\n", "x.ini");
    expect(Array.from(parsed.defaults.options.keys())).toEqual(["a", "c"]);
    expect(Array.from(parsed.sections.keys())).toEqual(["default"]);
  });

  it.each([
    ["a = 1\n[s]\n", "CONFIG_SYNTAX", 1],
    ["[s]\n\njust a key\n", "CONFIG_SYNTAX", 3],
    ["[s]\n= value\n", "CONFIG_SYNTAX", 2],
    ["[s]\n[]\n", "CONFIG_SYNTAX", 2],
    ["[s]\n[app:main\n", "CONFIG_SYNTAX", 2],
    ["[s\na = 1\n", "CONFIG_SYNTAX", 1],
    ["[s]\na = 1\na = 2\n", "CONFIG_DUPLICATE", 3],
    ["[s]\na = 1\n[t]\n[s]\n", "CONFIG_DUPLICATE", 4],
    ["[DEFAULT]\na = 1\n[DEFAULT]\na = 2\n", "CONFIG_DUPLICATE", 4],
  ])("refuses %j with %s and its line", (text, code, line) => {
    const error = faultOf(text);
    expect(error.code).toBe(code);
    expect(error.place).toMatchObject({ file: "x.ini", line });
  });

  it("reads back any name and one-line value unchanged", () => {
    const name = fc
      .string({ unit: "binary", minLength: 1 })
      .filter((s) => s === s.trim() && !/[\r\n=:]/.test(s) && !/^[#;[]/.test(s));
    const value = fc.string({ unit: "binary" }).filter((s) => s === s.trim() && !/[\r\n]/.test(s));
    fc.assert(
      fc.property(name, value, (key, text) => {
        fc.pre(key !== "");
        expect(valuesOf(`[s]\n${key} = ${text}`, "s")).toEqual(Object.fromEntries([[key, text]]));
      }),
      { numRuns: 300 },
    );
  });
});
