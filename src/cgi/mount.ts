/** Where the app stands in the URL space: SCRIPT_NAME, PATH_INFO and REQUEST_URI of any web server made to agree. */
import { canonicalPath, descend, percentDecode, percentDecodeButSlash, percentEncodePath } from "./path-text.ts";

/**
 * Where the web server put the app. `auto`: where SCRIPT_NAME says, as far as it can be believed. `/`: at the root.
 * `/james`: at that path (decoded, a character for each byte). A request outside of it keeps its whole path in `url`,
 * its `baseUrl` is "".
 */
export type Mount = "auto" | "/" | `/${string}`;

/** What an app knows of its address, undecoded, as it stands in the client's URL. */
export interface Target {
  /** Path and query below the mount: begins with `/`, or is `*`. */
  url: string;
  /** The mount as this URL spells it, "" at the root. */
  baseUrl: string;
  /** REQUEST_URI; mount and `url` in one where that belongs to an earlier request (internal redirect, rewrite). */
  originalUrl: string;
}

/** The variables that speak of the address; `undefined` is absent, which is not the same as "". */
export interface TargetVariables {
  readonly scriptName?: string | undefined;
  readonly pathInfo?: string | undefined;
  readonly requestUri?: string | undefined;
  readonly queryString?: string | undefined;
  readonly documentUri?: string | undefined;
  readonly scriptFilename?: string | undefined;
}

const AUTHORITY = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*/;
const DECODERS = [percentDecode, percentDecodeButSlash] as const;

/**
 * Finds the raw path and cuts the mount off its front. The client's spelling is kept wherever SCRIPT_NAME and PATH_INFO
 * confirm that REQUEST_URI still tells of this request. These two come decoded: they are compared, they are encoded
 * where they stand alone, and they are never decoded again.
 */
export function reconcileTarget(vars: TargetVariables, mount: Mount): Target {
  return plainTarget(vars, mount) ?? carefulTarget(vars, mount);
}

/** The common case, without any decoding: the variables are REQUEST_URI to the letter. */
function plainTarget(vars: TargetVariables, mount: Mount): Target | undefined {
  const { scriptName = "", pathInfo = "", requestUri = "", queryString = "" } = vars;
  const told = scriptName + pathInfo;
  const end = told.length;
  const mark = requestUri.indexOf("?");
  if (end === 0 || (mark < 0 ? requestUri.length : mark) !== end) return undefined;
  if (!requestUri.startsWith(told) || told.includes("%")) return undefined;
  if (mark < 0 ? queryString !== "" : requestUri.length !== end + 1 + queryString.length) return undefined;
  if (!requestUri.endsWith(queryString)) return undefined;

  const base = withoutSlashAtEnd(mount === "auto" ? mountTold(vars, scriptName) : mount);
  if (base === "") return { url: requestUri, baseUrl: "", originalUrl: requestUri };
  if (!told.startsWith(base)) return undefined;
  if (base.length === end) return { url: `/${requestUri.slice(end)}`, baseUrl: base, originalUrl: requestUri };
  if (told.charCodeAt(base.length) !== 0x2f) return undefined;
  return { url: requestUri.slice(base.length), baseUrl: base, originalUrl: requestUri };
}

function carefulTarget(vars: TargetVariables, mount: Mount): Target {
  const { scriptName = "", pathInfo = "", requestUri = "", queryString } = vars;
  if (requestUri === "*") return { url: "*", baseUrl: "", originalUrl: "*" };
  const authority = AUTHORITY.exec(requestUri)?.[0] ?? "";
  const mark = requestUri.indexOf("?");
  const raw = requestUri.slice(authority.length, mark < 0 ? undefined : mark);
  const rawQuery = mark < 0 ? "" : requestUri.slice(mark);

  let script = scriptName;
  let told = scriptName + pathInfo || (vars.documentUri ?? "");
  if (pathInfo !== "" && sameText(scriptName, raw)) {
    // mod_proxy_scgi with proxy-scgi-pathinfo=full: SCRIPT_NAME is the whole path, PATH_INFO its still encoded end.
    const below = percentDecode(pathInfo);
    if (pathInfo === "/") told = scriptName;
    else if (scriptName.endsWith(below)) [told, script] = [scriptName, scriptName.slice(0, -below.length)];
  }

  let path = raw;
  let query = rawQuery;
  if (told !== "" && !cutAtLastMark(vars, told, raw + rawQuery)) {
    // h2o takes the absolute form for a path.
    const fits = requestUri !== "" && (sameText(told, raw) || told === `/${percentDecode(authority + raw)}`);
    const sameQuery = queryString === undefined || percentDecode(rawQuery.slice(1)) === percentDecode(queryString);
    if (!fits) path = percentEncodePath(told.startsWith("/") ? told : `/${told}`);
    if (!fits || !sameQuery) query = queryString ? `?${queryString}` : "";
  }

  const baseUrl = cutOff(path, mount === "auto" ? mountTold(vars, script) : mount);
  const stale = requestUri === "" || path !== raw || query !== rawQuery;
  const url = (path.slice(baseUrl.length) || "/") + query;
  return { url, baseUrl, originalUrl: stale ? (path || "/") + query : requestUri };
}

/** lighttpd with `url-normalize-required` ends the path at the last `?` of the decoded target, not at the first. */
function cutAtLastMark(vars: TargetVariables, told: string, rawTarget: string): boolean {
  return told.includes("?") && sameText(`${told}?${percentDecode(vars.queryString ?? "")}`, rawTarget);
}

/** True where `raw` may have been decoded, merged and freed of dots to become `told`. */
function sameText(told: string, raw: string): boolean {
  const canonical = canonicalPath(told);
  return DECODERS.some((decode) => canonicalPath(decode(raw)) === canonical);
}

/** The mount by the web server's word: SCRIPT_NAME, where that is not simply the whole path. */
function mountTold(vars: TargetVariables, scriptName: string): string {
  if (vars.pathInfo === undefined) {
    // mod_proxy_fcgi and mod_proxy_scgi know no mount, neither does nginx with Debian's fastcgi_params alone.
    if (vars.scriptFilename?.startsWith("proxy:") || vars.documentUri === scriptName) return "";
  }
  return scriptName;
}

/** The shortest part of `path`, up to a slash or its end, that says `mount` once decoded and normalized; else "". */
function cutOff(path: string, mount: string): string {
  const wanted: string[] = [];
  descend(wanted, mount);
  if (wanted.length === 0) return "";
  for (const decode of DECODERS) {
    const reached: string[] = [];
    for (let start = 0; start < path.length;) {
      const slash = path.indexOf("/", start + 1);
      const end = slash < 0 ? path.length : slash;
      descend(reached, decode(path.slice(start, end)));
      if (reached.length === wanted.length && reached.every((segment, i) => segment === wanted[i])) {
        return path.slice(0, end);
      }
      start = end;
    }
  }
  return "";
}

function withoutSlashAtEnd(mount: string): string {
  let end = mount.length;
  while (end > 0 && mount.charCodeAt(end - 1) === 0x2f) end -= 1;
  return end === mount.length ? mount : mount.slice(0, end);
}
