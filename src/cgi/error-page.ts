/** The answers that the gateway gives in its own name, when no app does. */
import { reasonPhrase } from "./reason-phrases.ts";

/** A whole answer: the CGI header block, `Status` line first and blank line last, then the body, both ASCII. */
export interface ErrorAnswer {
  block: string;
  body: string;
}

/**
 * The answer of the gateway for `status` (400, 408, 413, 431, 500, 502, 503, 504 …). It tells the client the status in
 * plain text and nothing more: what happened is for the log. `extraHeaders` are ours, not a client's, and go in as they
 * are. Where a body must not follow (HEAD), leave it out and send the block alone. `detail` is for development: ASCII
 * text that follows the title.
 */
export function errorAnswer(
  status: number,
  extraHeaders: readonly (readonly [name: string, value: string])[] = [],
  detail = "",
): ErrorAnswer {
  const title = `${status} ${reasonPhrase(status)}`;
  const body = detail === "" ? `${title}\n` : `${title}\n\n${detail}\n`;
  const extra = extraHeaders.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const block =
    `Status: ${title}\r\n` +
    "Content-Type: text/plain; charset=utf-8\r\n" +
    "X-Content-Type-Options: nosniff\r\n" +
    `Content-Length: ${body.length}\r\n${extra}\r\n`;
  return { block, body };
}
