/** From CGI variables to the head of an HTTP request, as node's own parser would have told it. */
import { RequestError } from "../errors.ts";
import type { Params } from "../exchange.ts";
import { type BodyVariables, type ClientFraming, framingHeaders } from "./body-framing.ts";
import { type HeaderName, type HeaderRule, headerName } from "./header-names.ts";
import { type Mount, reconcileTarget } from "./mount.ts";
import { valueAt } from "./variables.ts";

export interface RequestLine {
  method: string;
  /** Path and query below the mount, undecoded. Begins with `/`, or is `*`. */
  url: string;
  /** The mount as this URL spells it, "" at the root. */
  baseUrl: string;
  /** REQUEST_URI, or mount and `url` in one where that is stale. */
  originalUrl: string;
  /** "1.1", or "1.0" if the client said so. HTTP/2 and HTTP/3 are between client and web server: "1.1". */
  httpVersion: string;
  httpVersionMajor: number;
  httpVersionMinor: number;
}

export interface HeaderOptions {
  /**
   * What to do when a header that apps take for the front's word comes twice, since a client can spell it with an
   * underscore where some fronts let that pass: X-Forwarded-*, Forwarded, Remote-*, X-Auth-*, X-Real-IP, Authorization,
   * Host. `merge` (default): as node joins any repeat. `drop`: none of them reaches the app. `refuse`: 400.
   */
  conflictingHeaders: "merge" | "drop" | "refuse";
}

export interface RequestHeaders {
  /** Name, value, name, value …, each repeat by itself. Names in conventional capitals: the client's are not known. */
  readonly rawHeaders: string[];
  /** Names in small letters, repeats joined as `http.IncomingMessage` does. */
  readonly headers: Record<string, string | string[]>;
}

const LETTER_H = 0x48;
const SLASH = 0x2f;
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/;

/**
 * Method, address and version.
 *
 * @param mount `auto`, `/` or `/james`, see {@link Mount}.
 * @throws RequestError CGI_BAD_METHOD: REQUEST_METHOD is absent or no token of 1-32 characters (RFC 9110 section 9.1).
 * @throws RequestError CGI_BAD_TARGET: no variable gives a path, the path does not begin with `/`, or it has a NUL.
 */
export function requestLine(params: Params, mount: string): RequestLine {
  const { block, offsets, base, count } = params;
  let method: string | undefined;
  let protocol: string | undefined;
  let scriptName: string | undefined;
  let pathInfo: string | undefined;
  let requestUri: string | undefined;
  let queryString: string | undefined;
  let documentUri: string | undefined;
  let scriptFilename: string | undefined;
  // One scan finds all eight, from the end since the last of a repeated variable counts. Length and one telling letter
  // rule nearly all other names out before a comparison.
  for (let at = base + 4 * (count - 1); at >= base; at -= 4) {
    const start = offsets[at] as number;
    const end = offsets[at + 1] as number;
    switch (end - start) {
      case 9:
        if (block[start] === "P" && block.slice(start, end) === "PATH_INFO") pathInfo ??= valueAt(params, at);
        break;
      case 11:
        if (block[start + 8] === "U") {
          if (block.slice(start, end) === "REQUEST_URI") requestUri ??= valueAt(params, at);
        } else if (block[start + 1] === "C") {
          if (block.slice(start, end) === "SCRIPT_NAME") scriptName ??= valueAt(params, at);
        }
        break;
      case 12:
        if (block[start] === "Q") {
          if (block.slice(start, end) === "QUERY_STRING") queryString ??= valueAt(params, at);
        } else if (block[start] === "D") {
          if (block.slice(start, end) === "DOCUMENT_URI") documentUri ??= valueAt(params, at);
        }
        break;
      case 14:
        if (block[start + 8] === "M" && block.startsWith("REQUEST_METHOD", start)) method ??= valueAt(params, at);
        break;
      case 15:
        if (block[start + 7] === "P") {
          if (block.startsWith("SERVER_PROTOCOL", start)) protocol ??= valueAt(params, at);
        } else if (block[start + 7] === "F") {
          if (block.startsWith("SCRIPT_FILENAME", start)) scriptFilename ??= valueAt(params, at);
        }
        break;
    }
  }
  if (method !== "GET" && (method === undefined || !METHOD.test(method))) {
    throw new RequestError("CGI_BAD_METHOD", 400, `REQUEST_METHOD is ${quote(method)}, expected a method name`);
  }
  const told = scriptName ?? pathInfo ?? documentUri;
  if (requestUri === undefined && told === undefined) {
    throw new RequestError("CGI_BAD_TARGET", 400, "neither REQUEST_URI nor SCRIPT_NAME nor PATH_INFO was sent");
  }
  if (requestUri?.includes("\0") || scriptName?.includes("\0") || pathInfo?.includes("\0")) {
    throw new RequestError("CGI_BAD_TARGET", 400, "the path has a NUL in it");
  }
  const vars = { scriptName, pathInfo, requestUri, queryString, documentUri, scriptFilename };
  const { url, baseUrl, originalUrl } = reconcileTarget(vars, mount as Mount);
  if ((baseUrl || url).charCodeAt(0) !== SLASH && url !== "*") {
    throw new RequestError("CGI_BAD_TARGET", 400, `REQUEST_URI is ${quote(requestUri)}, expected a path`);
  }
  const minor = protocol === "HTTP/1.0" ? 0 : 1;
  const httpVersion = minor === 0 ? "1.0" : "1.1";
  return { method, url, baseUrl, originalUrl, httpVersion, httpVersionMajor: 1, httpVersionMinor: minor };
}

