/** How requests spread over four workers. */
import { text } from "node:stream/consumers";

import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { params, targetOf } from "../tools.mjs";
import { keptConnections } from "./kept-connection.mjs";
import { serve } from "./serving.mjs";

const WORKERS = 4;
const SINGLE_REQUESTS = 1000;
const KEPT = 64;
const REQUESTS_EACH = 16;

export const FAIRNESS_ROW = {
  name: "fairness",
  title: `shares of ${WORKERS} workers: ${SINGLE_REQUESTS} connections one after another; ${KEPT} kept ones at a time`,
  async run({ say }) {
    for (const mode of ["thread", "fork"]) {
      for (const unix of [true, false]) {
        const { address, stop } = await serve({ mode, workers: WORKERS, unix, app: { handler: "who" } });
        try {
          const target = targetOf(address);
          const where = `${mode.padEnd(8)}${(unix ? "Unix socket" : "TCP").padEnd(13)}`;
          say(`${where}one by one ${shares(await oneByOne(target))}; kept ${shares(await kept(target))}`);
        } finally {
          await stop();
        }
      }
    }
  },
};

async function oneByOne(target) {
  const answers = [];
  for (let i = 0; i < SINGLE_REQUESTS; i++) {
    const { body } = await fastCgiRequest(target, { params: params() });
    answers.push(await text(body));
  }
  return answers;
}

async function kept(target) {
  const connections = await keptConnections(target, KEPT);
  const answers = await Promise.all(
    connections.map(async (connection) => {
      const own = [];
      for (let i = 0; i < REQUESTS_EACH; i++) own.push(await connection.ask());
      return own;
    }),
  );
  for (const connection of connections) connection.close();
  return answers.flat();
}

/** `40 30 20 10 %`: of each worker, the busiest first. */
function shares(answers) {
  const counts = new Map();
  for (const worker of answers) counts.set(worker, (counts.get(worker) ?? 0) + 1);
  const idle = Array.from({ length: WORKERS - counts.size }, () => 0);
  const sorted = [...counts.values(), ...idle].toSorted((a, b) => b - a);
  return `${sorted.map((count) => ((count / answers.length) * 100).toFixed(0).padStart(3)).join(" ")} %`;
}
