import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { parseDictionary, parseTuple } from "../../../src/logging/literals.ts";

describe("a tuple of Python", () => {
  it.for([
    ["()", []],
    ["(sys.stderr,)", [{ stream: "stderr" }]],
    ["( sys.stdout , )", [{ stream: "stdout" }]],
    ["('app.log', 'a', 1000000, 5)", ["app.log", "a", 1_000_000, 5]],
    [`("it's", 'a "b"', r'C:\\new', u'x', 'tab\\there')`, ["it's", 'a "b"', "C:\\new", "x", "tab\there"]],
    ["(('localhost', 514), -1, +2, 1.5, True, False, None)", [["localhost", 514], -1, 2, 1.5, true, false, null]],
    ["('a'),", undefined],
    [String.raw`('logs\dev.log', 'it\'s', "\"", 'a\\b')`, [String.raw`logs\dev.log`, "it's", '"', String.raw`a\b`]],
    ["(('a', handlers.SYSLOG_UDP_PORT), handlers.SysLogHandler.LOG_LOCAL3)", [["a", 514], "local3"]],
    ["['a', ['b']]", ["a", ["b"]]],
    ["(('a'),)", ["a"]],
  ] as const)("%s", ([text, value]) => {
    if (value === undefined) expect(() => parseTuple(text)).toThrow(SyntaxError);
    else expect(parseTuple(text)).toEqual(value);
  });

  it.for([
    ["('a.log')", /a tuple such as .* expected/],
    ["(open('x'),)", /open is no literal/],
    ["(__import__('os').system('rm'),)", /is no literal/],
    ["('a' 'b')", /comma or a closing bracket/],
    ["('a'", /comma or a closing bracket/],
    ["('a", /is no literal/],
    ["(1; 2)", /is no literal/],
    ["() + ()", /is no literal|follows/],
    ["", /missing at the end/],
  ] as const)("%s is refused", ([text, message]) => {
    expect(() => parseTuple(text)).toThrow(message);
  });

  it("is read or refused, whatever it is", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."()[]{},:='\"\\ a1.-sys.stderrTrue".split("")), maxLength: 30 }),
        (text) => {
          try {
            expect(Array.isArray(parseTuple(text))).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(SyntaxError);
          }
        },
      ),
    );
  });
});

describe("a dictionary of Python", () => {
  it("has strings for keys", () => {
    expect(parseDictionary("{'maxBytes': 10, \"filename\": 'x',}")).toEqual({ maxBytes: 10, filename: "x" });
    expect(parseDictionary("{}")).toEqual({});
    expect(() => parseDictionary("{1: 2}")).toThrow(/a key must be a string/);
    expect(() => parseDictionary("{'a': 1 'b': 2}")).toThrow(/comma is missing/);
    expect(() => parseDictionary("()")).toThrow(/\{ is missing/);
  });
});
