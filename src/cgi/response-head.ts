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
const NGINX_WARNING: readonly string[] = ["nginx's default fastcgi_buffer_size is 4 KiB"];
const NO_WARNINGS: readonly string[] = [];

/** Lines as node's own checks leave them. A header with a line end inside it, or any other control, does not match. */
const LINES = /^(?:[\t\x20-\x7e\x80-\xff]*\r\n)*$/;
const LENGTH = /^[ \t]*(?:0|[1-9]\d{0,15})[ \t]*$/;
const STATUS_LINE = /^HTTP\/1\.\d \d{3}/;
/** X-Accel-Buffering names no file, it asks nginx to stream: it passes. */
const SENDFILE = /^x-(?:sendfile|lighttpd-|accel-(?!buffering:))/i;
const LOCAL_LOCATION = /^location:[ \t]*\//i;
/** Hop-by-hop, or CGI's own. Connection, Keep-Alive and Content-Length have rules of their own below. */
const NOT_FOR_CGI: ReadonlySet<string> = new Set([
  "proxy-connection",
  "status",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const NONE: ReadonlySet<string> = new Set();

/** Makes a capital letter a small one. */
const SMALL = 0x20;
const LETTER_C = 0x63;
const LETTER_K = 0x6b;
const LETTER_L = 0x6c;
const LETTER_X = 0x78;

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

/** One scan: what stays is copied in runs, and a name is looked at only where its length says that it may not stay. */
function translate(head: string, options: ResponseHeadOptions, named: ReadonlySet<string>): CgiHead {
  const status = STATUS_LINE.test(head) ? Number(head.slice(9, 12)) : 0;
  if (status < 100 || status > 599) throw badHead("no status of 100-599");
  if (!LINES.test(head)) throw badHead("a control character or a line end inside a line");

  let lineEnd = head.indexOf("\r\n");
  const reason = lineEnd > 13 ? head.slice(13, lineEnd) : reasonPhrase(status);
  let block = `Status: ${status} ${reason}`;
  let contentLength: number | undefined;
  // A run begins with the line end before its first line; what drops a line ends the run before that line's own start.
  let runStart = lineEnd;

  for (let start = lineEnd + 2; ; start = lineEnd + 2) {
    lineEnd = head.indexOf("\n", start) - 1;
    if (lineEnd <= start) break;
    const colon = head.indexOf(":", start);
    const letter = head.charCodeAt(start) | SMALL;
    let drop = named !== NONE && named.has(nameOf(head, start, colon));
    switch (colon - start) {
      case 2: // TE
      case 6: // Status
      case 7: // Trailer, Upgrade
      case 16: // Proxy-Connection
      case 17: // Transfer-Encoding
        drop ||= NOT_FOR_CGI.has(nameOf(head, start, colon));
        break;
      case 8:
        if (letter === LETTER_L && status === 200 && !drop && LOCAL_LOCATION.test(head.slice(start, lineEnd))) {
          block += `${head.slice(runStart, start)}Content-`;
          runStart = start;
        }
        break;
      case 10: {
        if (letter !== LETTER_C && letter !== LETTER_K) break;
        const name = nameOf(head, start, colon);
        if (name === "connection") {
          drop = true;
          const value = head.slice(colon + 1, lineEnd);
          if (named === NONE && value !== " keep-alive" && value !== " close") {
            return translate(head, options, fieldsNamedIn(value));
          }
        } else if (name === "keep-alive") {
          drop = true;
        }
        break;
      }
      case 14:
        if (letter === LETTER_C && nameOf(head, start, colon) === "content-length") {
          const length = parseLength(head.slice(colon + 1, lineEnd));
          if (contentLength !== undefined && contentLength !== length) throw badHead("two different Content-Lengths");
          drop ||= contentLength !== undefined;
          contentLength = length;
        }
        break;
    }
    if (letter === LETTER_X && options.allowSendfile !== true) {
      drop ||= SENDFILE.test(head.slice(start, colon + 1));
    }
    if (drop) {
      block += head.slice(runStart, start - 2);
      runStart = lineEnd;
    }
  }
  if (lineEnd < 0) throw badHead("no blank line at its end");
  block += head.slice(runStart, lineEnd + 2);
  return { status, block, contentLength, warnings: block.length > NGINX_BUFFER ? NGINX_WARNING : NO_WARNINGS };
}

function nameOf(head: string, start: number, colon: number): string {
  return head.slice(start, colon).toLowerCase();
}

/** The fields that a Connection header makes hop-by-hop (RFC 9110 section 7.6.1), in small letters. */
function fieldsNamedIn(value: string): ReadonlySet<string> {
  return new Set(
    value
      .toLowerCase()
      .split(",", 64)
      .map((token) => token.trim()),
  );
}

function parseLength(text: string): number {
  if (!LENGTH.test(text))
    throw badHead(`Content-Length ${JSON.stringify(text.slice(0, 32))}, which is no number of bytes`);
  return Number(text);
}

function badHead(message: string): ResponseError {
  return new ResponseError("RESPONSE_BAD_HEAD", `the response head has ${message}`);
}
