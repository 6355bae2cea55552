/**
 * Decides what a pool of workers needs next: one pure function for threads and processes.
 *
 * Whoever runs a pool shows it as a `PoolView`, asks `supervise`, and performs the actions; the decision has no clock,
 * no timer and no memory of its own. Times are milliseconds on one clock of the caller's.
 */

/** How many workers there shall be, and for how long. 0 is "no limit" except where said otherwise. */
export interface PoolLimits {
  /**
   * `static`: always `max` workers. `dynamic`: as many that between `minSpare` and `maxSpare` of them have room for a
   * request, at most `max`; it begins with `maxSpare`, as flup does. `ondemand`: none until a request waits, and none
   * any more after `idleTimeout` without one.
   */
  readonly manager: "static" | "dynamic" | "ondemand";
  /** At least 1. Starting and ready workers of one generation; a replacement may be one above it while it starts. */
  readonly max: number;
  readonly minSpare: number;
  readonly maxSpare: number;
  /** `ondemand`: a worker without requests for so long is drained. */
  readonly idleTimeout: number;
  readonly maxLifetime: number;
  /** Bytes; a worker that was seen above it is replaced. */
  readonly maxMemory: number;
  /** A worker that is not ready by then is killed and counts as a failed start. Not 0. */
  readonly startTimeout: number;
  /** A worker that was not heard of for so long is killed and replaced. */
  readonly stallTimeout: number;
  /** A draining worker that is not gone by then is killed. Not 0. */
  readonly gracefulTimeout: number;
}

export interface WorkerView {
  /** Never given twice. */
  readonly id: number;
  readonly generation: number;
  /** `killed`: ended by force and not gone yet. A worker that is gone is not in the view. */
  readonly state: "starting" | "ready" | "draining" | "killed";
  /** When it came into its state. */
  readonly since: number;
  /** When it was started. */
  readonly startedAt: number;
  /** When it was last known to be alive. */
  readonly heardAt: number;
  readonly inFlight: number;
  /** It has no room for another request. */
  readonly full: boolean;
  /** When it last had a request in hand. */
  readonly busyAt: number;
  readonly served: number;
  /** It retires after so many requests (spread by the caller, so that workers do not retire together). */
  readonly maxRequests: number;
  /** Bytes, as far as known. */
  readonly memory: number;
  /** The worker that it was started for, to take its place once it is ready. */
  readonly replaces: number | null;
}

export interface PoolView {
  readonly limits: PoolLimits;
  /** The generation that serves; 0 before the first one has begun. */
  readonly generation: number;
  /** The generation that shall take over. Null where none shall. */
  readonly next: number | null;
  readonly workers: readonly WorkerView[];
  /** Requests that wait for a worker with room. */
  readonly waiting: number;
  /** Failed starts in a row (died or timed out before ready, or died within a second of it), and when the last was. */
  readonly failures: number;
  readonly failedAt: number;
  /** Of those, how many belong to `next`. */
  readonly nextFailures: number;
  /** No new workers, all that are there drain. */
  readonly stopping: boolean;
}

export type Action =
  | { readonly type: "start"; readonly generation: number; readonly replaces: number | null }
  /** Let it finish what it has in hand and go. */
  | { readonly type: "drain"; readonly id: number; readonly why: DrainReason }
  /** End it by force. */
  | { readonly type: "kill"; readonly id: number; readonly why: KillReason }
  /** `next` serves from now on: it is the caller's `generation`, and `next` is null. */
  | { readonly type: "promote"; readonly generation: number }
  /** `next` could not start: the caller sets `next` to null. Its workers are told to go by further actions. */
  | { readonly type: "abandon"; readonly generation: number };

export type DrainReason =
  | "surplus"
  | "idle"
  | "maxRequests"
  | "maxLifetime"
  | "maxMemory"
  | "oldGeneration"
  | "stopping";
export type KillReason = "startTimeout" | "stalled" | "gracefulTimeout" | "abandoned";
