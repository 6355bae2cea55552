/** Every code example of README.md, docs/ and the docstrings is run, and held against what it says comes of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { loadApp, loadFilter, loadServer } from "../../dist/index.js";
import { Shop, whyNotRun } from "../support/example-shop.ts";
import { type Example, type Page, ROOT, docstringPages, markdownPages, shellLines } from "../support/examples.ts";

const LOADERS = { app: loadApp, filter: loadFilter, server: loadServer };

const pages = [...markdownPages(), ...docstringPages()].filter(({ examples }) => examples.length > 0);
const shop = new Shop();

beforeAll(async () => await shop.open(pages));
afterAll(() => shop.close());

/** Every section of an .ini file is described, and what it describes made. */
async function loadSections(page: Page, { file, code }: Example): Promise<void> {
  const sections = [...code.matchAll(/^\[(app|composite|pipeline|filter-app|filter|server):(.+)\]$/gm)];
  expect(sections.length).toBeGreaterThan(0);
  for (const [, prefix = "", name] of sections) {
    const load = LOADERS[prefix as keyof typeof LOADERS] ?? loadApp;
    expect(await load(`config:${file}`, { name, relativeTo: shop.directoryOf(page) })).toBeDefined();
  }
}

/** What names a file runs it: another example, or a program that looks for a file of that name. */
function isUsed({ examples }: Page, { file }: Example): boolean {
  const name = file!.split("/").at(-1)!;
  if (/^package\.json$|^websetup\.js$|^deployment\.ini_tmpl$|\.test\.js$/.test(name)) return true;
  return examples.some((other) => other.file !== file && other.code.includes(name));
}

function declare(page: Page, example: Example): void {
  const { title, language, code, file } = example;
  if (file !== null && /^(?:apache-)?examples\//.test(file)) {
    it(`${title}: is a part of ${file}`, () => expect(readFileSync(join(ROOT, file), "utf8")).toContain(code));
  } else if (file?.endsWith(".ini") === true) {
    it(`${title}: all sections of ${file} can be loaded`, async () => await loadSections(page, example));
  } else if (file !== null) {
    it(`${title}: ${file} is used by other examples`, () => expect(isUsed(page, example)).toBe(true));
  } else if (language === "sh") {
    const commands = shellLines(code).flatMap(({ command }) => command.split(" && "));
    if (commands.some((command) => whyNotRun(command) === null)) {
      it(`${title}: runs`, async () => {
        const { output, expected } = await shop.shell(page, example);
        expect(output).toBe(expected);
      });
    }
    let folder = ".";
    for (const command of commands) {
      const [, to] = /^cd (.+)$/.exec(command) ?? [];
      const at = (folder = to === undefined ? folder : join(folder, to));
      const reason = whyNotRun(command);
      if (reason === null) continue;
      it(`${title}: ${command} is not run, since ${reason}; what it needs is there`, () => {
        expect(shop.lacks(page, command, at)).toBeNull();
      });
    }
  } else if (language === "js" || language === "ts") {
    if (language === "ts") it(`${title}: has the right types`, () => expect(shop.faultsOf(page, example)).toBe(""));
    it(`${title}: does what it says`, async () => {
      if (!page.name.startsWith("src/")) await shop.stopServers();
      const { output, expected } = await shop.run(page, example);
      expect(output).toBe(expected);
    });
  } else if (language !== "text") {
    it(`${title}: is a part of an example file, which the paragraph before it names`, () =>
      expect(file).not.toBeNull());
  }
}

for (const page of pages) {
  if (page.examples.every(({ language }) => language === "text")) continue;
  // A page's examples build on one another; a docstring has one.
  (page.name.startsWith("src/") ? describe.concurrent : describe)(page.name, () => {
    for (const example of page.examples) declare(page, example);
    if (page.examples.some(({ language }) => language === "sh")) {
      it("has servers that end well", async () => await expect(shop.stopServers()).resolves.toBeUndefined());
    }
  });
}
