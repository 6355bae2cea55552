import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

import { CONFIGURATION_FOLDERS, ROOT, markdownPages } from "../../support/examples.ts";

const pages = markdownPages();
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** The anchors that GitHub gives to headings. */
function anchorsOf(text: string): string[] {
  const prose = text.replaceAll(/^```.*?^```$/gms, "");
  return Array.from(prose.matchAll(/^#+ (.+)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe.each(pages)("$name", ({ name, text }) => {
  const links = Array.from(text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g), ([, target]) => target!.split("#", 2));

  it("links to files and headings that exist", () => {
    for (const [target = "", anchor] of links) {
      const path = target === "" ? name : join(dirname(name), target);
      expect(existsSync(join(ROOT, path)), `${path} in ${name}`).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(read(path)), `in ${path}`).toContain(anchor);
    }
  });
});

describe("docs/examples.md", () => {
  it("lists every example configuration of a web server", () => {
    const text = read("docs/examples.md");
    for (const folder of CONFIGURATION_FOLDERS) {
      for (const file of readdirSync(join(ROOT, folder))) expect(text).toContain(`](../${folder}/${file})`);
    }
  });
});

/** Configurations of web servers, and not of the app. */
const LANGUAGES = new Set(["apache", "lighttpd", "nginx", "caddy", "yaml", "haproxy"]);

describe.each(["docs/fronts.md", "docs/ajp.md", "docs/started.md"])("%s", (name) => {
  const shown = pages.find((page) => page.name === name)!.examples.filter(({ language }) => LANGUAGES.has(language));

  it.each(shown)("shows a whole configuration: $title", ({ code, file }) => {
    // But for the heading.
    expect(code).toBe(read(file!).replace(/^(?:#.*\n)+\n/, ""));
  });
});
