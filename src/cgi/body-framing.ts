/** What a request's variables say of its body: its type, its length, or that only its end tells. */
import { RequestError } from "../errors.ts";
import type { Params } from "../exchange.ts";
import { valueAt, variable } from "./variables.ts";

/** The web server's variables that speak of the body. */
export interface BodyVariables {
  contentLength?: string;
  contentType?: string;
  serverProtocol?: string;
}

/** The client's own headers, as far as the web server passes them beside its variables. */
export type ClientFraming = { [Name in "content-length" | "content-type" | "transfer-encoding"]?: string };

export interface FramingHeader {
  readonly raw: string;
  readonly key: string;
  readonly value: string;
}

const LENGTH = /^(?:0|[1-9]\d{0,15})$/;
const CHUNKED: FramingHeader = { raw: "Transfer-Encoding", key: "transfer-encoding", value: "chunked" };
const FORM = "application/x-www-form-urlencoded";
/** With these a client sends no length for an empty body, and many fronts send CONTENT_LENGTH 0 all the same. */
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"]);

/**
 * The bytes of body that CONTENT_LENGTH announces. `undefined` where it announces none ("", "-1" or nothing at all): the
 * body then reaches to the end of its stream. nginx sends the variable twice over unbuffered SCGI; where the two differ,
 * neither can be believed.
 *
 * @throws RequestError CGI_BAD_CONTENT_LENGTH
 */
export function announcedLength(params: Params): number | undefined {
  const { block, offsets, base, count } = params;
  let text: string | undefined;
  for (let at = base, last = base + 4 * count; at < last; at += 4) {
    const start = offsets[at] as number;
    if ((offsets[at + 1] as number) - start !== 14 || block[start] !== "C") continue;
    if (!block.startsWith("CONTENT_LENGTH", start)) continue;
    const value = valueAt(params, at);
    if (text !== undefined && text !== value) throw badLength(`both ${quote(text)} and ${quote(value)}`);
    text = value;
  }
  const length = lengthOf(text);
  if (Number.isNaN(length)) throw badLength(quote(text!));
  return length;
}

/** NaN where it is no number of bytes. */
function lengthOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "" || text === "-1") return undefined;
  const length = LENGTH.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(length) ? length : Number.NaN;
}

/**
 * The headers that tell an app of the body: its type and exactly one kind of framing, or neither without a body. A
 * length that is no number counts as none: only an authorizer sees such a request, and it gets no body.
 */
export function framingHeaders(variables: BodyVariables, client: ClientFraming, params: Params): FramingHeader[] {
  const headers: FramingHeader[] = [];
  const type = bodyType(variables, client, params);
  if (type !== "") headers.push({ raw: "Content-Type", key: "content-type", value: type });
  const framing = bodyFraming(variables, client, params);
  if (framing !== undefined) headers.push(framing);
  return headers;
}

/**
 * An announced length is the length. Where there is none, an app is told `chunked` if there may be a body: the client's
 * Transfer-Encoding came along, or Caddy's -1, or the client spoke HTTP/2 or later, where a body needs no header. The
 * client's own Content-Length stands in for an absent one (lighttpd's authorizer): told to the app, not relied on.
 */
function bodyFraming(
  { contentLength, serverProtocol }: BodyVariables,
  client: ClientFraming,
  params: Params,
): FramingHeader | undefined {
  const length = lengthOf(contentLength);
  const clientLength = client["content-length"];
  if (length !== undefined && length >= 0) {
    const invented = length === 0 && clientLength === undefined && isBodiless(params);
    return invented ? undefined : lengthHeader(String(length));
  }
  if (client["transfer-encoding"] !== undefined || contentLength === "-1") return CHUNKED;
  if (clientLength !== undefined && LENGTH.test(clientLength)) return lengthHeader(clientLength);
  return isUnframed(serverProtocol) && !isBodiless(params) ? CHUNKED : undefined;
}

function bodyType({ contentType }: BodyVariables, client: ClientFraming, params: Params): string {
  const clientType = client["content-type"];
  const type = contentType || (clientType ?? "");
  // Caddy makes this one up for every POST without a type; a type that the client did send comes along as a header.
  const invented =
    type === FORM && clientType === undefined && variable(params, "SERVER_SOFTWARE")?.startsWith("Caddy");
  return invented ? "" : type;
}

function lengthHeader(value: string): FramingHeader {
  return { raw: "Content-Length", key: "content-length", value };
}

function isBodiless(params: Params): boolean {
  return BODILESS.has(variable(params, "REQUEST_METHOD") ?? "");
}

/** In HTTP/2 and HTTP/3 a body may come without any header that says so. */
function isUnframed(serverProtocol: string | undefined): boolean {
  return serverProtocol !== undefined && /^HTTP\/[2-9]/.test(serverProtocol);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 32));
}

function badLength(seen: string): RequestError {
  return new RequestError("CGI_BAD_CONTENT_LENGTH", 400, `CONTENT_LENGTH is ${seen}, expected a number of bytes`);
}
