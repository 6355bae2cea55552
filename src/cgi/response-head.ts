/** From an HTTP/1.1 response head, as node's `ServerResponse` writes it, to a CGI header block (RFC 3875 section 6.2). */
import { ResponseError } from "../errors.ts";
import { reasonPhrase } from "./reason-phrases.ts";

export interface CgiHead {
  /** 200-599 is final; under 200 it is an interim head, which no web server but lighttpd relays: drop it. */
  readonly status: number;
  /** `Status` line first, CRLF line ends, blank line last; a character for each byte. */
  readonly block: string;
  /** What the app promised, `undefined` where the end of the body alone tells. */
  readonly contentLength: number | undefined;
  /** For the log: what some web server may not take. */
  readonly warnings: readonly string[];
}

export interface ResponseHeadOptions {
  /** In bytes. A longer block is refused. */
  readonly maxResponseHeader: number;
  /**
   * Lets `X-Sendfile`, `X-Accel-Redirect` and their like pass, by which a web server sends a file of its own choice of
   * rights: for an app that means it. Default false.
   */
  readonly allowSendfile?: boolean;
}

/** nginx answers 502 to a head that overflows its `fastcgi_buffer_size`. */
const NGINX_BUFFER = 4096;
const NGINX_WARNING = "nginx's default fastcgi_buffer_size is 4 KiB";
const NO_WARNINGS: readonly string[] = [];

/** What node lets into no head, and what would end a line or the block early if it came. */
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/;
const LENGTH = /^(?:0|[1-9]\d{0,15})$/;
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "status",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** The name ends where a colon or, for the two families, anything follows. X-Accel-Buffering only asks for streaming. */
const SENDFILE = /^x-(?:sendfile|lighttpd-|accel-(?!buffering:))/i;
const CONNECTION_OPTIONS: ReadonlySet<string> = new Set(["", "close", "keep-alive"]);
const NONE: ReadonlySet<string> = new Set();

/**
 * Turns `HTTP/1.1 200 OK\r\nA: b\r\n\r\n` into `Status: 200 OK\r\nA: b\r\n\r\n`. What concerns the connection does not
 * pass: hop-by-hop fields, those that the app's own Connection header names, chunked framing, a `Status` header of the
 * app. A local `Location` with status 200 becomes `Content-Location`, since Apache would redirect internally (RFC 3875
 * section 6.2.2). Everything else keeps its order and spelling.
 *
 * @throws ResponseError RESPONSE_BAD_HEAD: no status of 100-599, no blank line at the end, a control character, a
 *   Content-Length that is no number or is given twice with different values.
 * @throws ResponseError RESPONSE_HEAD_TOO_LARGE: the block is larger than `maxResponseHeader`.
 */
export function cgiResponseHead(head: string, options: ResponseHeadOptions): CgiHead {
  const result = translate(head, options, NONE);
  if (result.block.length > options.maxResponseHeader) {
    const message = `${result.block.length} bytes, max_response_header is ${options.maxResponseHeader}`;
    throw new ResponseError("RESPONSE_HEAD_TOO_LARGE", message);
  }
  return result;
}

/** One scan: lines that stay are copied in runs, and a line is looked at closely only where its first letter says so. */
function translate(head: string, options: ResponseHeadOptions, named: ReadonlySet<string>): CgiHead {
  if (FORBIDDEN.test(head)) throw badHead("a control character or a line end inside a line");
  const status = Number(head.slice(9, 12));
  if (!head.startsWith("HTTP/1.") || !(status >= 100 && status <= 599)) throw badHead("no status of 100-599");

  let lineEnd = head.indexOf("\r\n");
  const reason = lineEnd > 13 ? head.slice(13, lineEnd) : reasonPhrase(status);
  let block = `Status: ${status} ${reason}`;
  let contentLength: number | undefined;
  let keptFrom = lineEnd;

  for (let start = lineEnd + 2; ; start = lineEnd + 2) {
    lineEnd = head.indexOf("\r\n", start);
    if (lineEnd < 0) throw badHead("no blank line at its end");
    if (lineEnd === start) break;
    let drop = false;
    // Bit 5 makes the letter small.
    switch (head.charCodeAt(start) | 0x20) {
      case 0x63: // c
      case 0x6b: // k
      case 0x70: // p
      case 0x73: // s
      case 0x74: // t
      case 0x75: {
        // u
        const name = head.slice(start, head.indexOf(":", start)).toLowerCase();
        if (name === "content-length") {
          const length = parseLength(head.slice(start + 15, lineEnd).trim());
          if (contentLength !== undefined && contentLength !== length) throw badHead("two different Content-Lengths");
          drop = contentLength !== undefined;
          contentLength = length;
        } else if (name === "connection" && named === NONE) {
          const more = namedFields(head.slice(start + 11, lineEnd));
          if (more.size > 0) return translate(head, options, more);
          drop = true;
        } else {
          drop = HOP_BY_HOP.has(name);
        }
        break;
      }
      case 0x6c: // l
        if (status === 200 && !named.has("location") && /^location:[ \t]*\//i.test(head.slice(start, lineEnd))) {
          block += `${head.slice(keptFrom, start)}Content-`;
          keptFrom = start;
        }
        break;
      case 0x78: // x
        drop = options.allowSendfile !== true && SENDFILE.test(head.slice(start, lineEnd));
        break;
    }
    if (drop || (named !== NONE && named.has(head.slice(start, head.indexOf(":", start)).toLowerCase()))) {
      // The run leaves out the CRLF before this line: the one after the line takes its place.
      block += head.slice(keptFrom, start - 2);
      keptFrom = lineEnd;
    }
  }
  block += head.slice(keptFrom, lineEnd + 2);
  const warnings = block.length > NGINX_BUFFER ? [NGINX_WARNING] : NO_WARNINGS;
  return { status, block, contentLength, warnings };
}

/** The fields that a Connection header makes hop-by-hop, in small letters. */
function namedFields(value: string): ReadonlySet<string> {
  const tokens = value.toLowerCase().split(",", 64);
  return new Set(tokens.map((token) => token.trim()).filter((token) => !CONNECTION_OPTIONS.has(token)));
}

function parseLength(text: string): number {
  if (!LENGTH.test(text)) throw badHead(`Content-Length ${JSON.stringify(text.slice(0, 32))} is no number of bytes`);
  return Number(text);
}

function badHead(message: string): ResponseError {
  return new ResponseError("RESPONSE_BAD_HEAD", `the response head has ${message}`);
}
