/**
 * Peak memory of 1 GiB each way, with a slow reader and a slow app: `node bench/memory.mjs`. Every peak must stay within
 * 64 MiB of what the process holds after 1,000 warm-up requests. Linux only (/proc).
 */
import { MIB, compileLoadGenerator, inMib, needBuild, startServer } from "./tools.mjs";
import { TRANSFERS, peakOfTransfer } from "./transfers.mjs";

const LIMIT = 64 * MIB;

needBuild();
compileLoadGenerator();
let failed = false;
for (const unix of [false, true]) for (const each of TRANSFERS) await row(each, unix);
process.exitCode = failed ? 1 : 0;

async function row(each, unix) {
  const server = await startServer("propylon", each.handler, { unix });
  try {
    const { before, growth, seconds } = await peakOfTransfer(each, server);
    const verdict = growth <= LIMIT ? "met" : "MISSED";
    failed ||= growth > LIMIT;
    const where = `${each.title}, ${unix ? "Unix socket" : "TCP"}`.padEnd(36);
    console.log(
      `1 GiB ${where}${inMib(before)} MiB before, peak ${inMib(growth).padStart(5)} MiB above it in ${seconds.toFixed(1)} s: ` +
        `target ${inMib(LIMIT)}, ${verdict}`,
    );
  } finally {
    await server.stop();
  }
}
