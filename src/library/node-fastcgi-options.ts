/** Picks the gateway's options out of what `createServer` was given, under node http's and node-fastcgi's names. */
import { GATEWAY_OPTIONS, type GatewayOptions } from "../gateway/options.ts";
import type { ServerOptions } from "./options.ts";

/** Options of node http that have no meaning here are passed over, so that its users change one import. */
export function gatewayOptions(options: ServerOptions): Partial<GatewayOptions> {
  const picked: Record<string, unknown> = {};
  if (options.maxConns !== undefined) picked["maxConnections"] = Number(options.maxConns);
  if (options.multiplex !== undefined) picked["multiplexed"] = options.multiplex;
  for (const name of Object.keys(GATEWAY_OPTIONS)) {
    // To node http it is the time to receive a request.
    const own = name === "requestTimeout" ? "responseTimeout" : name;
    if (options[own] !== undefined) picked[name] = options[own];
  }
  return picked;
}

/** What FCGI_GET_VALUES is answered: node-fastcgi's `maxReqs`, and the options that `valueMap` gives a name. */
export function gatewayValues(options: ServerOptions): Record<string, string> {
  const values: Record<string, string> = {};
  if (options.maxReqs !== undefined) values["FCGI_MAX_REQS"] = String(options.maxReqs);
  for (const [name, option] of Object.entries(options.valueMap ?? {})) {
    if (options[option] !== undefined) values[name] = String(options[option]);
  }
  return values;
}
