/** What a request's variables say of answers before its answer (1xx, RFC 9110 section 15.2). */
import type { Params } from "../exchange.ts";
import { variable } from "./variables.ts";

/** Web servers that take the first head for the answer, over FastCGI and SCGI; over AJP none gives its name. */
const BREAKS_ANSWERS = /^(?:Apache|nginx|Caddy|h2o|HAProxy)\b/;

/** Of answers before the answer: all, the first 103 alone, or none. */
export type InterimHeads = "all" | "first" | "none";

/**
 * What may be sent of them, as far as the variables tell. Of a web server with another
 * name the option `early_hints` is believed. A client of HTTP/1.0 knows none. Of one that speaks HTTP/2 lighttpd garbles
 * the answer where two come together (seen with 1.4.69 and 1.4.79), and browsers heed the first alone.
 */
export function hintsAllowed(params: Params): InterimHeads {
  const protocol = variable(params, "SERVER_PROTOCOL") ?? "";
  if (protocol === "HTTP/1.0" || BREAKS_ANSWERS.test(variable(params, "SERVER_SOFTWARE") ?? "")) return "none";
  return protocol.startsWith("HTTP/2") ? "first" : "all";
}
