/**
 * The sample apps in a process that a web server has started: what they report, and the test's word to go on, pass over
 * the socket at `path`.
 */
import { createServer } from "node:http";
import { connect } from "node:net";
import { createInterface } from "node:readline";

import { APPS } from "./all.js";
import { echo } from "./echo.js";
import { wireApp } from "./wire.js";

export function remoteApps(path) {
  const test = connect(path);
  test.unref();
  const waiting = new Map();
  createInterface({ input: test }).on("line", (id) => {
    waiting.get(id)?.();
    waiting.delete(id);
  });
  const wire = wireApp(
    (id, event) => test.write(`${JSON.stringify({ id, event })}\n`),
    (id) => new Promise((resolve) => waiting.set(id, resolve)),
  );
  return createServer((req, res) => (APPS[req.headers["x-app"]] ?? wire)(req, res)).on("upgrade", echo);
}
