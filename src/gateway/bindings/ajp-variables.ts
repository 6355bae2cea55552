/** The CGI variables (RFC 3875 section 4.1) of an AJP13 request, under the names that mod_ssl and mod_proxy_fcgi use. */
import { canonicalPath, percentDecode, percentEncodePath } from "../../cgi/path-text.ts";
import {
  SC_A_AUTH_TYPE,
  SC_A_JVM_ROUTE,
  SC_A_QUERY_STRING,
  SC_A_REMOTE_USER,
  SC_A_SSL_CERT,
  SC_A_SSL_CIPHER,
  SC_A_SSL_KEY_SIZE,
  SC_A_SSL_SESSION,
} from "../../protocol/ajp/constants.ts";
import type { AjpForwardRequest } from "../../protocol/ajp/events.ts";
import { type Params, ParamsSlab } from "../../protocol/params.ts";

/** The context and the servlet path, which no web server sends, mean nothing to CGI. */
const ATTRIBUTES: readonly (readonly [code: number, name: string])[] = [
  [SC_A_REMOTE_USER, "REMOTE_USER"],
  [SC_A_AUTH_TYPE, "AUTH_TYPE"],
  [SC_A_JVM_ROUTE, "JVM_ROUTE"],
  [SC_A_SSL_CERT, "SSL_CLIENT_CERT"],
  [SC_A_SSL_CIPHER, "SSL_CIPHER"],
  [SC_A_SSL_SESSION, "SSL_SESSION_ID"],
  [SC_A_SSL_KEY_SIZE, "SSL_CIPHER_USEKEYSIZE"],
];

/** What the protocol forgot, and mod_proxy_ajp and mod_jk send by themselves. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["AJP_REMOTE_PORT", "REMOTE_PORT"],
  ["AJP_LOCAL_ADDR", "SERVER_ADDR"],
  ["AJP_SSL_PROTOCOL", "SSL_PROTOCOL"],
]);

/** No dots: `javax.servlet.…` is a servlet container's own. */
const NAME = /^[A-Za-z_][\w-]*$/;
/** A name with `_` could pass for another header's: mod_proxy_ajp and lighttpd let X_User pass beside X-User. */
const HEADER_NAME = /^[A-Za-z0-9-]+$/;
/** What the packet itself says, and what a client says: no named attribute stands for it. */
const NOT_AN_ATTRIBUTE =
  /^(?:(?:REDIRECT_)*HTTP_.*|CONTENT_(?:LENGTH|TYPE)|GATEWAY_INTERFACE|REQUEST_(?:METHOD|SCHEME|URI)|QUERY_STRING|SCRIPT_(?:NAME|FILENAME)|PATH_INFO|DOCUMENT_URI|SERVER_(?:NAME|PORT|PROTOCOL)|REMOTE_(?:ADDR|HOST))$/;

const FIXED = 16;
const slab = new ParamsSlab();

/**
 * Who sets what: the web server the fields of the packet and the coded attributes; its administrator the named ones
 * (`SetEnv AJP_NAME` of mod_proxy_ajp, which takes AJP_ off; `JkEnvVar NAME` of mod_jk); a client the headers, which become
 * HTTP_* and, of the body, CONTENT_LENGTH and CONTENT_TYPE. None of the three can take the name of another.
 *
 * AJP has no mount: SCRIPT_NAME is empty and PATH_INFO the whole path, from which `mount` is taken off later.
 */
export function ajpVariables(request: AjpForwardRequest): Params {
  const { headers, attributes, reqAttributes } = request;
  const most = FIXED + ATTRIBUTES.length + headers.length + reqAttributes.length;
  const first = slab.begin(most);
  const { offsets } = slab;
  let block = "";
  let next = first;
  const add = (name: string, value: string): void => {
    const start = block.length;
    block += name + value;
    offsets[next] = start;
    offsets[next + 1] = start + name.length;
    offsets[next + 2] = start + name.length;
    offsets[next + 3] = block.length;
    next += 4;
  };

  for (const [name, value] of reqAttributes) {
    const known = RENAMED.get(name);
    if (known !== undefined) add(known, value);
    else if (NAME.test(name) && !NOT_AN_ATTRIBUTE.test(name)) add(name, value);
  }
  for (const [code, name] of ATTRIBUTES) {
    const value = attributes.get(code);
    if (value !== undefined) add(name, value);
  }
  const query = attributes.get(SC_A_QUERY_STRING);
  const path = encodedPath(request.reqUri);
  add("GATEWAY_INTERFACE", "CGI/1.1");
  add("REQUEST_METHOD", request.method);
  add("REQUEST_URI", query === undefined ? path : `${path}?${query}`);
  add("QUERY_STRING", query ?? "");
  add("SCRIPT_NAME", "");
  add("PATH_INFO", canonicalPath(path === request.reqUri ? percentDecode(path) : request.reqUri));
  add("SERVER_PROTOCOL", request.protocol);
  add("SERVER_NAME", request.serverName);
  add("SERVER_PORT", String(request.serverPort));
  add("REMOTE_ADDR", request.remoteAddr);
  if (request.remoteHost !== null) add("REMOTE_HOST", request.remoteHost);
  add("REQUEST_SCHEME", request.isSsl ? "https" : "http");
  if (request.isSsl) add("HTTPS", "on");

  const framing = new Set<string>();
  for (const [name, value] of headers) {
    if (!HEADER_NAME.test(name)) continue;
    const variable = name.toUpperCase().replaceAll("-", "_");
    if (variable !== "CONTENT_LENGTH" && variable !== "CONTENT_TYPE") add(`HTTP_${variable}`, value);
    else if (!framing.has(variable)) {
      framing.add(variable);
      add(variable, value);
    }
  }
  return slab.finish(block, next);
}

/** RFC 3986, and what browsers leave as it is: mod_proxy_ajp with `nocanon` passes that on. */
const ENCODED = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/[\]^|]|%[0-9A-Fa-f]{2})*$/;

/**
 * mod_proxy_ajp and mod_jk encode the path, lighttpd sends it decoded. What does not stand in a URL, or is no escape, tells;
 * a decoded path that looks like an encoded one is taken for it.
 */
function encodedPath(reqUri: string): string {
  return reqUri === "*" || ENCODED.test(reqUri) ? reqUri : percentEncodePath(reqUri);
}
