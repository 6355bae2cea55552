/** What a request's variables and a 101's head say of an upgrade (RFC 9110 section 7.8). */
import type { Params } from "../exchange.ts";
import { variable } from "./variables.ts";

export const SWITCHING_PROTOCOLS = 101;

/**
 * What a client is told whose upgrade cannot be carried. Of the web servers that speak FastCGI or SCGI lighttpd alone
 * carries one, since 1.4.74 (commit 1fd44b45): a request of HTTP/1.1 without a body (`gw_upgrade_policy`), to which a CGI
 * answer with `Status: 101` and after it an Upgrade is sent (`http_response_process_headers`). Over HTTP/2 it waits for the
 * end of the body, or answers 411 itself (`gw_handle_subrequest`). AJP has no packets for it.
 */
export const UPGRADE_REFUSED: string =
  "This connection cannot be upgraded. Over FastCGI and SCGI only lighttpd 1.4.74 and later carries WebSockets,\n" +
  'those of HTTP/1.1: with "upgrade" => "enable" in fastcgi.server or scgi.server, and upgrade = true in the\n' +
  "server's section (createServer({ upgrade: true })).";

const UPGRADE_VALUE = /^upgrade:[ \t]*(.*?)[ \t]*\r$/im;

/** The protocol that a request asks for, in small letters; null where it asks for none, as node's parser sees it. */
export function upgradeOf(params: Params): string | null {
  const protocol = variable(params, "HTTP_UPGRADE");
  if (protocol === undefined || protocol === "") return null;
  const connection = variable(params, "HTTP_CONNECTION") ?? "";
  const named = connection.split(",").some((token) => token.trim().toLowerCase() === "upgrade");
  return named ? protocol.toLowerCase() : null;
}

/** The fields of a 101 that speak of the connection, `head` being its text; "" without an Upgrade. */
export function upgradeFields(head: string): string {
  const protocol = UPGRADE_VALUE.exec(head)?.[1] ?? "";
  return protocol === "" ? "" : `Upgrade: ${protocol}\r\nConnection: upgrade\r\n`;
}
