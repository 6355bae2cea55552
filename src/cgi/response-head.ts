/** From an HTTP/1.1 response head, as node's `ServerResponse` writes it, to a CGI header block (RFC 3875 section 6.2). */
import { ResponseError } from "../errors.ts";
import type { InterimHeads } from "./early-hints.ts";
import { reasonPhrase } from "./reason-phrases.ts";
import { SWITCHING_PROTOCOLS, upgradeFields } from "./upgrade.ts";

export interface CgiHead {
  readonly status: number;
  /** `Status` line first, CRLF line ends, blank line last; a character for each byte. "" for an interim head to drop. */
  readonly block: string;
  /** What the app promised, `undefined` where the end of the body alone tells. */
  readonly contentLength: number | undefined;
  /** For the log: what some web server may not take. */
  readonly warnings: readonly string[];
  /** How many characters of the text are the head; a body may follow. */
  readonly length: number;
}

export interface ResponseHeadOptions {
  /** In bytes. A longer block is refused, but for that of an interim head, which is for the caller to measure. */
  readonly maxResponseHeader: number;
  /**
   * The field by which the web server is told to send a file, `X-Sendfile: /srv/files/a`: the last of the block. What an
   * app sets of such fields by itself never passes, as it may have let a client choose the file. Default: none.
   */
  readonly sendfile?: string | null;
  /** The request's connection can be upgraded: a 101 is an answer. Default false. */
  readonly upgrade?: boolean;
  /** Those that the web server passes on and the client understands. Default "none". */
  readonly interim?: InterimHeads;
}

const CONTINUE = 100;
const EARLY_HINTS = 103;
const FIRST_FINAL_STATUS = 200;
/** nginx answers 502 to a head that overflows its `fastcgi_buffer_size`. */
const NGINX_BUFFER = 4096;
const NGINX_WARNING: readonly string[] = ["nginx's default fastcgi_buffer_size is 4 KiB"];
const NO_WARNINGS: readonly string[] = [];

