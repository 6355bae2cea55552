/** Paste's translogger: a line for each request, in Apache's combined format or another. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { NodeHandler } from "../app/handler.ts";
import { clfTime } from "../logging/clf-time.ts";
import { escapeField, escapeWord } from "../logging/escape.ts";
import { type PercentFields, compilePercent } from "../logging/percent.ts";
import type { MountedRequest } from "./mount-point.ts";

/** What Apache writes where there is nothing. */
const NOTHING = "-";

export const COMBINED: string =
  '%(REMOTE_ADDR)s - %(REMOTE_USER)s [%(time)s] "%(REQUEST_METHOD)s %(REQUEST_URI)s %(HTTP_VERSION)s" ' +
  '%(status)s %(bytes)s "%(HTTP_REFERER)s" "%(HTTP_USER_AGENT)s"';

/** One request that is over. */
interface Entry {
  readonly request: MountedRequest;
  readonly response: ServerResponse;
  /** Milliseconds since 1970. */
  readonly begun: number;
  /** As the request came: apps move URLs, and a connection that is gone has no address. */
  readonly uri: string | undefined;
  readonly address: string | undefined;
}

const FIELDS: PercentFields<Entry> = {
  REMOTE_ADDR: ({ request, address }) => word(request.socket.remoteAddress ?? address),
  REMOTE_USER: ({ request }) => word(request.cgi?.["REMOTE_USER"]),
  // What may have spaces stands in quotes or brackets.
  time: ({ begun }) => clfTime(begun).slice(1, -1),
  REQUEST_METHOD: ({ request }) => word(request.method),
  REQUEST_URI: ({ request, uri }) => word(request.originalUrl ?? uri),
  HTTP_VERSION: ({ request }) => word(`HTTP/${request.httpVersion}`),
  status: ({ response }) => response.statusCode,
  bytes: ({ response }) => word(response.getHeader("content-length")?.toString()),
  HTTP_REFERER: ({ request }) => escapeField(request.headers.referer || NOTHING),
  HTTP_USER_AGENT: ({ request }) => escapeField(request.headers["user-agent"] || NOTHING),
};

/**
 * Writes a line when an answer is over. `bytes` is its Content-Length. What there is not is `-`; what a client has sent is
 * escaped.
 *
 * @param format - of Python's `%`, as `COMBINED`
 * @throws RangeError for a field that there is not
 */
export function translogger(app: NodeHandler, format: string, write: (line: string) => void): NodeHandler {
  const show = compilePercent(format, FIELDS);
  return (request: IncomingMessage, response) => {
    const entry = { request, response, begun: Date.now(), uri: request.url, address: request.socket.remoteAddress };
    response.once("close", () => write(show(entry)));
    return app(request, response);
  };
}

function word(value: string | undefined): string {
  return escapeWord(value || NOTHING);
}
