/** A dispatcher before another one: lays variables over those of each request, as flup's `environ` does. */
import { overlay } from "../cgi/overlay.ts";
import type { Dispatcher } from "../exchange.ts";

/** `environ` gives texts; variables are bytes, one character for each. */
export function withEnviron(dispatcher: Dispatcher, environ: Readonly<Record<string, string>>): Dispatcher {
  const over = new Map(Object.entries(environ).map(([name, value]) => [name, Buffer.from(value).toString("latin1")]));
  return {
    dispatch: (head, response) => dispatcher.dispatch({ ...head, params: overlay(head.params, over) }, response),
  };
}
