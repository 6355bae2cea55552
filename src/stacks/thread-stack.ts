/** The stack of a worker thread, be it in a loop without end, taken from the thread that has started it. */
import { Session } from "node:inspector";
import type { Worker } from "node:worker_threads";

import type { StackSample } from "./slow-entry.ts";
import { type InspectorMessage, StackReader } from "./stack-reader.ts";

/** A thread is watched for so long to see whether it is idle. Milliseconds. */
const WATCHED = 50;
/** A thread that runs JavaScript pauses sooner. Milliseconds. */
const TIMEOUT = 500;
/** The share of its time in which a busy thread does not wait for events. */
const BUSY = 0.5;

/**
 * Pauses the thread where it is, reads its stack and lets it go on. Never rejects; a thread that ends meanwhile is told
 * to be idle.
 *
 * @param name - of the worker, as it was given when it was started, unlike that of any other
 */
export async function sampleThreadStack(worker: Worker, name: string): Promise<StackSample> {
  const before = worker.performance.eventLoopUtilization();
  await sleep(WATCHED);
  const { utilization } = worker.performance.eventLoopUtilization(worker.performance.eventLoopUtilization(), before);
  if (utilization < BUSY) return { state: "idle" };
  const frames = await pauseAndRead(name);
  return frames === null ? { state: "uninterruptible" } : { state: "running", frames };
}

/** Threads that have a session: Node 20 aborts if a thread is terminated that has two. */
const sessions = new Set<string>();

/** Null if it does not pause in time. Then the session stays, to let the thread go on when it does at last. */
async function pauseAndRead(name: string): Promise<string | null> {
  if (sessions.has(name)) return null;
  sessions.add(name);
  const session = new Session();
  session.connect();
  return await new Promise<string | null>((resolve) => {
    const reader = new StackReader();
    let thread: string | null = null;
    const timer = setTimeout(() => {
      if (thread === null) end(null);
      else resolve(null);
    }, TIMEOUT);
    const tell = (method: string): void => {
      const message = JSON.stringify({ id: 1, method });
      session.post("NodeWorker.sendMessageToWorker", { sessionId: thread!, message }, () => {});
    };
    session.on("NodeWorker.attachedToWorker", ({ params: { sessionId, workerInfo } }) => {
      if (thread !== null || !workerInfo.title.endsWith(name)) return;
      thread = sessionId;
      tell("Debugger.enable");
      tell("Debugger.pause");
    });
    session.on("NodeWorker.receivedMessageFromWorker", ({ params: { sessionId, message } }) => {
      if (sessionId !== thread) return;
      const frames = reader.read(JSON.parse(message) as InspectorMessage);
      if (frames === null) return;
      tell("Debugger.resume");
      tell("Debugger.disable");
      end(frames);
    });
    session.on("NodeWorker.detachedFromWorker", ({ params: { sessionId } }) => {
      if (sessionId === thread) end(null);
    });
    const end = (frames: string | null): void => {
      clearTimeout(timer);
      resolve(frames);
      session.disconnect();
      sessions.delete(name);
    };
    session.post("NodeWorker.enable", { waitForDebuggerOnStart: false }, (error) => {
      if (error !== null) end(null);
    });
  });
}

async function sleep(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
