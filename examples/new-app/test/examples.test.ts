/** Runs every example of the README, of `docs/` and of the docstrings: what is shown works. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

/** Fenced blocks of ts or js, and what follows an `@example` without a fence. */
const CODE = /^```[jt]s\n(.*?)^```$|^@example\n(?!```)(.*?)(?=^@\w|^\/$)/gms;

const files = ["docs", "src"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
);
const examples = ["README.md", ...files.filter((file) => /\.(md|ts)$/.test(file))].flatMap((file) => {
  const text = readFileSync(file, "utf8");
  const shown = file.endsWith(".ts") ? text.replace(/^ *\* ?/gm, "") : text;
  return [...shown.matchAll(CODE)].map(([, fenced, bare], index) => ({
    name: `example ${index + 1} of ${file}`,
    code: fenced ?? bare ?? "",
  }));
});

/** They run in it, and what they write goes with it. It is in the package, which they import by its name. */
const scratch = mkdtempSync(resolve("test/examples-"));
const home = process.cwd();
beforeAll(() => process.chdir(scratch));
afterAll(() => {
  process.chdir(home);
  rmSync(scratch, { recursive: true });
});

it("finds examples", () => expect(examples).not.toEqual([]));

for (const { name, code } of examples) {
  it(`runs ${name}`, async () => {
    const module = join(scratch, `${name.replaceAll(/\W+/g, "-")}.ts`);
    writeFileSync(module, code);
    await import(module);
  });
}
