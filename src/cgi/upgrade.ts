/** What a request's variables and a 101's head say of an upgrade (RFC 9110 section 7.8). */
import type { Params, ProtocolName } from "../exchange.ts";
import { variable } from "./variables.ts";

export const SWITCHING_PROTOCOLS = 101;

/**
 * What a client is told whose upgrade cannot be carried. Two web servers carry one.
 *
 * - nginx, over SCGI since 1.3.14: a `Status: 101` to a request with an Upgrade (`ngx_http_scgi_process_header`) makes it
 *   pass on bytes in both directions, until either side ends (`ngx_http_upstream_process_upgraded`). Its FastCGI module
 *   knows no 101.
 * - lighttpd, over FastCGI and SCGI since 1.4.74 (commit 1fd44b45): a request of HTTP/1.1 without a body
 *   (`gw_upgrade_policy`), to which a CGI answer with `Status: 101` and after it an Upgrade is sent
 *   (`http_response_process_headers`). Over HTTP/2 it waits for the end of the body, or answers 411 itself
 *   (`gw_handle_subrequest`).
 *
 * AJP has no packets for it.
 */
export const UPGRADE_REFUSED: string =
  "This connection cannot be upgraded. WebSockets, those of HTTP/1.1, are carried by nginx over SCGI, and by\n" +
  'lighttpd 1.4.74 and later over FastCGI and SCGI, with "upgrade" => "enable" in fastcgi.server or scgi.server;\n' +
  "with upgrade = true in the server's section (createServer({ upgrade: true })).";

/**
 * Web servers that carry none, by SERVER_SOFTWARE: Apache, whose ServerTokens leave its name; Caddy; lighttpd before 1.4.74,
 * where no server.tag says otherwise. They pass a 101 on and garble what follows.
 */
const CARRIES_NONE = /^(?:Apache|Caddy)\b|^lighttpd\/1\.(?:[0-3]\.|4\.(?:[0-9]|[1-6][0-9]|7[0-3])(?![0-9]))/;

const UPGRADE_VALUE = /^upgrade:[ \t]*(.*?)[ \t]*\r$/im;

/** The protocol that a request asks for, in small letters; null where it asks for none, as node's parser sees it. */
export function upgradeOf(params: Params): string | null {
  const protocol = variable(params, "HTTP_UPGRADE");
  if (protocol === undefined || protocol === "") return null;
  const connection = variable(params, "HTTP_CONNECTION") ?? "";
  const named = connection.split(",").some((token) => token.trim().toLowerCase() === "upgrade");
  return named ? protocol.toLowerCase() : null;
}

/**
 * Whether the upgrade that a request asks for may be carried, as far as its variables tell. Of a web server with another
 * name the option `upgrade` is believed.
 */
export function mayUpgrade(protocol: ProtocolName, params: Params): boolean {
  if (protocol === "ajp" || upgradeOf(params) === null) return false;
  // HTTP/1.0 has no Upgrade (RFC 9110 section 7.8), HTTP/2 no 101 (RFC 9113 section 8.6).
  if ((variable(params, "SERVER_PROTOCOL") ?? "HTTP/1.1") !== "HTTP/1.1") return false;
  const software = variable(params, "SERVER_SOFTWARE") ?? "";
  return !CARRIES_NONE.test(software) && !(protocol === "fastcgi" && /^nginx\b/.test(software));
}

/** The fields of a 101 that speak of the connection, `head` being its text; "" without an Upgrade. */
export function upgradeFields(head: string): string {
  const protocol = UPGRADE_VALUE.exec(head)?.[1] ?? "";
  return protocol === "" ? "" : `Upgrade: ${protocol}\r\nConnection: upgrade\r\n`;
}
