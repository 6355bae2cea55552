/** Tells code anywhere below a handler which request it works for. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage } from "node:http";

export interface RequestContext {
  /** As in the access log and in the lines of a failure. */
  readonly id: string;
  readonly request: IncomingMessage;
}

/** An app may have another copy of this package than the server that runs it; both must see the same requests. */
const STORAGE = Symbol.for("propylon.requestContext");

/**
 * The request that the caller works for; undefined outside of one, and without the option `request_context`.
 *
 * @example
 * ```ts
 * import { createServer, requestContext } from "propylon";
 *
 * // Far below the handler.
 * async function whoAsks(): Promise<string> {
 *   return requestContext()?.request.url ?? "nobody";
 * }
 *
 * const server = createServer({ requestContext: true }, async (_req, res) => res.end(await whoAsks()));
 * server.listen("/run/propylon/app.sock");
 * // GET /page: /page
 * ```
 */
export function requestContext(): RequestContext | undefined {
  return (globalThis as { [STORAGE]?: AsyncLocalStorage<RequestContext> })[STORAGE]?.getStore();
}

/** Calls `call` so that all it begins sees `context`. */
export function runInContext<T>(context: RequestContext, call: () => T): T {
  const realm = globalThis as { [STORAGE]?: AsyncLocalStorage<RequestContext> };
  return (realm[STORAGE] ??= new AsyncLocalStorage()).run(context, call);
}
