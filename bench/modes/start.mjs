/** How long a server takes from being spawned to its first answer. */
import { setTimeout as sleep } from "node:timers/promises";

import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { median, params, targetOf } from "../tools.mjs";
import { inTurns, nameOf, spawnServing } from "./serving.mjs";

const SERVERS = [{ mode: "single" }, { mode: "thread", workers: 2 }, { mode: "fork", workers: 2 }];
/** Milliseconds between attempts to connect. */
const PAUSE = 1;
const ATTEMPTS = 10_000;

export const START_ROW = {
  name: "start",
  title: "start-up: from spawn to the first answer, and until all workers are ready",
  async run({ rounds, say }) {
    const results = await inTurns(SERVERS, rounds, timeOfStart);
    for (const [i, server] of SERVERS.entries()) {
      const [first, ready] = ["first", "ready"].map((what) => median(results[i].map((times) => times[what])));
      say(`${nameOf(server).padEnd(10)}${first.toFixed(0).padStart(5)} ms, ready after ${ready.toFixed(0)} ms`);
    }
  },
};

async function timeOfStart(server) {
  const begun = performance.now();
  const elapsed = () => performance.now() - begun;
  const { address, ready, stop } = await spawnServing({ ...server, app: { handler: "hello" } });
  try {
    const [first, served] = await Promise.all([firstAnswer(targetOf(address)).then(elapsed), ready.then(elapsed)]);
    return { first, ready: served };
  } finally {
    await stop();
  }
}

async function firstAnswer(target) {
  for (let attempt = 1; ; attempt++) {
    try {
      const { body } = await fastCgiRequest(target, { params: params() });
      return void body.resume();
    } catch (error) {
      if (attempt === ATTEMPTS || !["ENOENT", "ECONNREFUSED"].includes(error.code)) throw error;
      await sleep(PAUSE);
    }
  }
}
