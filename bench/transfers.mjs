/** 1 GiB each way, and the memory that it takes. Linux only (/proc). */
import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { fastCgiRequest } from "../dist/client/fastcgi-request.js";
import { MIB, load, memory, params, targetOf } from "./tools.mjs";

const GIB = 1024 * MIB;
const WARM_UP_REQUESTS = "1000";
/** Resets a process's VmHWM (proc(5)). */
const CLEAR_PEAK = "5";

/** Each way through a server with the named handler; `warmUp` says what its small requests are like. */
export const TRANSFERS = [
  { title: "upload, slow app", handler: "slowSink", warmUp: ["--body", "1000"], transfer: upload },
  download({ title: "download, slow reader", slowly: true }),
  download({ title: "download, fast reader", slowly: false }),
];

/**
 * Warms a server up, transfers 1 GiB and looks at the resident memory of its process `pid`.
 * @returns {Promise<{ before: number, growth: number, seconds: number }>} bytes before, and the peak's bytes above that
 */
export async function peakOfTransfer({ warmUp, transfer }, { address, pid }) {
  const target = targetOf(address);
  await load(address, { protocol: "fcgi", pid, args: ["-n", WARM_UP_REQUESTS, "-c", "4", ...warmUp] });
  const before = memory(pid, "VmRSS");
  writeFileSync(`/proc/${pid}/clear_refs`, CLEAR_PEAK);
  const started = performance.now();
  await transfer(target);
  const seconds = (performance.now() - started) / 1000;
  return { before, growth: memory(pid, "VmHWM") - before, seconds };
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

function download({ title, slowly }) {
  const transfer = (target) => fetchAll(target, { slowly });
  return { title, handler: "gibibyte", warmUp: ["--path", "/nothing"], transfer };
}

async function fetchAll(target, { slowly }) {
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
