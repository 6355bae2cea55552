/** Recognises what an app is made with, by evidence, and gives the one form in which the host runs it. */
import { type IncomingMessage, Server, type ServerResponse } from "node:http";

import { ConfigError } from "../errors.ts";
import type { UpgradeListener } from "./handler.ts";

/** An app in the form that the host runs. */
export type AppHandler = (
  | { readonly kind: "node"; readonly handler: (request: IncomingMessage, response: ServerResponse) => unknown }
  | { readonly kind: "fetch"; readonly fetch: (request: Request) => Response | Promise<Response> }
) & {
  /** For apps that may take upgrades. */
  readonly upgrade?: UpgradeListener;
};

export interface AdaptOptions {
  /** What errors call the app: its file and export. */
  readonly where: string;
}

/** The marks by which frameworks are told apart. */
interface Marks {
  readonly ready?: unknown;
  readonly routing?: unknown;
  readonly callback?: unknown;
  readonly fetch?: unknown;
  readonly handle?: unknown;
  readonly server?: unknown;
  readonly upgrade?: unknown;
  readonly default?: unknown;
}

/**
 * Takes a function `(req, res)`, an app of Express, Connect, Koa, Fastify or Hono, anything else with `fetch(request)`,
 * an `http.Server` that does not listen, or an object that has one of these as its `default`. Upgrades are for the
 * listeners of an `http.Server`, the app's own or its `server` (Fastify), or else for its method
 * `upgrade(req, socket, head)`.
 *
 * @throws ConfigError APP_WRONG_EXPORT saying what was found instead
 */
export async function adaptApp(value: unknown, { where }: AdaptOptions): Promise<AppHandler> {
  const app = await value;
  if (app instanceof Server) {
    if (app.listenerCount("request") === 0) wrong(where, "an http.Server without a request listener");
    return {
      kind: "node",
      handler: (request, response) => app.emit("request", request, response),
      upgrade: listener(app),
    };
  }
  const marks = marksOf(app);
  if (isCallable(marks.ready) && isCallable(marks.routing)) {
    await marks.ready.call(app);
    // Only after ready() has run all plugins; routing is then bound to this app.
    return withUpgrade({ kind: "node", handler: marks.routing }, marks, app);
  }
  if (typeof app === "object" && isCallable(marks.callback)) {
    return withUpgrade({ kind: "node", handler: marks.callback.call(app) as NodeFunction }, marks, app);
  }
  if (isCallable(marks.fetch)) {
    return withUpgrade({ kind: "fetch", fetch: marks.fetch.bind(app) as FetchFunction }, marks, app);
  }
  if (isClass(app)) wrong(where, `the class ${app.name}; an instance was expected`);
  if (typeof app === "function") return withUpgrade({ kind: "node", handler: app as NodeFunction }, marks, app);
  if (typeof app === "object" && app !== null && marks.default !== undefined) {
    return await adaptApp(marks.default, { where });
  }
  return wrong(where, describeValue(app));
}

/**
 * True for what is an app beyond doubt. A plain function is not: it may be a handler or a factory, and nothing but the
 * way it is named in the configuration tells which.
 */
export function isReadyApp(value: unknown): boolean {
  if (value instanceof Server) return true;
  const { ready, routing, callback, fetch, handle } = marksOf(value);
  if (isCallable(fetch) || (isCallable(ready) && isCallable(routing))) return true;
  return typeof value === "function" ? isCallable(handle) : isCallable(callback);
}

/** What a value is, in the words of an error message. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (isClass(value)) return `the class ${value.name}`;
  if (typeof value === "function") return `a function ${value.name}(${value.length} parameters)`;
  if (typeof value !== "object") return `the ${typeof value} ${JSON.stringify(value) ?? String(value)}`;
  const keys = Object.keys(value).slice(0, 8).join(", ");
  const { name = "Object" } = (value.constructor ?? {}) as { name?: string };
  return `an ${name} with ${keys === "" ? "no properties" : keys}`;
}

function withUpgrade(handler: AppHandler, { upgrade, server }: Marks, app: unknown): AppHandler {
  if (isCallable(upgrade)) {
    return { ...handler, upgrade: { wanted: () => true, call: (...args) => upgrade.call(app, ...args) } };
  }
  return server instanceof Server ? { ...handler, upgrade: listener(server) } : handler;
}

function listener(server: Server): UpgradeListener {
  return {
    wanted: () => server.listenerCount("upgrade") > 0,
    call: (...args) => server.emit("upgrade", ...args),
  };
}

type Callable = (...args: unknown[]) => unknown;
type NodeFunction = Extract<AppHandler, { kind: "node" }>["handler"];
type FetchFunction = Extract<AppHandler, { kind: "fetch" }>["fetch"];

function marksOf(value: unknown): Marks {
  return (typeof value === "object" || typeof value === "function") && value !== null ? value : {};
}

function isCallable(value: unknown): value is Callable {
  return typeof value === "function";
}

function isClass(value: unknown): value is new () => unknown {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

function wrong(where: string, found: string): never {
  const expected =
    "a function (req, res), an app of Express, Connect, Koa, Fastify or Hono, an object with fetch(request)";
  throw new ConfigError("APP_WRONG_EXPORT", `${where} gives ${found}; expected ${expected} or an http.Server`);
}
