/** What this process's worker threads are doing, though one may never come back to its event loop. */
import { type NodeWorker, Session } from "node:inspector";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";

import { DebuggerDialogue, framesText } from "./frames.ts";
import type { StackSample } from "./slow-entry.ts";

/** Milliseconds over which it is seen whether a thread's loop is idle. */
const IDLE_INTERVAL = 50;
/** Above it, from 0 to 1, a loop is taken for busy. */
const BUSY = 0.5;

/**
 * To be made in the main thread, before the threads that are looked at.
 *
 * Node (20 to 26) crashes as a whole where a session attaches to, or sends to, a thread that is being torn down. So
 * there is one session as long as threads run, which meets each at its beginning and costs it nothing; and to a thread
 * it sends only while that is busy in its own code, or held by the debugger. An idle thread is not sent anything.
 */
export class ThreadStacks {
  readonly #session = new Session();
  /** Threads that run, by their `threadId`: what the session calls them. */
  readonly #sessionIds = new Map<number, string>();
  /** Threads that shall be held, until they are: one in a native call is held when that returns. */
  readonly #looks = new Map<string, Look>();
  #lastId = 0;

  constructor() {
    this.#session.connect();
    this.#session.on("NodeWorker.attachedToWorker", ({ params }) => this.#attached(params));
    this.#session.on("NodeWorker.detachedFromWorker", ({ params }) => this.#detached(params.sessionId));
    this.#session.on("NodeWorker.receivedMessageFromWorker", ({ params }) => this.#received(params));
    this.#session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
  }

  /**
   * Holds the thread for a moment to read its stack; it runs on at full speed afterwards. Never rejects: a thread that
   * has ended counts as idle. A thread must not be terminated before its sample is there.
   * @param timeout milliseconds after which a busy thread that could not be held is in a call of native code
   */
  async sample(worker: Worker, { timeout = 500 }: { readonly timeout?: number } = {}): Promise<StackSample> {
    const before = worker.performance.eventLoopUtilization();
    await sleep(IDLE_INTERVAL);
    const sessionId = this.#sessionIds.get(worker.threadId);
    const { utilization } = worker.performance.eventLoopUtilization(before);
    if (sessionId === undefined || utilization < BUSY) return { state: "idle" };
    const look = this.#looks.get(sessionId) ?? this.#look(sessionId);
    const over = new AbortController();
    const late = sleep(timeout, undefined, { signal: over.signal }).then(
      (): StackSample => ({ state: "uninterruptible" }),
      (): StackSample => ({ state: "idle" }),
    );
    const sample = await Promise.race([look.sample, late]);
    over.abort();
    return sample;
  }

  /** When the last thread has ended. */
  close(): void {
    this.#session.disconnect();
    this.#sessionIds.clear();
  }

  /** `workerId` is a number of the session's own; the thread's is in the title, before any name that it was given. */
  #attached({ sessionId, workerInfo }: NodeWorker.AttachedToWorkerEventDataType): void {
    const threadId = /^\[worker (\d+)\]/.exec(workerInfo.title)?.[1];
    if (threadId !== undefined) this.#sessionIds.set(Number(threadId), sessionId);
  }

  #detached(sessionId: string): void {
    for (const [threadId, id] of this.#sessionIds) {
      if (id === sessionId) this.#sessionIds.delete(threadId);
    }
    this.#looks.get(sessionId)?.settle({ state: "idle" });
    this.#looks.delete(sessionId);
  }

  #received({ sessionId, message }: NodeWorker.ReceivedMessageFromWorkerEventDataType): void {
    const { method, params } = JSON.parse(message) as { method?: string; params?: unknown };
    if (method !== undefined) void this.#looks.get(sessionId)?.dialogue.notified(method, params);
  }

  #look(sessionId: string): Look {
    let settle!: Look["settle"];
    const sample = new Promise<StackSample>((resolve) => {
      settle = resolve;
    });
    const dialogue = new DebuggerDialogue({
      post: (method) => this.#post(sessionId, method),
      onPaused: (frames) => {
        this.#looks.delete(sessionId);
        settle({ state: "running", frames: framesText(frames) });
      },
    });
    const look = { sample, settle, dialogue };
    this.#looks.set(sessionId, look);
    dialogue.begin();
    return look;
  }

  #post(sessionId: string, method: string): void {
    this.#lastId++;
    const message = JSON.stringify({ id: this.#lastId, method });
    this.#session.post("NodeWorker.sendMessageToWorker", { sessionId, message }, () => {});
  }
}

interface Look {
  readonly sample: Promise<StackSample>;
  readonly settle: (sample: StackSample) => void;
  readonly dialogue: DebuggerDialogue;
}
