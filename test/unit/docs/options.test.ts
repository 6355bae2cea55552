import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import type { ServerOption } from "../../../src/deploy/option-row.ts";
import { SERVER_OPTIONS } from "../../../src/deploy/options.ts";

const docs = new URL("../../../docs/", import.meta.url);
const { renderOptions } = (await import(new URL("options.mjs", docs).href)) as {
  renderOptions(options: readonly ServerOption[]): string;
};

describe("docs/options.md", () => {
  it("says what the tables say; if not: npm run build && node docs/options.mjs", () => {
    expect(readFileSync(new URL("options.md", docs), "utf8")).toBe(renderOptions(SERVER_OPTIONS));
  });

  it("has every spelling of every option", () => {
    const text = renderOptions(SERVER_OPTIONS);
    for (const { key, aliases } of SERVER_OPTIONS) {
      for (const word of [key, ...aliases]) expect(text).toContain(`\`${word}\``);
    }
  });
});
