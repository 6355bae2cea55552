/** 1 GiB each way, and the memory that it takes. Linux only (/proc). */
import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { fastCgiRequest } from "../dist/client/fastcgi-request.js";
import { MIB, load, memory, params, targetOf } from "./tools.mjs";

const GIB = 1024 * MIB;
const WARM_UP_REQUESTS = 1000;
/** Resets a process's VmHWM (proc(5)). */
const CLEAR_PEAK = "5";

/** Each way through a server with the named handler. */
export const TRANSFERS = [
  { title: "upload, slow app", handler: "slowSink", transfer: upload },
  { title: "download, slow reader", handler: "gibibyte", transfer: (target) => download(target, { slowly: true }) },
  { title: "download, fast reader", handler: "gibibyte", transfer: (target) => download(target, { slowly: false }) },
];

/**
 * Warms a server up, transfers 1 GiB and looks at the resident memory of its process `pid`.
 * @returns {Promise<{ before: number, growth: number, seconds: number }>} bytes before, and the peak's bytes above that
 */
export async function peakOfTransfer({ handler, transfer }, { address, pid }) {
  const target = targetOf(address);
  await warmUp({ address, pid, target }, handler);
  const before = memory(pid, "VmRSS");
  writeFileSync(`/proc/${pid}/clear_refs`, CLEAR_PEAK);
  const started = performance.now();
  await transfer(target);
  const seconds = (performance.now() - started) / 1000;
  return { before, growth: memory(pid, "VmHWM") - before, seconds };
}

/** Small requests for the sink; the source has no small answer, so that its clients leave after the head. */
async function warmUp({ address, pid, target }, handler) {
  if (handler === "gibibyte") {
    for (let i = 0; i < WARM_UP_REQUESTS; i++) {
      const { body } = await fastCgiRequest(target, { params: params() });
      body.on("error", () => {});
      body.destroy();
    }
    return;
  }
  await load(address, { protocol: "fcgi", pid, args: ["-n", String(WARM_UP_REQUESTS), "-c", "4", "--body", "1000"] });
}

async function upload(target) {
  const chunk = Buffer.alloc(MIB, "u");
  async function* body() {
    for (let sent = 0; sent < GIB; sent += chunk.length) yield chunk;
  }
  const answer = await fastCgiRequest(target, { params: params("POST", GIB), body: body() });
  const taken = await text(answer.body);
  if (taken !== String(GIB)) throw new Error(`the app took ${taken} bytes`);
}

async function download(target, { slowly }) {
  const answer = await fastCgiRequest(target, { params: params() });
  let taken = 0;
  let rest = 0;
  for await (const chunk of answer.body) {
    taken += chunk.length;
    rest += chunk.length;
    if (slowly && rest > 4 * MIB) {
      rest = 0;
      await sleep(10);
    }
  }
  if (taken !== GIB) throw new Error(`${taken} bytes arrived`);
}
