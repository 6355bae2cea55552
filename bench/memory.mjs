/**
 * Peak memory of 1 GiB each way, with a slow reader and a slow app: `node bench/memory.mjs`. Every peak must stay within
 * 64 MiB of what the process holds after 1,000 warm-up requests. Linux only (/proc).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { fastCgiRequest } from "../dist/client/fastcgi-request.js";
import { compileLoadGenerator, load, needBuild, startServer } from "./tools.mjs";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const LIMIT = 64 * MIB;
const WARM_UP_REQUESTS = "1000";
/** Resets a process's VmHWM (proc(5)). */
const CLEAR_PEAK = "5";

needBuild();
compileLoadGenerator();
let failed = false;
for (const unix of [false, true]) {
  await row("upload, slow app", unix, "slowSink", upload);
  await row("download, slow reader", unix, "gibibyte", (target) => download(target, { slowly: true }));
  await row("download, fast reader", unix, "gibibyte", (target) => download(target, { slowly: false }));
}
process.exitCode = failed ? 1 : 0;

async function row(title, unix, handler, transfer) {
  const server = await startServer("propylon", handler, { unix });
  try {
    const target = unix ? { path: server.address } : { port: Number(server.address.split(":")[1]) };
    await warmUp(server, handler);
    const before = memory(server.pid, "VmRSS");
    writeFileSync(`/proc/${server.pid}/clear_refs`, CLEAR_PEAK);
    const started = performance.now();
    await transfer(target);
    const seconds = (performance.now() - started) / 1000;
    const growth = memory(server.pid, "VmHWM") - before;
    const verdict = growth <= LIMIT ? "met" : "MISSED";
    failed ||= growth > LIMIT;
    const where = `${title}, ${unix ? "Unix socket" : "TCP"}`.padEnd(36);
    console.log(
      `1 GiB ${where}${inMib(before)} MiB before, peak ${inMib(growth).padStart(5)} MiB above it in ${seconds.toFixed(1)} s: ` +
        `target ${inMib(LIMIT)}, ${verdict}`,
    );
  } finally {
    await server.stop();
  }
}

/** Small requests for the sink; the source has no small answer, so that its clients leave after the head. */
async function warmUp({ address, pid }, handler) {
  if (handler === "gibibyte") {
    const target = address.startsWith("/") ? { path: address } : { port: Number(address.split(":")[1]) };
    for (let i = 0; i < Number(WARM_UP_REQUESTS); i++) {
      const { body } = await fastCgiRequest(target, { params: params("GET") });
      body.on("error", () => {});
      body.destroy();
    }
    return;
  }
  await load(address, { protocol: "fcgi", pid, args: ["-n", WARM_UP_REQUESTS, "-c", "4", "--body", "1000"] });
}

async function upload(target) {
  const chunk = Buffer.alloc(MIB, "u");
  async function* body() {
    for (let sent = 0; sent < GIB; sent += chunk.length) yield chunk;
  }
  const answer = await fastCgiRequest(target, { params: params("POST", GIB), body: body() });
  const text = String(await collect(answer.body));
  if (text !== String(GIB)) throw new Error(`the app took ${text} bytes`);
}

async function download(target, { slowly }) {
  const answer = await fastCgiRequest(target, { params: params("GET") });
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

function params(method, length) {
  return [
    ["REQUEST_METHOD", method],
    ["REQUEST_URI", "/"],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", "/"],
    ["SERVER_PROTOCOL", "HTTP/1.1"],
    ...(length === undefined ? [] : [["CONTENT_LENGTH", String(length)]]),
  ];
}

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bytes of a field of /proc/PID/status. */
function memory(pid, field) {
  const line = readFileSync(`/proc/${pid}/status`, "utf8")
    .split("\n")
    .find((each) => each.startsWith(field));
  return Number(/\d+/.exec(line)[0]) * 1024;
}

function inMib(bytes) {
  return (bytes / MIB).toFixed(0);
}
