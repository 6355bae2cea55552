/**
 * `npm run bench`: CPU time per request and requests per second of propylon, node's own http and node-fastcgi, measured
 * in turns within one run.
 *
 *     npm run bench -- [--quick] [--rounds N] [--only NAME]
 */
import { parseArgs } from "node:util";

import { compileLoadGenerator, load, median, needBuild, startServer } from "./tools.mjs";
import { NODE_FASTCGI_TARGET, WORKLOADS } from "./workloads.mjs";

const { values } = parseArgs({
  options: { quick: { type: "boolean" }, rounds: { type: "string" }, only: { type: "string" } },
});
const rounds = Number(values.rounds ?? (values.quick ? 3 : 5));
const seconds = values.quick ? { warmup: "0.5", measured: "1" } : { warmup: "1", measured: "3" };
const workloads = WORKLOADS.filter(({ name }) => values.only === undefined || name === values.only);
if (workloads.length === 0 || !(rounds >= 1)) {
  console.error(`--only takes one of ${WORKLOADS.map(({ name }) => name).join(", ")}; --rounds a number from 1`);
  process.exit(2);
}

const SERVERS = [
  { name: "propylon", protocol: "fcgi" },
  { name: "node-http", protocol: "http" },
  { name: "node-fastcgi", protocol: "fcgi" },
];

needBuild();
compileLoadGenerator();
console.log(`Node ${process.version}, ${rounds} rounds of ${seconds.measured} s each; medians; us = CPU per request`);
const missed = [];
for (const workload of workloads) report(workload, await measure(workload));
console.log(missed.length === 0 ? "\nevery target is met" : `\nmissed: ${missed.join("; ")}`);
process.exitCode = missed.length === 0 ? 0 : 1;

/** A, B, C, A, B, C …, so that a noisy moment hits all of them. */
async function measure({ handler, unix, multiplexed, load: args, httpLoad }) {
  const running = [];
  for (const server of SERVERS) {
    const flags = multiplexed && server.name === "propylon" ? ["multiplexed"] : [];
    running.push({ ...server, ...(await startServer(server.name, handler, { unix, flags })), runs: [], faults: 0 });
  }
  const times = ["-w", seconds.warmup, "-d", seconds.measured, "--max-errors", "200"];
  try {
    for (let round = 0; round < rounds; round++) {
      for (const server of running) {
        const { protocol, pid } = server;
        const used = protocol === "http" && httpLoad !== undefined ? httpLoad : args;
        const result = await load(server.address, { protocol, pid, args: [...used, ...times] });
        server.faults += result?.errors ?? 1;
        if (result !== null && result.ok > 0) server.runs.push(result);
      }
    }
  } finally {
    for (const server of running) await server.stop();
  }
  return Object.fromEntries(
    running.map(({ name, runs, faults }) => [
      name,
      { us: median(runs.map((run) => run.cpu_ms_per_1k)), rps: median(runs.map((run) => run.rps)), faults },
    ]),
  );
}

function report({ name, title, target }, results) {
  console.log(`\n${title} (--only ${name})`);
  const ours = results.propylon;
  for (const [server, { us, rps, faults }] of Object.entries(results)) {
    const ratio = server === "propylon" ? "" : `propylon takes ${(ours.us / us).toFixed(2)} of it`;
    const errors = faults === 0 ? "" : `  (${faults} failed requests)`;
    console.log(
      `  ${server.padEnd(13)}${us.toFixed(1).padStart(8)} us${rps.toFixed(0).padStart(9)}/s  ${ratio}${errors}`,
    );
  }
  hold(`${title}: CPU of node http`, ours.us / results["node-http"].us, target);
  if (name === "kept") hold(`${title}: CPU of node-fastcgi`, ours.us / results["node-fastcgi"].us, NODE_FASTCGI_TARGET);
  if (ours.faults > 0) missed.push(`${title}: ${ours.faults} failed requests`);
}

function hold(what, ratio, target) {
  const met = ratio <= target;
  console.log(`  target ${target.toFixed(2)}, measured ${ratio.toFixed(2)}: ${met ? "met" : "MISSED"}`);
  if (!met) missed.push(`${what} ${ratio.toFixed(2)} instead of ${target.toFixed(2)}`);
}
