/** Picks the gateway's options out of what `createServer` was given, node http's and node-fastcgi's names among it. */
import { ConfigError } from "../errors.ts";
import { GATEWAY_OPTIONS, type GatewayOptions } from "../gateway/options.ts";
import { didYouMean } from "../suggest.ts";
import type { ServerOptions } from "./options.ts";

type NamedOption = keyof { [Name in keyof ServerOptions as string extends Name ? never : Name]: never };

/** What `createServer` takes beside the gateway's options. */
const OTHER_OPTIONS: Readonly<Record<Exclude<NamedOption, keyof GatewayOptions>, true>> = {
  protocol: true,
  mount: true,
  conflictingHeaders: true,
  maxResponseHeader: true,
  earlyHints: true,
  debug: true,
  captureConsole: true,
  requestContext: true,
  sendfile: true,
  sendfileRoot: true,
  sendfileUri: true,
  log: true,
  responseTimeout: true,
  IncomingMessage: true,
  ServerResponse: true,
  maxConns: true,
  maxReqs: true,
  multiplex: true,
  valueMap: true,
};
const KNOWN = [...Object.keys(GATEWAY_OPTIONS), ...Object.keys(OTHER_OPTIONS)];

/** Options of node's own servers that look like ours and have no meaning here. */
const OF_NODE: ReadonlySet<string> = new Set([
  "ALPNProtocols",
  "requestCert",
  "handshakeTimeout",
  "headersTimeout",
  "keepAlive",
  "keepAliveTimeout",
  "keepAliveTimeoutBuffer",
  "maxHeaderSize",
  "maxVersion",
  "sessionTimeout",
]);

/**
 * Options of node http that have no meaning here are passed over, so that its users change one import.
 *
 * @throws ConfigError CONFIG_UNKNOWN_OPTION for a name that is nearly one of ours.
 */
export function gatewayOptions(options: ServerOptions): Partial<GatewayOptions> {
  const picked: Record<string, unknown> = {};
  if (options.maxConns !== undefined) picked["maxConnections"] = Number(options.maxConns);
  if (options.multiplex !== undefined) picked["multiplexed"] = options.multiplex;
  for (const name of Object.keys(GATEWAY_OPTIONS)) {
    // To node http it is the time to receive a request.
    const own = name === "requestTimeout" ? "responseTimeout" : name;
    if (options[own] !== undefined) picked[name] = options[own];
  }
  refuseMisspelt(options);
  return picked;
}

function refuseMisspelt(options: ServerOptions): void {
  const told = new Set(Object.values(options.valueMap ?? {}));
  for (const name of Object.keys(options)) {
    if (KNOWN.includes(name) || OF_NODE.has(name) || told.has(name)) continue;
    const guess = didYouMean(name, KNOWN);
    if (guess !== "")
      throw new ConfigError("CONFIG_UNKNOWN_OPTION", `there is no option ${name}${guess}`, { key: name });
  }
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
