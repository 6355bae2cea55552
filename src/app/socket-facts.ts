/** What a request's variables say of its connection, under the names that `net.Socket` has for it. */
import { variable } from "../cgi/variables.ts";
import type { Params } from "../exchange.ts";

/** What `socket.address()` gives. */
export interface SocketAddress {
  address?: string;
  port?: number;
  family?: string;
}

/** True where the web server says that the client came over TLS: HTTPS=on or 1, REQUEST_SCHEME=https. */
export function isEncrypted(params: Params): boolean {
  const https = variable(params, "HTTPS");
  if (https !== undefined && https !== "") return https.toLowerCase() === "on" || https === "1";
  return variable(params, "REQUEST_SCHEME") === "https";
}

/** SERVER_ADDR, else SERVER_NAME. */
export function localAddressOf(params: Params): string | undefined {
  return variable(params, "SERVER_ADDR") ?? variable(params, "SERVER_NAME");
}

/** The port in the variable `name`. */
export function portOf(params: Params, name: "REMOTE_PORT" | "SERVER_PORT"): number | undefined {
  const value = variable(params, name);
  const number = Number(value);
  return value === undefined || value === "" || Number.isNaN(number) ? undefined : number;
}

export function familyOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  return address.includes(":") ? "IPv6" : "IPv4";
}

export function socketAddress(params: Params): SocketAddress {
  const address = localAddressOf(params);
  const port = portOf(params, "SERVER_PORT");
  const family = familyOf(address);
  return {
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port }),
    ...(family === undefined ? {} : { family }),
  };
}
