/** The CGI variables of a request: looked up one at a time, or collected into an object. */
import type { Params } from "../exchange.ts";

/** The variables that the web server itself set, by name. Frozen, without a prototype. */
export type CgiVariables = Readonly<Record<string, string>>;

const URL_SHOWN = 256;
const METHOD_SHOWN = 32;
/** Hyphens and dots for Shibboleth and mod_auth_openidc, which call variables what the attributes and claims are called. */
export const VARIABLE_NAME: RegExp = /^[\w.-]{1,256}$/;
/** Apache renames every old variable so on an internal redirect, `HTTP_COOKIE` included. */
const CLIENT_HEADER = /^(?:REDIRECT_)*HTTP_/;

/**
 * The value of the variable called `name`, byte for byte. `undefined` where it was not sent, "" where it was sent empty.
 * Of a repeated one the last counts: nginx sends a variable of its stock file and then the line that overrides it.
 */
export function variable(params: Params, name: string): string | undefined {
  const { block, offsets, base } = params;
  const length = name.length;
  for (let at = base + 4 * (params.count - 1); at >= base; at -= 4) {
    const start = offsets[at] as number;
    if ((offsets[at + 1] as number) - start === length && block.startsWith(name, start)) {
      return block.slice(offsets[at + 2], offsets[at + 3]);
    }
  }
  return undefined;
}

/** Method and URL for logs, as they came; of the method 32 characters at most, of the URL 256. */
export function requestLine(params: Params): { method: string; url: string } {
  const url = variable(params, "REQUEST_URI") ?? "";
  const method = variable(params, "REQUEST_METHOD") ?? "";
  return { method: method.slice(0, METHOD_SHOWN), url: url.slice(0, URL_SHOWN) };
}

/** The value of the pair whose four offsets begin at `at`. */
export function valueAt(params: Params, at: number): string {
  return params.block.slice(params.offsets[at + 2], params.offsets[at + 3]);
}

/**
 * What the web server says of the request: `REMOTE_USER`, `HTTPS`, `SSL_*`, `SERVER_*` and the like, "" where it was
 * sent empty. Nothing that a client can set by a header of its own is in it (no `HTTP_*`, no `REDIRECT_HTTP_*`). The
 * last of a repeated variable counts. Names of anything but 1 to 256 letters, digits and `_ - .` are dropped.
 */
export function serverVariables(params: Params): CgiVariables {
  const variables: Record<string, string> = Object.create(null);
  for (const [name, value] of pairs(params)) {
    if (!CLIENT_HEADER.test(name)) variables[name] = value;
  }
  return Object.freeze(variables);
}

/**
 * Every variable, `HTTP_*` included, as a plain copy without a prototype. A repeated header is joined with `, ` (a
 * Cookie with `; `), of other repeats the last counts. `HTTP_PROXY` is left out: no header may pass for the setting of
 * that name (CVE-2016-5385).
 */
export function allVariables(params: Params): Record<string, string> {
  const variables: Record<string, string> = Object.create(null);
  for (const [name, value] of pairs(params)) {
    if (name === "HTTP_PROXY") continue;
    const before = variables[name];
    const joined = before !== undefined && name.startsWith("HTTP_");
    variables[name] = joined ? before + (name === "HTTP_COOKIE" ? "; " : ", ") + value : value;
  }
  return variables;
}

function* pairs({ block, offsets, base, count }: Params): Generator<readonly [name: string, value: string]> {
  for (let at = base, end = base + 4 * count; at < end; at += 4) {
    const name = block.slice(offsets[at], offsets[at + 1]);
    if (VARIABLE_NAME.test(name)) yield [name, block.slice(offsets[at + 2], offsets[at + 3])];
  }
}
