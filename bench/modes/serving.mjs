/** `propylon serve` with workers: an .ini file in the scratch directory, and the processes that come of it. */
import { writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { freshAddress, launch, scratch } from "../tools.mjs";

const PROPYLON = fileURLToPath(new URL("../../bin/propylon.js", import.meta.url));
const APP = fileURLToPath(new URL("../servers/app.mjs", import.meta.url));

const KINDS = { single: "fcgi", thread: "fcgi_thread", fork: "fcgi_fork" };
const MAXIMUM = { thread: "maxThreads", fork: "maxChildren" };

let files = 0;

/**
 * Spawns it; `ready` resolves once it says that it serves.
 *
 * @param {{ mode: "single" | "thread" | "fork", workers?: number, unix?: boolean, server?: object, app: object }} what
 *   `server` and `app` are further lines of these sections
 */
export async function spawnServing({ mode, workers = 1, unix = true, server = {}, app }) {
  const address = await freshAddress({ unix });
  const { uid, gid } = userInfo();
  const settings = {
    use: `egg:propylon#${KINDS[mode]}`,
    ...(unix ? { socket: address } : { port: address.split(":")[1] }),
    ...(mode === "single" ? {} : { user: uid, group: gid, pm: "static", [MAXIMUM[mode]]: workers }),
    ...server,
  };
  const file = join(scratch, `${(files += 1)}.ini`);
  writeFileSync(file, section("app", { use: `call:${APP}:makeApp`, ...app }) + section("server", settings));
  const { pid, ready, stop } = launch([PROPYLON, "serve", file]);
  return { name: nameOf({ mode, workers }), address, pid, ready, stop: () => stop("SIGTERM") };
}

/** As `spawnServing`; resolves once it serves. */
export async function serve(what) {
  const serving = await spawnServing(what);
  await serving.ready;
  return serving;
}

/** `turn` with each server again and again, A B C A B C …, so that a noisy moment hits all; gives each one's results. */
export async function inTurns(servers, rounds, turn) {
  const results = servers.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, server] of servers.entries()) results[i].push(await turn(server));
  }
  return results;
}

/** `thread(2)`; the single mode has no workers. */
export function nameOf({ mode, workers }) {
  return mode === "single" ? mode : `${mode}(${workers})`;
}

function section(name, lines) {
  const text = Object.entries(lines).map(([key, value]) => `${key} = ${value}\n`);
  return `[${name}:main]\n${text.join("")}\n`;
}