/** The headers of the last request in their order: web servers send the same names in the same places. */
const places: HeaderName[] = [];
const MAX_PLACES = 64;

function headerAt(block: string, start: number, end: number, place: number): HeaderName {
  const last = places[place];
  const variable = block.slice(start, end);
  // V8 compares a slice with a string slowly, but searches it fast.
  if (last?.variable.length === variable.length && variable.indexOf(last.variable) === 0) return last;
  const name = headerName(variable);
  if (place < MAX_PLACES) places[place] = name;
  return name;
}

/**
 * Puts the client's headers into `into`, with the body's framing told truthfully: exactly one of `content-length` and
 * `transfer-encoding: chunked`, or neither where there is no body. Dropped are names with anything but letters, digits
 * and underscores, `Proxy`, and an empty `Host` (Caddy makes one up).
 *
 * @throws RequestError CGI_CONFLICTING_HEADERS: see {@link HeaderOptions}, `refuse`.
 */
export function requestHeaders(
  params: Params,
  options: HeaderOptions,
  into: RequestHeaders = { headers: {}, rawHeaders: [] },
): RequestHeaders {
  const { block, offsets, base, count } = params;
  const { headers, rawHeaders } = into;
  const body: BodyVariables = {};
  const framing: ClientFraming = {};
  let repeated: Set<string> | undefined;
  let place = 0;

  for (let at = base, last = base + 4 * count; at < last; at += 4) {
    const start = offsets[at] as number;
    const end = offsets[at + 1] as number;
    if (block.charCodeAt(start) !== LETTER_H || !block.startsWith("HTTP_", start)) {
      const length = end - start;
      if (length === 12 && block.startsWith("CONTENT_TYPE", start)) body.contentType = valueAt(params, at);
      else if (length === 14 && block.startsWith("CONTENT_LENGTH", start)) body.contentLength = valueAt(params, at);
      else if (length === 15 && block.startsWith("SERVER_PROTOCOL", start)) body.serverProtocol = valueAt(params, at);
      continue;
    }
    const { raw, key, rule, trusted } = headerAt(block, start, end, place++);
    if (rule === "drop") continue;
    const value = trim(valueAt(params, at));
    if (rule === "framing") {
      framing[key as keyof ClientFraming] ??= value;
      continue;
    }
    if (value === "" && key === "host") continue;
    if (trusted && headers[key] !== undefined) (repeated ??= new Set()).add(key);
    rawHeaders.push(raw, value);
    addHeader(headers, key, rule, value);
  }
  if (repeated !== undefined) settleConflicts(repeated, options, rawHeaders, headers);
  for (const { raw, key, value } of framingHeaders(body, framing, params)) {
    rawHeaders.push(raw, value);
    headers[key] = value;
  }
  return into;
}

/** One more header of that name, by the rules of node's `IncomingMessage`. */
function addHeader(headers: RequestHeaders["headers"], key: string, rule: HeaderRule, value: string): void {
  const before = headers[key];
  if (rule === "set-cookie") {
    if (Array.isArray(before)) before.push(value);
    else headers[key] = [value];
  } else if (typeof before !== "string") {
    headers[key] = value;
  } else if (rule !== "single") {
    headers[key] = before + (rule === "cookie" ? "; " : ", ") + value;
  }
}

function settleConflicts(
  repeated: ReadonlySet<string>,
  options: HeaderOptions,
  rawHeaders: string[],
  headers: RequestHeaders["headers"],
): void {
  if (options.conflictingHeaders === "merge") return;
  if (options.conflictingHeaders === "refuse") {
    throw new RequestError("CGI_CONFLICTING_HEADERS", 400, `sent more than once: ${[...repeated].join(", ")}`);
  }
  for (const key of repeated) delete headers[key];
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    if (repeated.has((rawHeaders[i] as string).toLowerCase())) rawHeaders.splice(i, 2);
  }
}

/** h2o leaves blanks at the end of a value. A loop, since a pattern is slow on a value with many blanks inside. */
function trim(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start += 1;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1;
  return end - start === value.length ? value : value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function quote(text: string | undefined): string {
  return text === undefined ? "absent" : JSON.stringify(text.slice(0, 80));
}
