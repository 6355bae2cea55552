/** The words that AJP13 writes as codes (ajpv13a, "Request Packet Structure" and "Response Packet Structure"). */

/** By SC_M_…, from 1. */
const METHODS = [
  ...["OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE"],
  ...["LOCK", "UNLOCK", "ACL", "REPORT", "VERSION-CONTROL", "CHECKIN", "CHECKOUT", "UNCHECKOUT", "SEARCH"],
  ...["MKWORKSPACE", "UPDATE", "LABEL", "MERGE", "BASELINE-CONTROL", "MKACTIVITY"],
] as const;

/** By the low byte of SC_REQ_… (0xA001 …), from 1. */
const REQUEST_HEADERS = [
  ...["accept", "accept-charset", "accept-encoding", "accept-language", "authorization", "connection"],
  ...["content-type", "content-length", "cookie", "cookie2", "host", "pragma", "referer", "user-agent"],
] as const;

/** By the low byte of SC_RESP_… (0xA001 …), from 1. */
const RESPONSE_HEADERS = [
  ...["Content-Type", "Content-Language", "Content-Length", "Date", "Last-Modified", "Location", "Set-Cookie"],
  ...["Set-Cookie2", "Servlet-Engine", "Status", "WWW-Authenticate"],
] as const;

export function methodOf(code: number): string | undefined {
  return METHODS[code - 1];
}

export function requestHeaderOf(code: number): string | undefined {
  return REQUEST_HEADERS[code - 1];
}

export function responseHeaderOf(code: number): string | undefined {
  return RESPONSE_HEADERS[code - 1];
}

/** `undefined` where the method has no code: it is stored. */
export const methodCode: ReadonlyMap<string, number> = codes(METHODS, (method) => method);
/** By the name in small letters. */
export const requestHeaderCode: ReadonlyMap<string, number> = codes(REQUEST_HEADERS, (name) => name);
export const responseHeaderCode: ReadonlyMap<string, number> = codes(RESPONSE_HEADERS, (name) => name.toLowerCase());

function codes(words: readonly string[], key: (word: string) => string): Map<string, number> {
  return new Map(words.map((word, i) => [key(word), i + 1]));
}
