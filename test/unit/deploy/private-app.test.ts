import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

import { startPrivately } from "../../../src/deploy/private-app.ts";

let directory = "";

beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "propylon-private-")));
  writeFileSync(join(directory, "app.cjs"), "exports.app = (req, res) => res.end();");
  writeFileSync(join(directory, "app.ini"), "[app:main]\npropylon.app = ./app.cjs:app\n");
});
afterAll(() => rmSync(directory, { recursive: true }));

it("leaves nothing of a private app, where the process ends too", async () => {
  const before = process.listeners("exit");
  const first = await startPrivately(join(directory, "app.ini"));
  expect(existsSync(first.path)).toBe(true);
  await first.close();
  expect(existsSync(dirname(first.path))).toBe(false);
  expect(process.listeners("exit")).toEqual(before);

  const second = await startPrivately(join(directory, "app.ini"));
  const atExit = process.listeners("exit").find((listener) => !before.includes(listener));
  atExit?.(1);
  expect(existsSync(dirname(second.path))).toBe(false);
  await second.close();
});
