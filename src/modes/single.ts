/** Single mode: the app runs in this thread, its host is the dispatcher. */
import { AppHost } from "../app/host.ts";
import type { AppHostOptions } from "../app/host.ts";
import type { Dispatcher } from "../exchange.ts";

export function singleMode(options: AppHostOptions): Dispatcher {
  return new AppHost(options);
}
