/** Whatever an app is made with, as a handler `(req, res)`. */
import { type AdaptOptions, type AppHandler, adaptApp } from "./adapt.ts";
import { fetchHandler } from "./fetch.ts";
import type { NodeHandler } from "./handler.ts";

/** @throws ConfigError APP_WRONG_EXPORT, as `adaptApp` */
export async function nodeHandler(app: unknown, options: AdaptOptions): Promise<NodeHandler> {
  return handlerOf(await adaptApp(app, options));
}

export function handlerOf(app: AppHandler): NodeHandler {
  return app.kind === "fetch" ? fetchHandler(app.fetch) : app.handler;
}
