/** For an app that a web server starts: what happens to a request is noted in `events` beside this file. */
import { appendFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const EVENTS = join(fileURLToPath(new URL(".", import.meta.url)), "events");
const note = (event) => appendFileSync(EVENTS, `${process.pid} ${event}\n`);

note("started");
process.on("exit", () => note("ended"));
// oxlint-disable-next-line no-console -- under CGI it must not become a part of the answer
console.log("the app is loaded");

const sleep = async (ms) => await new Promise((resolve) => setTimeout(resolve, ms));

const ROUTES = {
  "/digest": async (req, res) => {
    const hash = createHash("sha256");
    for await (const chunk of req) hash.update(chunk);
    res.end(hash.digest("hex"));
  },
  // The second half comes when somebody had time to see that it is not there yet.
  "/halves": async (_req, res) => {
    res.write("first half, ");
    await sleep(600);
    res.end("second half");
  },
  "/slow": async (_req, res) => {
    note("slow");
    await sleep(600);
    res.end("slow but sure");
  },
  "/env": (_req, res) => {
    const ours = Object.keys(process.env).filter((name) => /^(?:LISTEN|NOTIFY|WATCHDOG|HTTP|REMOTE|QUERY)_/.test(name));
    res.end(ours.join(" "));
  },
  // Some time, in which the loop does not turn.
  "/block": (_req, res) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500);
    res.end("blocked");
  },
  "/drip": (_req, res) => {
    note("drip");
    const timer = setInterval(() => res.write("drop "), 20);
    res.once("close", () => {
      clearInterval(timer);
      note("left");
    });
  },
};

export function makeApp() {
  return (req, res) => {
    res.setHeader("Content-Type", "text/plain");
    const route = ROUTES[new URL(req.url, "http://x").pathname];
    if (route !== undefined) return void route(req, res);
    const { method, url, baseUrl } = req;
    const { pid, env } = process;
    const seen = { method, url, baseUrl, authorization: req.headers.authorization, pid, env: env.NODE_ENV };
    res.end(JSON.stringify(seen));
  };
}
