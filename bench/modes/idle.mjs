/** Thousands of kept connections that ask for nothing: what they take, and whether another one is still answered. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { load, median, targetOf } from "../tools.mjs";
import { KeptConnection, keptConnections } from "./kept-connection.mjs";
import { treeMemory } from "./process-tree.mjs";
import { inTurns, nameOf, serve } from "./serving.mjs";

const SERVERS = [{ mode: "single" }, { mode: "thread", workers: 2 }, { mode: "fork", workers: 2 }];
const CONNECTIONS = 5000;
/** Descriptors that this process needs besides. */
const OTHER_FILES = 200;
const REST = 300;

export const IDLE_ROW = {
  name: "idle",
  title: `${CONNECTIONS} idle kept connections`,
  async run({ rounds, say, miss }) {
    const limit = Number(
      /^Max open files +\d+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? Infinity,
    );
    if (limit < CONNECTIONS + OTHER_FILES) {
      return miss(`a process may open only ${limit} files: ulimit -Hn ${CONNECTIONS + OTHER_FILES}`);
    }
    const results = await inTurns(SERVERS, rounds, idle);
    for (const [i, server] of SERVERS.entries()) {
      const [rss, own, answer] = ["rss", "own", "answer"].map((what) => median(results[i].map((each) => each[what])));
      const bytes = `${rss.toFixed(0).padStart(6)} bytes resident, ${own.toFixed(0).padStart(6)} private a connection`;
      say(`${nameOf(server).padEnd(10)}${bytes}; another one is answered in ${answer.toFixed(1)} ms`);
    }
  },
};

async function idle(server) {
  const { address, pid, stop } = await serve({ ...server, app: { handler: "hello" } });
  let connections = [];
  try {
    const target = targetOf(address);
    await load(address, { protocol: "fcgi", pid, args: ["-n", "1000", "-c", "16"], spin: false });
    await sleep(REST);
    const before = treeMemory(pid);
    connections = await keptConnections(target, CONNECTIONS);
    await sleep(REST);
    const after = treeMemory(pid);
    const begun = performance.now();
    const another = await KeptConnection.open(target);
    await another.ask();
    const answer = performance.now() - begun;
    another.close();
    const each = (kind) => (after[kind] - before[kind]) / CONNECTIONS;
    return { rss: each("rss"), own: each("own"), answer };
  } finally {
    for (const connection of connections) connection.close();
    await stop();
  }
}