/** A head as node's own checks leave it: nothing with a line end inside a header, or any other control, matches. */
const ASCII_HEAD = /HTTP\/1\.\d [1-5]\d\d[\t\x20-\x7e]*\r\n(?:[!-9;-~]+:[\t\x20-\x7e]*\r\n)*\r\n/y;
const STATUS_LINE = /^HTTP\/1\.\d [1-5]\d\d[\t\x20-\x7e\x80-\xff]*\r\n/;
const FIELDS = /^[^\n]*\n(?:[!-9;-~]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n$/;
const FIELD_NAMES = /(?<=\n)[^:\r\n]+(?=:)/g;
const HEAD_END = "\r\n\r\n";
const LENGTH = /^[ \t]*(?:0|[1-9]\d{0,15})[ \t]*$/;
/** X-Accel-Buffering names no file, it asks nginx to stream: it passes. */
const SENDFILE = /^x-(?:sendfile|lighttpd-|accel-(?!buffering:))/i;
const CONNECTION_VALUES = /^connection:(.*)\r$/gim;
const MAX_CONNECTION_FIELDS = 64;
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
 * Turns `HTTP/1.1 200 OK\r\nA: b\r\n\r\n`, which `text` begins with, into `Status: 200 OK\r\nA: b\r\n\r\n`. What
 * concerns the connection does not pass: hop-by-hop fields, those that the app's own Connection header names, chunked
 * framing, a `Status` header of the app. A local `Location` with status 200 becomes `Content-Location`, since Apache
 * would redirect internally (RFC 3875 section 6.2.2). A 101 says of the connection that it is upgraded, and to what.
 * Everything else keeps its order and spelling.
 *
 * @param encoding that of `text`: node writes its head together with a first chunk of text, in that chunk's encoding.
 * @throws ResponseError RESPONSE_BAD_HEAD: no status of 100-599, no blank line at the end, a line that is no field, a
 *   control character, a Content-Length that is no number or is given twice with different values.
 * @throws ResponseError RESPONSE_NO_UPGRADE: a 101 without `upgrade`.
 * @throws ResponseError RESPONSE_HEAD_TOO_LARGE: the block is larger than `maxResponseHeader`.
 */
export function cgiResponseHead(
  text: string,
  options: ResponseHeadOptions,
  encoding: BufferEncoding = "latin1",
): CgiHead {
  ASCII_HEAD.lastIndex = 0;
  const result = ASCII_HEAD.test(text)
    ? translate(text, ASCII_HEAD.lastIndex, options, NONE)
    : translateBytes(text, options, encoding);
  if (result.block.length > options.maxResponseHeader && !isInterim(result.status)) {
    const message = `${result.block.length} bytes, max_response_header is ${options.maxResponseHeader}`;
    throw new ResponseError("RESPONSE_HEAD_TOO_LARGE", message);
  }
  return result;
}

/** Whether an answer is only announced by it (RFC 9110 section 15.2); a 101 is one. */
export function isInterim(status: number): boolean {
  return status < FIRST_FINAL_STATUS && status !== SWITCHING_PROTOCOLS;
}

function translateBytes(text: string, options: ResponseHeadOptions, encoding: BufferEncoding): CgiHead {
  const length = text.indexOf(HEAD_END) + HEAD_END.length;
  if (length < HEAD_END.length) throw badHead("no blank line at its end");
  const head = Buffer.from(text.slice(0, length), encoding).toString("latin1");
  if (!STATUS_LINE.test(head)) throw badHead("no status of 100-599");
  if (!FIELDS.test(head)) throw badHead("a line that is no field, or a control character in one");
  return { ...translate(head, head.length, options, NONE), length };
}

/**
 * Translates the first `length` characters of `text`, which are a head. One scan: what stays is copied in runs, and a
 * name is looked at only where its length says that it may not stay.
 */
function translate(
  text: string,
  length: number,
  options: ResponseHeadOptions,
  connectionFields: ReadonlySet<string>,
): CgiHead {
  const status = Number(text.slice(9, 12));
  const upgraded = status === SWITCHING_PROTOCOLS;
  const interim = isInterim(status);
  if (upgraded && options.upgrade !== true) {
    throw new ResponseError("RESPONSE_NO_UPGRADE", "a 101 to a request whose connection cannot be upgraded");
  }
  // Whether the client is to go on with its body the web server has said.
  if (interim && (status === CONTINUE || !passes(status, options)))
    return { status, block: "", contentLength: undefined, warnings: NO_WARNINGS, length };
  let lineEnd = text.indexOf("\n") - 1;
  const reason = lineEnd > 13 ? text.slice(13, lineEnd) : reasonPhrase(status);
  let block = `Status: ${status} ${reason}`;
  let contentLength: number | undefined;
  // A run begins with the line end before its first line; what drops a line ends the run before that line's own start.
  let runStart = lineEnd;

  for (let start = lineEnd + 2; start < length - 2; start = lineEnd + 2) {
    lineEnd = text.indexOf("\n", start) - 1;
    const colon = text.indexOf(":", start);
    const letter = text.charCodeAt(start) | SMALL;
    let drop = connectionFields !== NONE && connectionFields.has(text.slice(start, colon).toLowerCase());
    switch (colon - start) {
      case 2: // TE
      case 6: // Status
      case 7: // Trailer, Upgrade
      case 16: // Proxy-Connection
      case 17: // Transfer-Encoding
        drop ||= NOT_FOR_CGI.has(text.slice(start, colon).toLowerCase());
        break;
      case 8:
        if (letter === LETTER_L && status === 200 && !drop && LOCAL_LOCATION.test(text.slice(start, lineEnd))) {
          block += `${text.slice(runStart, start)}Content-`;
          runStart = start;
        }
        break;
      case 10:
        if (letter === LETTER_C && isNamed(text, start, "Connection")) {
          drop = true;
          const value = text.slice(colon + 1, lineEnd);
          if (connectionFields === NONE && value !== " keep-alive" && value !== " close") {
            return translate(text, length, options, connectionFieldsOf(text.slice(0, length)));
          }
        } else if (letter === LETTER_K && isNamed(text, start, "Keep-Alive")) {
          drop = true;
        }
        break;
      case 14:
        if (letter === LETTER_C && isNamed(text, start, "Content-Length")) {
          if (interim) {
            drop = true;
            break;
          }
          const bytes = parseLength(text.slice(colon + 1, lineEnd));
          if (contentLength !== undefined && contentLength !== bytes) throw badHead("two different Content-Lengths");
          drop ||= contentLength !== undefined;
          contentLength = bytes;
        }
        break;
    }
    if (letter === LETTER_X) {
      drop ||= SENDFILE.test(text.slice(start, colon + 1));
    }
    if (drop) {
      block += text.slice(runStart, start - 2);
      runStart = lineEnd;
    }
  }
  block += text.slice(runStart, length);
  // lighttpd takes the names over into HTTP/2 as they are, where a capital letter ends the stream (RFC 9113 section 8.2.1).
  if (interim) block = block.replaceAll(FIELD_NAMES, (name) => name.toLowerCase());
  if (options.sendfile && !interim) block = `${block.slice(0, -2)}${options.sendfile}\r\n\r\n`;
  if (upgraded) {
    const fields = upgradeFields(text.slice(0, length));
    if (fields === "" || contentLength !== undefined) throw badHead("a 101 without Upgrade, or with a Content-Length");
    block = `${block.slice(0, -2)}${fields}\r\n`;
  }
  const warnings = block.length > NGINX_BUFFER && !interim ? NGINX_WARNING : NO_WARNINGS;
  return { status, block, contentLength, warnings, length };
}

function passes(status: number, { interim = "none" }: ResponseHeadOptions): boolean {
  return interim === "all" || (interim === "first" && status === EARLY_HINTS);
}

/** Whether the field at `start`, which is as long as `name`, is called so. Mostly it is spelled so, too. */
function isNamed(text: string, start: number, name: string): boolean {
  return text.startsWith(name, start) || text.slice(start, start + name.length).toLowerCase() === name.toLowerCase();
}

/** The fields that the Connection headers of `head` make hop-by-hop (RFC 9110 section 7.6.1), in small letters. */
function connectionFieldsOf(head: string): ReadonlySet<string> {
  const values = [...head.matchAll(CONNECTION_VALUES)].map((match) => match[1]!);
  const tokens = values.join(",").toLowerCase().split(",", MAX_CONNECTION_FIELDS);
  return new Set(tokens.map((token) => token.trim()));
}

function parseLength(text: string): number {
  if (!LENGTH.test(text))
    throw badHead(`Content-Length ${JSON.stringify(text.slice(0, 32))}, which is no number of bytes`);
  return Number(text);
}

function badHead(message: string): ResponseError {
  return new ResponseError("RESPONSE_BAD_HEAD", `the response head has ${message}`);
}
