/** The variables that a web server makes of an HTTP request: CGI/1.1 (RFC 3875 4.1), the way lighttpd and nginx send them. */

/** The request as `node:http` gives it: one character for each byte. */
export interface FrontRequest {
  readonly method: string;
  readonly httpVersion: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** Over TLS. */
  readonly encrypted: boolean;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** Where a request belongs below a mount. */
export interface Place {
  /** Decoded, like `pathInfo`: slashes merged, dot segments removed. */
  readonly scriptName: string;
  readonly pathInfo: string;
  /** As it came. */
  readonly query: string;
  /** The target without `http://host`, as REQUEST_URI has it. */
  readonly requestUri: string;
}

/** Headers of the hop from the browser to here (RFC 9110 7.6.1), and those that become variables of another name. */
const NOT_PASSED = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"],
  ...["content-length", "content-type"],
  // HTTP_PROXY would be read as a setting by many programs (CVE-2016-5385).
  "proxy",
]);

/**
 * Null for a request outside of the mount, or with a NUL in its path.
 *
 * @param target as it stands in the request's first line
 * @param mount "/" or a path such as "/james"
 */
export function place(target: string, mount: string): Place | null {
  const requestUri = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, "").replace(/^(?=\?|$)/, "/");
  const cut = requestUri.indexOf("?");
  const query = cut === -1 ? "" : requestUri.slice(cut + 1);
  const path = removeDots(decode(cut === -1 ? requestUri : requestUri.slice(0, cut)).replaceAll(/\/{2,}/g, "/"));
  const scriptName = mount === "/" ? "" : mount;
  if (path.includes("\0") || !path.startsWith("/") || !`${path}/`.startsWith(`${scriptName}/`)) return null;
  return { scriptName, pathInfo: path.slice(scriptName.length), query, requestUri };
}

/** All the variables of a request, in lighttpd's order. A chunked one has no CONTENT_LENGTH, as behind mod_proxy_fcgi. */
export function variables(request: FrontRequest, place: Place): [name: string, value: string][] {
  const headers = new Map<string, string>();
  let contentLength: string | undefined = "0";
  let contentType: string | undefined;
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!.toLowerCase();
    const value = request.rawHeaders[i + 1]!;
    if (name === "content-length") contentLength = value;
    else if (name === "transfer-encoding") contentLength = undefined;
    else if (name === "content-type") contentType ??= value;
    // A name with `_` could pass for another header's variable: X_User for X-User.
    if (NOT_PASSED.has(name) || !/^[a-z0-9-]+$/.test(name)) continue;
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`);
  }

  const pairs: [string, string][] = [];
  if (contentLength !== undefined) pairs.push(["CONTENT_LENGTH", contentLength]);
  if (contentType !== undefined) pairs.push(["CONTENT_TYPE", contentType]);
  pairs.push(
    ["QUERY_STRING", place.query],
    ["REQUEST_URI", place.requestUri],
    ["REDIRECT_STATUS", "200"],
    ["SCRIPT_NAME", place.scriptName],
  );
  if (place.pathInfo !== "") pairs.push(["PATH_INFO", place.pathInfo]);
  pairs.push(
    ["REQUEST_METHOD", request.method],
    ["SERVER_PROTOCOL", `HTTP/${request.httpVersion}`],
    ["SERVER_SOFTWARE", "propylon-front"],
    ["GATEWAY_INTERFACE", "CGI/1.1"],
    ["REQUEST_SCHEME", request.encrypted ? "https" : "http"],
  );
  if (request.encrypted) pairs.push(["HTTPS", "on"]);
  pairs.push(
    ["SERVER_PORT", String(request.localPort)],
    ["SERVER_ADDR", request.localAddress],
    ["SERVER_NAME", headers.get("host")?.replace(/:\d*$/, "") ?? request.localAddress],
    ["REMOTE_ADDR", request.remoteAddress],
    ["REMOTE_PORT", String(request.remotePort)],
  );
  for (const [name, value] of headers) pairs.push([`HTTP_${name.toUpperCase().replaceAll("-", "_")}`, value]);
  return pairs;
}

/** Escapes that are none stay as they are. */
function decode(path: string): string {
  return path.replaceAll(/%[0-9a-f]{2}/gi, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)));
}

/** RFC 3986 5.2.4. */
function removeDots(path: string): string {
  const kept: string[] = [];
  const segments = path.split("/");
  segments.forEach((segment, i) => {
    const last = i === segments.length - 1;
    if (segment === "..") kept.length = Math.max(1, kept.length - 1);
    if (segment !== "." && segment !== "..") kept.push(segment);
    else if (last) kept.push("");
  });
  return kept.join("/");
}
