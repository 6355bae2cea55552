import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { FINDING_CODES } from "../../../src/doctor/finding.ts";

describe("the page about the doctor", () => {
  it("has a row for each code, with its weight", () => {
    const page = readFileSync(new URL("../../../docs/doctor.md", import.meta.url), "utf8");
    const rows = Array.from(page.matchAll(/^\| `([A-Z_]+)` +\| (\w+) /gm), ([, code, weight]) => [code, weight]);
    const codes = Object.entries(FINDING_CODES).map(([code, [severity]]) => [code, severity]);
    expect(rows.length).toBe(codes.length);
    expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(codes));
  });
});
