/** What a worker takes of memory: servers with one and with five of them, after 1,000 requests. */
import { setTimeout as sleep } from "node:timers/promises";

import { MIB, load, median } from "../tools.mjs";
import { treeMemory } from "./process-tree.mjs";
import { serve } from "./serving.mjs";

const FEW = 1;
const MANY = 5;
/** Milliseconds for what the requests leave to settle. */
const REST = 300;

export const WORKER_MEMORY_ROW = {
  name: "worker-memory",
  title: `memory of a worker: (${MANY} workers - ${FEW}) / ${MANY - FEW}, after 1,000 requests each`,
  async run({ rounds, say }) {
    const servers = ["thread", "fork"].flatMap((mode) => [FEW, MANY].map((workers) => ({ mode, workers })));
    const taken = servers.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, each] of servers.entries()) taken[i].push(await memoryOf(each));
    }
    const middle = (i, kind) => median(taken[i].map((memory) => memory[kind])) / MIB;
    for (const [i, { mode, workers }] of servers.entries()) {
      if (workers !== MANY) continue;
      const [rss, own] = ["rss", "own"].map((kind) => {
        const [few, many] = [middle(i - 1, kind), middle(i, kind)];
        return `${((many - few) / (MANY - FEW)).toFixed(1).padStart(5)} MiB (${few.toFixed(0)} to ${many.toFixed(0)})`;
      });
      say(`${mode.padEnd(8)}resident ${rss}, private ${own}`);
    }
  },
};

async function memoryOf({ mode, workers }) {
  const { address, pid, stop } = await serve({ mode, workers, app: { handler: "hello" } });
  try {
    const requests = ["-n", String(1000 * workers), "-c", "16", "--keepalive", "off"];
    await load(address, { protocol: "fcgi", pid, args: requests, spin: false });
    await sleep(REST);
    return treeMemory(pid);
  } finally {
    await stop();
  }
}
