/** URL paths as text: percent-decoding, percent-encoding, and the segments that are left of slashes and dots. */

const ESCAPE = /%([0-9A-Fa-f]{2})/g;
const ESCAPE_BUT_SLASH = /%(?!2[Ff])([0-9A-Fa-f]{2})/g;
/** Everything but the `pchar` of RFC 3986 section 3.3 and the slash. `%` is text here, so it is escaped too. */
const NOT_IN_PATH = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g;

/** Each `%XX` becomes its byte, once; what is no escape stays (`%zz`, `%4`). One character for each byte, in and out. */
export function percentDecode(text: string): string {
  return text.includes("%") ? text.replace(ESCAPE, toByte) : text;
}

/** The same, but `%2F` stays, as Apache leaves it with `AllowEncodedSlashes NoDecode`. */
export function percentDecodeButSlash(text: string): string {
  return text.includes("%") ? text.replace(ESCAPE_BUT_SLASH, toByte) : text;
}

/** A decoded path as it may stand in a URL. The slash stays, every byte that is not allowed in a path is escaped. */
export function percentEncodePath(path: string): string {
  return path.replace(NOT_IN_PATH, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

/** A decoded path with slashes merged and dot segments removed (RFC 3986 section 5.2.4). */
export function canonicalPath(path: string): string {
  if (!path.includes("//") && !path.includes("/.")) return path;
  const segments: string[] = [];
  descend(segments, path);
  return segments.length === 0 ? "/" : `/${segments.join("/")}${/\/\.{0,2}$/.test(path) ? "/" : ""}`;
}

/** Walks from the directory `segments` along the decoded `path`: empty segments and `.` stay there, `..` goes up. */
export function descend(segments: string[], path: string): void {
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
}

function toByte(_escape: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}
