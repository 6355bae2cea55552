/** Paste's translogger: a line for each request, in Apache's combined format or another. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { NodeHandler } from "../app/handler.ts";
import { clfTime } from "../logging/clf-time.ts";
import { escapeField, escapeWord } from "../logging/escape.ts";
import type { MountedRequest } from "./mount-point.ts";

export const COMBINED: string =
  '%(REMOTE_ADDR)s - %(REMOTE_USER)s [%(time)s] "%(REQUEST_METHOD)s %(REQUEST_URI)s %(HTTP_VERSION)s" ' +
  '%(status)s %(bytes)s "%(HTTP_REFERER)s" "%(HTTP_USER_AGENT)s"';

/** Fields that may have spaces: they stand in quotes or brackets. */
const SPACED: ReadonlySet<string> = new Set(["time", "HTTP_REFERER", "HTTP_USER_AGENT"]);

type Field = (request: MountedRequest, response: ServerResponse, begun: number) => unknown;

const FIELDS: Readonly<Record<string, Field>> = {
  REMOTE_ADDR: (request) => request.socket.remoteAddress,
  REMOTE_USER: (request) => request.cgi?.["REMOTE_USER"],
  time: (_request, _response, begun) => clfTime(begun).slice(1, -1),
  REQUEST_METHOD: (request) => request.method,
  REQUEST_URI: (request) => request.originalUrl ?? request.url,
  HTTP_VERSION: (request) => `HTTP/${request.httpVersion}`,
  status: (_request, response) => response.statusCode,
  bytes: (_request, response) => response.getHeader("content-length"),
  HTTP_REFERER: (request) => request.headers.referer,
  HTTP_USER_AGENT: (request) => request.headers["user-agent"],
};

/**
 * Writes a line when an answer is over. `bytes` is its Content-Length. What there is not is `-`; what a client has sent is
 * escaped.
 *
 * @throws RangeError for a field that there is not
 */
export function translogger(app: NodeHandler, format: string, write: (line: string) => void): NodeHandler {
  for (const [all, name] of format.matchAll(/%\((\w+)\)s/g)) {
    if (!Object.hasOwn(FIELDS, name!))
      throw new RangeError(`${all} is no field; there are ${Object.keys(FIELDS).join(", ")}`);
  }
  return (request: IncomingMessage, response) => {
    const begun = Date.now();
    response.once("close", () => {
      write(
        format.replace(/%\((\w+)\)s/g, (_all, name: string) => {
          const value = FIELDS[name]!(request, response, begun);
          if (value === undefined || value === "") return "-";
          return SPACED.has(name) ? escapeField(String(value)) : escapeWord(String(value));
        }),
      );
    });
    return app(request, response);
  };
}
