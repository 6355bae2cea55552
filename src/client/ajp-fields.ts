/** CGI variables as the fields of an AJP13 request: what mod_proxy_ajp would have sent for them. */
import {
  SC_A_AUTH_TYPE,
  SC_A_JVM_ROUTE,
  SC_A_QUERY_STRING,
  SC_A_REMOTE_USER,
  SC_A_SSL_CERT,
  SC_A_SSL_CIPHER,
  SC_A_SSL_KEY_SIZE,
  SC_A_SSL_SESSION,
} from "../protocol/ajp/constants.ts";
import type { AjpForwardRequest } from "../protocol/ajp/events.ts";
import type { ClientRequest } from "./request.ts";

const ATTRIBUTES: ReadonlyMap<string, number> = new Map([
  ["REMOTE_USER", SC_A_REMOTE_USER],
  ["AUTH_TYPE", SC_A_AUTH_TYPE],
  ["QUERY_STRING", SC_A_QUERY_STRING],
  ["JVM_ROUTE", SC_A_JVM_ROUTE],
  ["SSL_CLIENT_CERT", SC_A_SSL_CERT],
  ["SSL_CIPHER", SC_A_SSL_CIPHER],
  ["SSL_SESSION_ID", SC_A_SSL_SESSION],
  ["SSL_CIPHER_USEKEYSIZE", SC_A_SSL_KEY_SIZE],
]);

const RENAMED: ReadonlyMap<string, string> = new Map([
  ["REMOTE_PORT", "AJP_REMOTE_PORT"],
  ["SERVER_ADDR", "AJP_LOCAL_ADDR"],
  ["SSL_PROTOCOL", "AJP_SSL_PROTOCOL"],
]);

/** Fields of their own, and what AJP has no word for. */
const NOT_ATTRIBUTES: ReadonlySet<string> = new Set([
  ...["REQUEST_METHOD", "REQUEST_URI", "SERVER_PROTOCOL", "SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "REMOTE_HOST"],
  ...["HTTPS", "REQUEST_SCHEME", "SCRIPT_NAME", "PATH_INFO", "GATEWAY_INTERFACE", "SERVER_SOFTWARE", "REDIRECT_STATUS"],
]);

type Fields = Omit<AjpForwardRequest, "secret" | "contentLength">;

/** @param hasBody of a body without CONTENT_LENGTH the web server says that it is chunked. */
export function forwardRequest(params: ClientRequest["params"], hasBody: boolean): Fields {
  const all = new Map(params);
  const headers: [string, string][] = [];
  const attributes = new Map<number, string>();
  const reqAttributes: [string, string][] = [];
  for (const [name, value] of params) {
    const code = ATTRIBUTES.get(name);
    if (name.startsWith("HTTP_")) headers.push([headerOf(name.slice("HTTP_".length)), value]);
    else if (name === "CONTENT_TYPE" || name === "CONTENT_LENGTH") headers.push([headerOf(name), value]);
    else if (name === "QUERY_STRING" && value === "" && !(all.get("REQUEST_URI") ?? "").includes("?")) continue;
    else if (code !== undefined) attributes.set(code, value);
    else if (!NOT_ATTRIBUTES.has(name)) reqAttributes.push([RENAMED.get(name) ?? name, value]);
  }
  if (hasBody && !all.has("CONTENT_LENGTH")) headers.push(["Transfer-Encoding", "chunked"]);
  return {
    method: all.get("REQUEST_METHOD") ?? "GET",
    protocol: all.get("SERVER_PROTOCOL") ?? "HTTP/1.1",
    reqUri: (all.get("REQUEST_URI") ?? "/").split("?", 1)[0]!,
    remoteAddr: all.get("REMOTE_ADDR") ?? "",
    remoteHost: all.get("REMOTE_HOST") ?? null,
    serverName: all.get("SERVER_NAME") ?? "",
    serverPort: Number(all.get("SERVER_PORT") ?? 0),
    isSsl: all.get("HTTPS") === "on",
    ...{ headers, attributes, reqAttributes },
  };
}

function headerOf(variable: string): string {
  return variable.toLowerCase().replaceAll("_", "-");
}
