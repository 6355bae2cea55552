import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { SERVER_OPTIONS } from "../../../src/deploy/options.ts";
import { createCounters } from "../../../src/gateway/counters.ts";

const root = new URL("../../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const readme = read("README.md");

/** Each block of code, with the last link before it. */
const blocks = [...readme.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(({ 1: language, 2: code, index }) => {
  const before = readme.slice(0, index).split("\n\n").at(-2) ?? "";
  const [, from] = /\]\(((?:apache-)?examples\/[^)]+)\)[^[]*:$/.exec(before) ?? [];
  return { language: language!, code: code!, from };
});

/** The rows of the table of limits: option, default, what is seen, counter. */
const limits = [...read("docs/limits.md").matchAll(/^\| `(\w+)` +\| (\S+) +\| .* \| (\S+) +\|$/gm)].map((row) =>
  row.slice(1, 4),
);

describe("README.md", () => {
  it("shows no configuration but that of the examples", () => {
    const configurations = blocks.filter(({ language }) => !["js", "ts", "sh", "diff"].includes(language));
    for (const { from, code } of configurations) expect(from, code).toBeDefined();
  });
});

describe("docs/limits.md", () => {
  it.each(limits)("says of %s the default and the counter that it has", (key, value, counter) => {
    const option = SERVER_OPTIONS.find((option) => option.key === key);
    const row = new RegExp(`^\\| \`${key}\`[^|]*\\|[^|]*\\| (\\S*) +\\|`, "m").exec(read("docs/options.md"));
    expect(option).toBeDefined();
    expect(value).toBe(row?.[1] || "none");
    expect(counter === "-" || counter.slice(1, -1) in createCounters(), counter).toBe(true);
  });

  it("has a row for every timeout and size of the gateway", () => {
    const named = limits.map(([key]) => key);
    for (const { scope, kind, key } of SERVER_OPTIONS) {
      if (scope === "gateway" && (kind === "ms" || kind === "bytes")) expect(named).toContain(key);
    }
  });
});
