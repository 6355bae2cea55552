/** Header names out of `HTTP_*` variables: spelling, and what node does with a header of that name when it repeats. */

/** What becomes of a header: `drop` never shows, `framing` is the body's business, the rest is node's rule of repeats. */
export type HeaderRule = "list" | "single" | "cookie" | "set-cookie" | "drop" | "framing";

export interface HeaderName {
  /** The variable, `HTTP_ACCEPT_ENCODING`. */
  readonly variable: string;
  /** As in `rawHeaders`, `Accept-Encoding`. */
  readonly raw: string;
  /** As in `headers`, `accept-encoding`. */
  readonly key: string;
  readonly rule: HeaderRule;
  /** A front's own word to the app in many set-ups: a client's second spelling of it must not pass for it. */
  readonly trusted: boolean;
}

const VARIABLE = /^HTTP_[A-Za-z0-9_]{1,256}$/;
const TRUSTED = /^(?:x-forwarded-.*|forwarded|remote-.*|x-auth-.*|x-real-ip|authorization|host)$/;

/** Of these the first counts (`IncomingMessage` in node's lib/_http_incoming.js). */
const SINGLE: ReadonlySet<string> = new Set([
  "age",
  "authorization",
  "content-length",
  "content-type",
  "etag",
  "expires",
  "from",
  "host",
  "if-modified-since",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "referer",
  "retry-after",
  "server",
  "user-agent",
]);

/** Whole names, and words of `Sec-…` names, that do not just begin with a capital. */
const NAMES = spellings(["DNT", "ETag", "HTTP2-Settings", "TE", "WWW-Authenticate", "X-UA-Compatible"]);
const SEC_WORDS = spellings(["CH", "DPR", "GPC", "RTT", "UA", "WebSocket", "WoW64"]);

/** Front ends send the same few names over and over; a client's inventions must not fill the memory. */
const MAX_KNOWN = 1024;
const known = new Map<string, HeaderName>();

/** The header that the variable `HTTP_…` carries. Names seen before cost one look-up. */
export function headerName(variable: string): HeaderName {
  let name = known.get(variable);
  if (name === undefined) {
    name = describe(variable);
    if (known.size < MAX_KNOWN) known.set(variable, name);
  }
  return name;
}

function describe(variable: string): HeaderName {
  const key = variable.slice(5).toLowerCase().replaceAll("_", "-");
  const rule = VARIABLE.test(variable) ? ruleOf(key) : "drop";
  return { variable, raw: spell(key), key, rule, trusted: TRUSTED.test(key) };
}

function ruleOf(key: string): HeaderRule {
  switch (key) {
    case "proxy": // CVE-2016-5385: HTTP_PROXY is taken for a setting.
      return "drop";
    case "content-length":
    case "content-type":
    case "transfer-encoding":
      return "framing";
    case "cookie":
      return "cookie";
    case "set-cookie":
      return "set-cookie";
    default:
      return SINGLE.has(key) ? "single" : "list";
  }
}

function spell(key: string): string {
  const name = NAMES.get(key);
  if (name !== undefined) return name;
  const special = key.startsWith("sec-") ? SEC_WORDS : undefined;
  const words = key.split("-").map((word) => special?.get(word) ?? word.charAt(0).toUpperCase() + word.slice(1));
  return words.join("-");
}

function spellings(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [name.toLowerCase(), name]));
}
