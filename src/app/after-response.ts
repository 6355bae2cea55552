/** What an app does once its answer is with the web server: nobody waits for it but a server that ends. */
import { AsyncResource } from "node:async_hooks";
import type { ServerResponse } from "node:http";

import { AFTER } from "./exchange-socket.ts";
import { asError } from "./thrown.ts";

/** An app may have another copy of this package than the server that runs it; both must see the same hooks. */
const UNDERWAY = Symbol.for("propylon.afterResponse");

/**
 * Calls `hook` when the answer is over: the web server has all of it, its end included, and so has the client, as far as
 * the web server hands it on. The request does not count as in hand any more. It is called too where the client has left
 * or the app has failed, at once where the answer is over already, and in the context (`AsyncLocalStorage`,
 * `requestContext()`) of who calls this. Several of one answer are called in their order, each when what the one before
 * has returned is fulfilled. What one throws or rejects with is logged, and hurts nobody.
 *
 * A worker that ends, and a server that is closed or gets SIGTERM, waits for them within `graceful_timeout`; the library's
 * `server.close()` does not. They are lost with a process that is killed: what must not be lost belongs into a queue that
 * lasts. A hook that blocks its thread holds up the thread's other requests as any code does.
 *
 * @example
 * ```ts
 * import { afterResponse, createServer } from "propylon";
 *
 * const visits = new Map<string, number>();
 * const server = createServer((req, res) => {
 *   const page = req.url ?? "/";
 *   // Here mail may be sent as well, or a cache be filled.
 *   afterResponse(res, () => visits.set(page, (visits.get(page) ?? 0) + 1));
 *   res.end("Thank you\n");
 * });
 * server.listen("/run/propylon/app.sock");
 * process.once("SIGTERM", () => server.close());
 * // GET /: Thank you
 * ```
 */
export function afterResponse(response: ServerResponse, hook: () => unknown): void {
  const bound = AsyncResource.bind(hook);
  const socket = response.req.socket as { [AFTER]?: (hook: () => unknown) => void };
  if (socket[AFTER] !== undefined) socket[AFTER](bound);
  else keepTrack(afterClose(response, bound));
}

/** Behind node's own server, for development. */
async function afterClose(response: ServerResponse, hook: () => unknown): Promise<void> {
  if (!response.closed) await new Promise((resolve) => response.once("close", resolve));
  await new Promise((resolve) => setImmediate(resolve));
  try {
    await hook();
  } catch (error) {
    process.emitWarning(asError(error));
  }
}

/** `task` never rejects. */
export function keepTrack(task: Promise<void>): void {
  const tasks = underway();
  tasks.add(task);
  void task.then(() => tasks.delete(task));
}

/** Resolves when all hooks are over, or after `limit` milliseconds, with the number of those that are not. */
export async function hooksAfterResponses(limit: number): Promise<number> {
  const tasks = underway();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<true>((resolve) => (timer = setTimeout(resolve, limit, true)));
  try {
    // One may have given another.
    while (tasks.size > 0 && (await Promise.race([Promise.all(tasks), late])) !== true);
    return tasks.size;
  } finally {
    clearTimeout(timer);
  }
}

function underway(): Set<Promise<void>> {
  const realm = globalThis as { [UNDERWAY]?: Set<Promise<void>> };
  return (realm[UNDERWAY] ??= new Set());
}
