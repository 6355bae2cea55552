/** What a request's variables say of its body: its type, its length, or that only its end tells. */
import { RequestError } from "../errors.ts";
import type { Params } from "../exchange.ts";
import { variable } from "./variables.ts";

/** The client's own headers of these names, as far as the web server passes them beside its variables. */
export type ClientFraming = "content-length" | "content-type" | "transfer-encoding";

/** What was sent, blanks trimmed; absent and "" are not the same. */
export type FramingVariables = { [Name in "CONTENT_LENGTH" | "CONTENT_TYPE" | ClientFraming]?: string };

export interface BodyFraming {
  /** Bytes of body to come. */
  readonly contentLength: number | undefined;
  /** The header that an app sees, if any. */
  readonly header: FramingHeader | undefined;
}

interface FramingHeader {
  readonly raw: string;
  readonly key: string;
  readonly value: string;
}

const LENGTH = /^(?:0|[1-9]\d{0,15})$/;
const CHUNKED: FramingHeader = { raw: "Transfer-Encoding", key: "transfer-encoding", value: "chunked" };
const FORM = "application/x-www-form-urlencoded";
/** With these a client sends no length for an empty body, and many fronts send CONTENT_LENGTH 0 all the same. */
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"]);

/** Notes a CONTENT_LENGTH. nginx sends it twice over unbuffered SCGI; where the two differ, neither can be believed. */
export function addLength(sent: FramingVariables, text: string): void {
  const before = sent.CONTENT_LENGTH;
  if (before !== undefined && before !== text) throw badLength(`both ${quote(before)} and ${quote(text)}`);
  sent.CONTENT_LENGTH = text;
}

/**
 * How the body is framed. A length that the web server announces is the length. Where it announces none ("", "-1" or
 * nothing at all) the body reaches to the end of its stream, and an app is told `chunked` if there may be a body:
 * the client's Transfer-Encoding came along, or Caddy's -1, or the client spoke HTTP/2 or later, where a body needs no
 * header. A client's own Content-Length stands in where CONTENT_LENGTH is absent (lighttpd's authorizer): told to the
 * app, but not relied on.
 *
 * @throws RequestError CGI_BAD_CONTENT_LENGTH
 */
export function bodyFraming(params: Params, sent: FramingVariables): BodyFraming {
  const text = sent.CONTENT_LENGTH ?? "";
  if (text !== "" && text !== "-1") {
    const contentLength = LENGTH.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(contentLength)) throw badLength(quote(text));
    const invented = text === "0" && sent["content-length"] === undefined && isBodiless(params);
    return { contentLength, header: invented ? undefined : lengthHeader(text) };
  }
  const mayHaveBody =
    text === "-1" || sent["transfer-encoding"] !== undefined || (isUnframed(params) && !isBodiless(params));
  if (mayHaveBody) return { contentLength: undefined, header: CHUNKED };
  const clientLength = sent["content-length"];
  const stands = clientLength !== undefined && LENGTH.test(clientLength);
  return { contentLength: undefined, header: stands ? lengthHeader(clientLength) : undefined };
}

/** The body's type, or "". */
export function contentType(params: Params, sent: FramingVariables): string {
  const type = sent.CONTENT_TYPE || (sent["content-type"] ?? "");
  // Caddy makes this one up for every POST without a type; a type that the client did send comes along as a header.
  const invented =
    type === FORM && sent["content-type"] === undefined && variable(params, "SERVER_SOFTWARE")?.startsWith("Caddy");
  return invented ? "" : type;
}

function lengthHeader(value: string): FramingHeader {
  return { raw: "Content-Length", key: "content-length", value };
}

function isBodiless(params: Params): boolean {
  return BODILESS.has(variable(params, "REQUEST_METHOD") ?? "");
}

/** In HTTP/2 and HTTP/3 a body may come without any header that says so. */
function isUnframed(params: Params): boolean {
  return /^HTTP\/[2-9]/.test(variable(params, "SERVER_PROTOCOL") ?? "");
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 32));
}

function badLength(seen: string): RequestError {
  return new RequestError("CGI_BAD_CONTENT_LENGTH", 400, `CONTENT_LENGTH is ${seen}, expected a number of bytes`);
}
