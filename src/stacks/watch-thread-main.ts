/** The thread that watches the main thread: see watch-thread.ts. */
import { appendFileSync } from "node:fs";
import { Session } from "node:inspector";
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

import { descriptorWriter } from "../log.ts";
import type { RequestReport } from "../report.ts";
import { DebuggerDialogue, framesText } from "./frames.ts";
import { type SlowEntry, type StackSample, slowEntry } from "./slow-entry.ts";
import { REQUESTS, TURN_INTERVAL, type WatchData } from "./watch-thread.ts";

/** JavaScript pauses sooner. Milliseconds. */
const TIMEOUT = 1000;
/** An entry is written at this share of the time after which the process is killed. */
const BEFORE_THE_END = 0.75;

const { shared, worker, slowlogTimeout, stallTimeout, slowLog, askFd } = workerData as WatchData;
const writeStandard = slowLog === "stdout" ? descriptorWriter(1) : slowLog === "stderr" ? descriptorWriter(2) : null;
const mainTurns = new Int32Array(shared);

let turns = 0;
let asked = false;
/** Nobody holds the other end: the supervisor is gone, and with it who would end this process. */
let orphaned = false;
/**
 * In turns of this thread's own timer, and not in time: when the whole process was stopped, nobody has blocked anything.
 */
let silent = 0;
let busy = false;

setInterval(() => void watch(), TURN_INTERVAL);
const questions = new Socket({ fd: askFd, readable: true, writable: false });
questions.on("data", () => (asked = true));
questions.on("error", () => {});
questions.on("close", () => (orphaned = true));

async function watch(): Promise<void> {
  const seen = Atomics.load(mainTurns, 0);
  silent = seen === turns ? silent + 1 : 0;
  turns = seen;
  if (orphaned && stallTimeout > 0 && silent * TURN_INTERVAL >= stallTimeout) process.kill(process.pid, "SIGKILL");
  if (busy) return;
  busy = true;
  if (asked) {
    asked = false;
    await write("asked");
  } else if (reached(slowlogTimeout)) await write("slow");
  else if (reached(stallTimeout * BEFORE_THE_END)) await write("stalled");
  busy = false;
}

/** True in the one tick in which the silence has grown to so many milliseconds. */
function reached(milliseconds: number): boolean {
  return milliseconds > 0 && silent === Math.ceil(milliseconds / TURN_INTERVAL);
}

async function write(why: SlowEntry["why"]): Promise<void> {
  const { sample, requests } = silent > 1 ? await look() : { sample: { state: "idle" } as const, requests: [] };
  const entry = slowEntry({ why, pid: process.pid, worker, requests, sample });
  try {
    if (writeStandard !== null) writeStandard(entry);
    else appendFileSync(slowLog, entry, { mode: 0o640 });
  } catch {
    // A full disk; the entry is still told.
  }
  parentPort!.postMessage(entry);
}

/**
 * Pauses the main thread, asks it for its requests, lets it go on. If it does not pause in time the session stays, to let
 * it go on when it does at last.
 */
async function look(): Promise<{ sample: StackSample; requests: readonly RequestReport[] }> {
  const session = new Session();
  session.connectToMainThread();
  return await new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ sample: { state: "uninterruptible" }, requests: [] }), TIMEOUT);
    const dialogue = new DebuggerDialogue({
      post: (method) => session.post(method),
      onPaused: async (frames) => {
        clearTimeout(timer);
        resolve({ sample: { state: "running", frames: framesText(frames) }, requests: await requestsOf(session) });
      },
    });
    session.on("inspectorNotification", ({ method, params }: { method: string; params?: unknown }) => {
      const released = dialogue.notified(method, params);
      void released?.then(() => session.disconnect());
    });
    dialogue.begin();
  });
}

/** Those in hand in the main thread, which is paused. */
async function requestsOf(session: Session): Promise<readonly RequestReport[]> {
  const expression = `globalThis[Symbol.for(${JSON.stringify(REQUESTS)})]?.()`;
  return await new Promise((resolve) => {
    session.post("Runtime.evaluate", { expression, returnByValue: true }, (error, answer) => {
      const text: unknown = error === null ? answer.result.value : undefined;
      resolve(typeof text === "string" ? (JSON.parse(text) as RequestReport[]) : []);
    });
  });
}
