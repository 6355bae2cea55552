/**
 * Watches the main thread of a process in which the app runs: a thread of its own sees that the event loop does not
 * turn, takes the stack, and writes it down by itself, since the main thread can do nothing then.
 */
import { Worker } from "node:worker_threads";

import type { RequestReport } from "../report.ts";

export interface WatchData {
  readonly shared: SharedArrayBuffer;
  /** The gateway process, by its number in the status. */
  readonly worker: number;
  /** Milliseconds without a turn of the loop after which an entry is written; 0 for never. */
  readonly slowlogTimeout: number;
  /** Milliseconds without a turn after which the process will be killed; an entry is written before. 0 for never. */
  readonly stallTimeout: number;
  /** `stdout`, `stderr`, or an absolute path. */
  readonly slowLog: string;
  /** Each byte that comes on this descriptor asks for an entry with what the main thread is doing. */
  readonly askFd: number;
}

export interface WatchSetup extends Omit<WatchData, "shared"> {
  /** The requests in hand, asked for while the main thread stands still. */
  readonly requests: () => readonly RequestReport[];
  /** Gets each entry, which is written by then, once the main thread turns again. */
  readonly onEntry: (entry: string) => void;
}

/** How often the main thread shows that it turns. Milliseconds. */
export const TURN_INTERVAL: number = 100;
/** Where the paused main thread is asked for its requests: `globalThis[Symbol.for(REQUESTS)]()`. */
export const REQUESTS: string = "propylon.requestsInHand";

export class WatchThread {
  /** How often the main thread's loop has turned. */
  readonly #turns = new Int32Array(new SharedArrayBuffer(4));
  readonly #thread: Worker;
  readonly #timer: NodeJS.Timeout;

  constructor({ requests, onEntry, ...setup }: WatchSetup) {
    const realm = globalThis as Record<symbol, unknown>;
    realm[Symbol.for(REQUESTS)] = () => JSON.stringify(requests());
    const data: WatchData = { ...setup, shared: this.#turns.buffer };
    this.#thread = new Worker(new URL("./watch-thread-main.js", import.meta.url), {
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    this.#thread.on("message", onEntry);
    // Without it stalls go without a stack, and nothing else.
    this.#thread.on("error", () => {});
    this.#thread.unref();
    this.#timer = setInterval(() => Atomics.add(this.#turns, 0, 1), TURN_INTERVAL).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    void this.#thread.terminate();
  }
}
