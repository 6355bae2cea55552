/** Moves what an app is mounted at from `req.url` to `req.baseUrl`: SCRIPT_NAME and PATH_INFO of RFC 3875. */
import type { IncomingMessage } from "node:http";

import { percentDecode } from "../cgi/path-text.ts";

export interface MountedRequest extends IncomingMessage {
  baseUrl?: string;
  originalUrl?: string;
  cgi?: Readonly<Record<string, string>>;
}

/** A path of a configuration as its segments, decoded, one character for each byte: "/a%20b/é/" is ["a b", "Ã©"]; "/" is []. */
export function segmentsOf(path: string): string[] {
  const bytes = Buffer.from(path).toString("latin1");
  return bytes.split("/").filter(Boolean).map(percentDecode);
}

/**
 * Parts `url` after as many segments as `mount` has, where they are the same: ["/james", "/x?y"] of "/james/x?y". The
 * client's spelling stays. Null where the URL lies elsewhere, as "/jamesbond" does of ["james"].
 */
export function partUrl(url: string, mount: readonly string[]): [mount: string, rest: string] | null {
  const end = url.search(/[?#]/);
  const path = end === -1 ? url : url.slice(0, end);
  let at = 0;
  for (const segment of mount) {
    if (path[at] !== "/") return null;
    const next = path.indexOf("/", at + 1);
    const stop = next === -1 ? path.length : next;
    if (percentDecode(path.slice(at + 1, stop)) !== segment) return null;
    at = stop;
  }
  const rest = url.slice(at);
  return [url.slice(0, at), rest.startsWith("/") ? rest : `/${rest}`];
}

/** Mounts a request: `url` is what the app sees, `baseUrl` where that begins. Other variables are changed as told. */
export function remount(
  request: MountedRequest,
  { url, baseUrl }: { readonly url: string; readonly baseUrl: string },
): void {
  request.originalUrl ??= request.url ?? "/";
  request.url = url;
  request.baseUrl = baseUrl;
  if (request.cgi === undefined) return;
  const path = percentDecode(url.split("?", 1)[0]!);
  changeVariables(request, { SCRIPT_NAME: percentDecode(baseUrl), PATH_INFO: path });
}

/** `req.cgi` with other values; undefined takes one away. Does nothing for a request that has come by HTTP. */
export function changeVariables(request: MountedRequest, changes: Readonly<Record<string, string | undefined>>): void {
  if (request.cgi === undefined) return;
  const variables = Object.assign(Object.create(null) as Record<string, string>, request.cgi);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) delete variables[name];
    else variables[name] = value;
  }
  request.cgi = Object.freeze(variables);
}
