/**
 * `npm run bench:modes`: what the modes single, thread and fork take of CPU, memory and time, measured in turns within
 * one run, on `propylon serve`. Linux only (/proc).
 *
 *     npm run bench:modes -- [--quick] [--rounds N] [--only NAME]
 */
import { parseArgs } from "node:util";

import { FAIRNESS_ROW } from "./modes/fairness.mjs";
import { IDLE_ROW } from "./modes/idle.mjs";
import { LOAD_ROWS } from "./modes/load.mjs";
import { START_ROW } from "./modes/start.mjs";
import { TRANSFER_ROW } from "./modes/transfer.mjs";
import { WORKER_MEMORY_ROW } from "./modes/worker-memory.mjs";
import { compileLoadGenerator, needBuild } from "./tools.mjs";

const ROWS = [...LOAD_ROWS, WORKER_MEMORY_ROW, START_ROW, IDLE_ROW, FAIRNESS_ROW, TRANSFER_ROW];

const { values } = parseArgs({
  options: { quick: { type: "boolean" }, rounds: { type: "string" }, only: { type: "string" } },
});
const quick = values.quick ?? false;
const rounds = Number(values.rounds ?? (quick ? 3 : 5));
const seconds = quick ? { warmup: "0.3", measured: "0.8" } : { warmup: "1", measured: "3" };
const rows = ROWS.filter(({ name }) => values.only === undefined || name === values.only);
if (rows.length === 0 || !(rounds >= 1)) {
  console.error(`--only takes one of ${ROWS.map(({ name }) => name).join(", ")}; --rounds a number from 1`);
  process.exit(2);
}

needBuild();
compileLoadGenerator();
console.log(`Node ${process.version}, ${rounds} rounds; medians; CPU and memory of the supervisor and all below it`);
const missed = [];
for (const { name, title, run } of rows) {
  console.log(`\n${title} (--only ${name})`);
  const say = (text) => console.log(`  ${text}`);
  const miss = (what) => void missed.push(`${title}: ${what}`);
  await run({ rounds, quick, seconds, say, miss, hold: (...args) => hold(say, miss, ...args) });
}
console.log(missed.length === 0 ? "\nevery target is met" : `\nmissed: ${missed.join("; ")}`);
process.exitCode = missed.length === 0 ? 0 : 1;

/** Prints whether a measured value is within its target. */
function hold(say, miss, what, value, { atMost, atLeast, digits = 2 }) {
  const met = atMost === undefined ? value >= atLeast : value <= atMost;
  const [measured, target] = [value, atMost ?? atLeast].map((number) => number.toFixed(digits));
  say(
    `target: ${what}, ${atMost === undefined ? "at least" : "at most"} ${target}: ${measured}, ${met ? "met" : "MISSED"}`,
  );
  if (!met) miss(`${what} ${measured} instead of ${target}`);
}
