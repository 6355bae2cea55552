/** Whatever an app is made with, as a handler `(req, res)`. */
import { type AdaptOptions, adaptApp } from "./adapt.ts";
import { fetchHandler } from "./fetch.ts";
import type { NodeHandler } from "./handler.ts";

/** @throws ConfigError APP_WRONG_EXPORT, as `adaptApp` */
export async function nodeHandler(app: unknown, options: AdaptOptions): Promise<NodeHandler> {
  const adapted = await adaptApp(app, options);
  return adapted.kind === "fetch" ? fetchHandler(adapted.fetch) : adapted.handler;
}
