/** Rows that are measured with the load generator: CPU per request, requests per second. */
import { stepsOf } from "../servers/burn.mjs";
import { load, median } from "../tools.mjs";
import { inTurns, serve } from "./serving.mjs";

const SERVERS = [
  { mode: "single" },
  { mode: "thread", workers: 1 },
  { mode: "thread", workers: 2 },
  { mode: "fork", workers: 1 },
  { mode: "fork", workers: 2 },
];

/** CPU of a whole server, as a share of that of the single mode. */
const CPU_TARGETS = { "thread(1)": 1.35, "fork(1)": 1.1 };

const WORK_MILLISECONDS = 5;
/** Seconds: node accepts one connection in a turn of its loop, and turns take long here. */
const WORK_WARM_UP = "1";
const WORKERS = [1, 2, 4];
/** Requests per second of two workers, as a multiple of those of one. */
const TWO_WORKERS_TARGET = 1.8;

export const LOAD_ROWS = [
  cpuRow({ name: "kept", title: "hello, 64 kept connections", load: ["-c", "64"], targets: CPU_TARGETS }),
  cpuRow({
    name: "multiplexed",
    title: "hello, 16 multiplexed on each of 4 connections",
    server: { multiplexed: "yes" },
    load: ["-c", "4", "-m", "16"],
  }),
  cpuRow({
    name: "mebibyte",
    title: "answer of 1 MiB, 8 kept connections",
    handler: "mebibyte",
    load: ["-c", "8", "--expect-bytes", "1048576"],
  }),
  {
    name: "work",
    title: `${WORK_MILLISECONDS} ms of CPU a request, 16 kept connections`,
    run: measureWork,
  },
];

function cpuRow({ name, title, handler = "hello", server, load: args, targets = {} }) {
  const run = async (bench) => {
    const servers = SERVERS.map((each) => ({ ...each, server, app: { handler } }));
    const results = await measure(bench, servers, { args });
    for (const result of results) {
      const ratio = result.us / results[0].us;
      bench.say(`${line(result)}  ${result === results[0] ? "" : `${ratio.toFixed(2)} x the CPU of single`}`);
      const target = targets[result.name];
      if (target !== undefined) bench.hold(`CPU of ${result.name}, x single`, ratio, { atMost: target });
    }
  };
  return { name, title, run };
}

async function measureWork(bench) {
  const steps = stepsOf(WORK_MILLISECONDS);
  const seconds = { ...bench.seconds, warmup: WORK_WARM_UP };
  bench.say(`${steps} steps a request`);
  for (const mode of ["thread", "fork"]) {
    const servers = WORKERS.map((workers) => ({ mode, workers, app: { handler: "work", steps } }));
    const results = await measure({ ...bench, seconds }, servers, { args: ["-c", "16"], spin: false });
    for (const result of results) {
      bench.say(`${line(result)}  ${(result.rps / results[0].rps).toFixed(2)} x one worker`);
    }
    const gain = results[WORKERS.indexOf(2)].rps / results[0].rps;
    bench.hold(`${mode}: requests per second of two workers, x one`, gain, { atLeast: TWO_WORKERS_TARGET });
  }
}

/** Medians of each server, all of them running, one at a time under load. */
async function measure({ rounds, seconds, miss }, servers, { args, spin }) {
  const times = ["-w", seconds.warmup, "-d", seconds.measured, "--max-errors", "200"];
  const running = [];
  try {
    for (const each of servers) running.push(await serve(each));
    const results = await inTurns(running, rounds, ({ address, pid }) =>
      load(address, { protocol: "fcgi", pid, args: [...args, ...times], spin }),
    );
    return running.map(({ name }, i) => {
      const runs = results[i].filter((run) => run !== null && run.ok > 0);
      const faults = results[i].reduce((sum, run) => sum + (run?.errors ?? 1), 0);
      if (faults > 0) miss(`${name}: ${faults} failed requests`);
      return {
        name,
        us: median(runs.map((run) => run.cpu_ms_per_1k)),
        rps: median(runs.map((run) => run.rps)),
        p99: median(runs.map((run) => run.p99_us)),
      };
    });
  } finally {
    for (const server of running) await server.stop();
  }
}

function line({ name, us, rps, p99 }) {
  const milliseconds = (p99 / 1000).toFixed(1).padStart(7);
  return `${name.padEnd(10)}${us.toFixed(1).padStart(8)} us${rps.toFixed(0).padStart(8)}/s${milliseconds} ms p99`;
}
