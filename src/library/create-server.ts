/** `createServer`, in node http's form and in node-fastcgi's, so that a user of either changes one import. */
import { fstatSync } from "node:fs";

import type { AuthorizerHandler, FetchObject, RequestHandler, ServerOptions } from "./options.ts";
import { fetchHandler } from "../app/fetch.ts";
import { Server } from "./server.ts";

type Handler = RequestHandler | FetchObject;

/**
 * Makes a server.
 *
 * - `createServer(handler, options)` and `createServer(options, handler)`, as node http and here;
 * - `createServer(responder, authorizer, filter, config)`, as node-fastcgi, each one optional.
 *
 * A handler is `(req, res)` or an object with `fetch(request)`.
 *
 * @example
 * ```ts
 * import { createServer } from "propylon";
 *
 * const server = createServer({ maxBodyBytes: 1024 ** 2 }, (req, res) => {
 *   res.setHeader("Content-Type", "text/plain; charset=utf-8");
 *   res.end(`You asked for ${req.url}\n`);
 * });
 * server.listen({ path: "/run/propylon/app.sock", group: "www-data" });
 * process.once("SIGTERM", () => server.close());
 * // GET /page: You asked for /page
 * ```
 *
 * @example An object with fetch
 * ```ts
 * import { createServer } from "propylon";
 *
 * const fetch = (request: Request) => new Response(`You asked for ${new URL(request.url).pathname}\n`);
 * createServer({ fetch }).listen("/run/propylon/app.sock");
 * // GET /page: You asked for /page
 * ```
 *
 * @throws ConfigError CONFIG_BAD_VALUE for an option out of its range, CONFIG_UNKNOWN_OPTION for one that is misspelt.
 */
export function createServer(handler?: Handler, options?: ServerOptions): Server;
export function createServer(options: ServerOptions, handler?: Handler): Server;
export function createServer(
  responder?: RequestHandler,
  authorizer?: AuthorizerHandler,
  filter?: RequestHandler,
  config?: ServerOptions,
): Server;
export function createServer(...args: readonly unknown[]): Server {
  const options = args.find((arg) => typeof arg === "object" && arg !== null && !isFetchObject(arg));
  const handlers = args.filter((arg) => arg !== options || arg === undefined);
  const server = new Server((options ?? {}) as ServerOptions);
  const [responder, authorizer, filter] = handlers;
  if (isFetchObject(responder))
    server.on(
      "request",
      fetchHandler((request, bindings) => responder.fetch(request, bindings)),
    );
  else if (typeof responder === "function") server.on("request", responder as RequestHandler);
  if (typeof authorizer === "function") server.on("authorize", authorizer as AuthorizerHandler);
  if (typeof filter === "function") server.on("filter", filter as RequestHandler);
  return server;
}

/** True if descriptor 0 is a socket: a web server has spawned this process, and `listen()` needs no address. */
export function isService(): boolean {
  try {
    return fstatSync(0).isSocket();
  } catch {
    return false;
  }
}

function isFetchObject(value: unknown): value is FetchObject {
  return typeof value === "object" && value !== null && typeof (value as { fetch?: unknown }).fetch === "function";
}
