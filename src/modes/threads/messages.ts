/** What a gateway's thread and a worker thread say to each other beside batches of events. */
import type { MessagePort } from "node:worker_threads";

import type { CarriedError } from "../../carried-error.ts";
import type { Batch } from "./wire.ts";

/** `workerData` of a thread. `Work` is what it is to run: data that only the thread's own side knows. */
export interface ThreadData<Work> {
  readonly port: MessagePort;
  /** Of a `Heartbeat`. */
  readonly shared: SharedArrayBuffer;
  readonly id: number;
  readonly generation: number;
  readonly work: Work;
}

/** To the worker: events, a ping's number, the word to finish and go, or that log files were renamed. */
export type ToThread = Batch | number | "drain" | "reopenLogs";

/** From the worker: events, or what it is up to. */
export type FromThread =
  | Batch
  /** The app is loaded. */
  | "ready"
  /** It is about to go of its own accord. What it has not begun with when it goes is given to another. */
  | "leaving"
  /** It cannot run the app. */
  | { readonly failed: CarriedError };
