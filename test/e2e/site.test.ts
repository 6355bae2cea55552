/** `npm run docs`: the site is built, and every link in it leads somewhere. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCS = join(ROOT, "docs");
const TYPEDOC = join(DOCS, "node_modules/typedoc/bin/typedoc");

/** As `npm run docs` does. A machine without a registry cannot. */
function installed(): boolean {
  if (existsSync(TYPEDOC)) return true;
  try {
    execFileSync("npm", ["--prefix", DOCS, "ci", "--no-audit", "--no-fund"], { stdio: "pipe", timeout: 120_000 });
    return true;
  } catch (error) {
    console.warn(`SKIPPED: the documentation's site, since npm could not install TypeDoc: ${String(error)}`);
    return false;
  }
}

let site = "";
/** Each page's text, by its path. */
const pages = new Map<string, string>();

function titleOf(path: string): string | undefined {
  return /<title>([^<|]+)/.exec(pages.get(path) ?? "")?.[1]?.trim();
}

describe.skipIf(!installed())("the documentation's site", () => {
  beforeAll(() => {
    site = mkdtempSync(join(tmpdir(), "propylon-site-"));
    execFileSync(process.execPath, [TYPEDOC, "--out", site], { cwd: DOCS, stdio: "pipe" });
    for (const file of readdirSync(site, { recursive: true, encoding: "utf8" })) {
      if (file.endsWith(".html")) pages.set(file, readFileSync(join(site, file), "utf8"));
    }
  });
  afterAll(() => rmSync(site, { recursive: true, force: true }));

  it("begins with the README, and has the pages of docs/ and what the library exports", () => {
    expect(pages.get("index.html")?.includes("A propylon is the gate that stands before a pylon.")).toBe(true);
    const titles = [...pages.keys()].filter((path) => path.startsWith("documents/")).map(titleOf);
    const files = [
      ...readdirSync(DOCS).filter((name) => name.endsWith(".md")),
      "../CHANGELOG.md",
      "../CONTRIBUTING.md",
    ];
    const headings = files.map((name) => /^# (.+)$/m.exec(readFileSync(join(DOCS, name), "utf8"))![1]!);
    expect(new Set(titles)).toEqual(new Set(headings));
    expect(pages.get("functions/index.createServer.html")?.includes("// GET /page: You asked for /page")).toBe(true);
    expect(pages.get("classes/index.Installer.html")?.includes("WikiInstaller")).toBe(true);
  });

  it("has no link that leads nowhere", () => {
    let followed = 0;
    for (const [path, html] of pages) {
      for (const [, href = ""] of html.matchAll(/<a [^>]*href="([^"]*)"/g)) {
        if (/^https?:/.test(href)) continue;
        const [target = "", anchor] = decodeURIComponent(href.replaceAll("&amp;", "&")).split("#", 2);
        const file = target === "" ? path : relative(site, resolve(site, dirname(path), target));
        expect(existsSync(join(site, file)), `${href} in ${path}`).toBe(true);
        const there = !anchor || pages.get(file)?.includes(`id="${anchor}"`) !== false;
        expect(there, `${href} in ${path}`).toBe(true);
        followed++;
      }
    }
    expect(followed).toBeGreaterThan(500);
  });
});
