import { describe, expect, it } from "vitest";

import { asBool, asBytes, asDuration, asInt, asList, asMode } from "../../../src/deploy/converters.ts";

describe("asBool", () => {
  it.each(["true", "YES", " on ", "y", "t", "1"])("takes %j for true", (text) => expect(asBool(text)).toBe(true));
  it.each(["false", "No", "off", "n", "F", "0"])("takes %j for false", (text) => expect(asBool(text)).toBe(false));
  it("takes anything else than a string by its truth", () => {
    expect([asBool(1), asBool(0), asBool(undefined), asBool(true)]).toEqual([true, false, false, true]);
  });
  it("names value and place of what is neither", () => {
    const place = { file: "a.ini", line: 3, section: "app:main", key: "debug" };
    expect(() => asBool("maybe", place)).toThrow(/CONFIG_BAD_VALUE: a\.ini:3 \[app:main\] debug: "maybe"/);
  });
});

describe("asInt", () => {
  it.each([
    ["80", 80],
    [" -1 ", -1],
    ["007", 7],
    [12, 12],
  ])("reads %j", (text, value) => expect(asInt(text)).toBe(value));
  it.each(["", "1.5", "0x10", "1e3", "12a", "99999999999999999"])("refuses %j", (text) => {
    expect(() => asInt(text)).toThrow("is not a whole number");
  });
});

describe("asList", () => {
  it("splits on white space and drops what is empty", () => expect(asList(" a\n b\tc ")).toEqual(["a", "b", "c"]));
  it("splits on a separator and trims", () => expect(asList("a, b c ,", ",")).toEqual(["a", "b c"]));
  it("makes lists of nothing and of other values", () => {
    expect([asList(undefined), asList(null), asList(5), asList(["x"])]).toEqual([[], [], ["5"], ["x"]]);
  });
});

describe("asDuration", () => {
  it.each([
    ["30", 30_000],
    ["30s", 30_000],
    ["500ms", 500],
    ["5m", 300_000],
    ["1 H", 3_600_000],
    ["1.5", 1_500],
    ["0", 0],
  ])("reads %j in milliseconds", (text, value) => expect(asDuration(text)).toBe(value));
  it.each(["", "-1", "5 days", "s", "1h30m"])("refuses %j", (text) => {
    expect(() => asDuration(text)).toThrow("CONFIG_BAD_VALUE");
  });
});

describe("asBytes", () => {
  it.each([
    ["65536", 65_536],
    ["256k", 262_144],
    ["1M", 1_048_576],
    ["1g", 1_073_741_824],
    ["64 KiB", 65_536],
    ["1.5k", 1_536],
    ["10b", 10],
  ])("reads %j", (text, value) => expect(asBytes(text)).toBe(value));
  it.each(["", "k", "-1", "1t", "1kk"])("refuses %j", (text) => {
    expect(() => asBytes(text)).toThrow("CONFIG_BAD_VALUE");
  });
});

describe("asMode", () => {
  it.each(["0660", "660", "0o660"])("reads %j as octal", (text) => expect(asMode(text)).toBe(0o660));
  it.each(["", "0680", "u=rw", "77777", "-1"])("refuses %j", (text) => {
    expect(() => asMode(text)).toThrow("octal permissions");
  });
});
