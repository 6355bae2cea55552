import { afterEach, describe, expect, it } from "vitest";

import { type Variable, interpolate } from "../../../src/deploy/interpolation.ts";

const PLACE = { file: "a.ini", section: "app:main", key: "x", line: 7 };

function expand(raw: string, variables: Record<string, string | Variable> = {}): string {
  const entries = Object.entries(variables).map(([name, value]): [string, Variable] => [
    name,
    typeof value === "string" ? { value, literal: false } : value,
  ]);
  return interpolate(raw, new Map(entries), PLACE);
}

describe("interpolate", () => {
  it("replaces names, names within values and %%", () => {
    expect(expand("%(a)s/%(b)s 100%%", { a: "A", b: "%(a)s-%(a)s%%" })).toBe("A/A-A% 100%");
  });

  it("does not look into a literal", () => {
    expect(expand("%(here)s", { here: { value: "/srv/100%/%(x)s", literal: true } })).toBe("/srv/100%/%(x)s");
  });

  it("tells the variables within which key a name stands", () => {
    const within: unknown[] = [];
    const variables = {
      get(name: string, key: string | undefined) {
        within.push([name, key]);
        return { value: name === "a" ? "%(b)s" : "1", literal: false };
      },
      keys: () => [],
    };
    expect(interpolate("%(a)s%(c)s", variables, PLACE)).toBe("11");
    expect(within).toEqual([
      ["a", "x"],
      ["b", "a"],
      ["c", "x"],
    ]);
  });

  it("keeps line ends", () => expect(expand("a\n%(b)s\n%%", { b: "c\nd" })).toBe("a\nc\nd\n%"));

  it.each(["50% off", "%", "%(a)", "%(a)d", "%()s", "a %\nb"])("refuses the lone %% in %j", (raw) => {
    expect(() => expand(raw, { a: "1" })).toThrow(/CONFIG_INTERPOLATION: a\.ini:7 \[app:main\] x: a % must be/);
  });

  it("names a missing key, the nearest one and the raw value", () => {
    expect(() => expand("%(hree)s/x", { here: "/" })).toThrow(
      '%(hree)s is in neither this section nor [DEFAULT], did you mean "here"?; the raw value is "%(hree)s/x"',
    );
  });

  it("follows ten levels and no more", () => {
    const levels = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`v${i}`, i === count - 1 ? "%%" : `%(v${i + 1})s`]));
    expect(expand("%(v0)s", levels(9))).toBe("%");
    expect(() => expand("%(v0)s", levels(10))).toThrow("more than 10 deep");
  });

  it("ends where values refer to each other in a circle", () => {
    expect(() => expand("%(a)s", { a: "%(b)s", b: "%(a)s" })).toThrow("CONFIG_INTERPOLATION");
  });

  describe("of the environment", () => {
    afterEach(() => delete process.env["PROPYLON_TEST"]);

    it("takes env: names as they are", () => {
      process.env["PROPYLON_TEST"] = "50% %(x)s";
      expect(expand("<%(env:PROPYLON_TEST)s>")).toBe("<50% %(x)s>");
    });

    it("refuses a variable that is not there", () => {
      expect(() => expand("%(env:PROPYLON_TEST)s")).toThrow("the environment has no variable PROPYLON_TEST");
    });
  });
});
