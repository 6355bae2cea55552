/** What an app wants done when a worker begins and ends: open a database, close it. */

export interface WorkerInfo {
  /** Never given twice by one server; 0 where the app runs beside the sockets, without workers. */
  readonly id: number;
  readonly generation: number;
  readonly mode: "single" | "thread" | "fork";
}

export type WorkerHook = (worker: WorkerInfo) => unknown;

interface Registry {
  readonly start: WorkerHook[];
  readonly stop: WorkerHook[];
}

/** An app may have another copy of this package than the server that runs it; both must see the same hooks. */
const REGISTRY = Symbol.for("propylon.workerHooks");

/**
 * Calls `hook` when the app is loaded and before the worker gets its first request, which it gets once a promise that
 * `hook` returned is fulfilled. A rejection, or a throw, is a failure of the app to start.
 *
 * @example
 * ```ts
 * import { onWorkerStart, onWorkerStop, serve } from "propylon";
 *
 * onWorkerStart(({ id, mode }) => console.log(`worker ${id}, ${mode}: opens its database`)); // worker 0, single: opens its database
 * onWorkerStop(() => console.log("closes it")); // closes it
 *
 * const server = await serve({ app: "call:./app.js:makeApp", mode: "single", socket: "/run/propylon/app.sock" });
 * await server.close();
 * ```
 */
export function onWorkerStart(hook: WorkerHook): void {
  registry().start.push(hook);
}

/**
 * Calls `hook` when the worker has answered its last request, and awaits what it returns, within `graceful_timeout`.
 * Not called for a worker that is ended by force.
 */
export function onWorkerStop(hook: WorkerHook): void {
  registry().stop.push(hook);
}

/** In the order in which they were given, each after the one before. @throws what a hook throws */
export async function runStartHooks(worker: WorkerInfo): Promise<void> {
  for (const hook of registry().start) await hook(worker);
}

/** Last given, first called, and all of them: what one throws is handed to `failed`. */
export async function runStopHooks(worker: WorkerInfo, failed: (error: unknown) => void): Promise<void> {
  for (const hook of registry().stop.toReversed()) {
    try {
      await hook(worker);
    } catch (error) {
      failed(error);
    }
  }
}

function registry(): Registry {
  const realm = globalThis as { [REGISTRY]?: Registry };
  return (realm[REGISTRY] ??= { start: [], stop: [] });
}
