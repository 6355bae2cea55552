/** What a request's variables say of answers before its answer (1xx, RFC 9110 section 15.2). */
import type { Params } from "../exchange.ts";
import { variable } from "./variables.ts";

/** Web servers that take the first head for the answer, over FastCGI and SCGI; over AJP none gives its name. */
const BREAKS_ANSWERS = /^(?:Apache|nginx|Caddy|h2o|HAProxy)\b/;

/**
 * Whether they may be sent, as far as the variables tell. Of a web server with another name the option `early_hints` is
 * believed. A client of HTTP/1.0 knows none.
 */
export function mayHint(params: Params): boolean {
  if (variable(params, "SERVER_PROTOCOL") === "HTTP/1.0") return false;
  return !BREAKS_ANSWERS.test(variable(params, "SERVER_SOFTWARE") ?? "");
}
