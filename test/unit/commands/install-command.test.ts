import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { TerminalCommand } from "../../../src/commands/install-command.ts";

let directory = "";
let file = "";
let told = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "propylon-command-"));
  file = join(directory, "a.ini");
  told = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => (told += String(chunk)) !== "");
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

it("shows how a file differs, but no secret of it", async () => {
  const before =
    "title = one\nsecret = 7hU-old\nbeaker.session.secret=kept\nsmtp_password : old\n# a secret = in words\n";
  writeFileSync(file, before);
  const command = new TerminalCommand({ interactive: false });
  const after = before.replace("one", "two").replace("7hU-old", "9iK-new");
  expect(await command.writeFile(file, after)).toBe("kept");
  expect(told).toMatch(/^-title = one\n\+title = two$/m);
  expect(told).toContain(" secret = ***\n beaker.session.secret=***\n smtp_password : ***\n # a secret = in words\n");
  expect(told).not.toMatch(/7hU|9iK|kept|: old/);
  expect(readFileSync(file, "utf8")).toBe(before);
  told = "";
  expect(await command.writeFile(file, before.replace("7hU-old", "9iK-new"))).toBe("kept");
  expect(told).toBe(`${file} is there with other secrets\n`);
});
