/** The gateway's options as one table: name, kind, default and meaning of each bound and timeout. */
import { ConfigError } from "../errors.ts";
import type { Role } from "../exchange.ts";
import { didYouMean } from "../suggest.ts";

/** Sizes are bytes, times are milliseconds. A list is an array of words. A text of nothing is none at all. */
export type OptionKind = "bytes" | "ms" | "count" | "boolean" | "list" | "text";

export interface OptionRow {
  readonly kind: OptionKind;
  readonly default: number | boolean | string | readonly string[];
  /** The least value of a number. A time, rate, size or number of requests of 0 is none at all. */
  readonly min?: number;
  /** The largest value of a number, where the protocol has one. */
  readonly max?: number;
  /** The words that a list may hold, one at least; any word, or none, without it. */
  readonly words?: readonly string[];
  /** One line for the documentation. */
  readonly about: string;
}

/** Every option, frozen, checked and complete: inside the gateway nothing is optional. */
export interface GatewayOptions {
  readonly backlog: number;
  readonly allowedClients: readonly string[];
  readonly roles: readonly Role[];
  readonly maxConnections: number;
  readonly multiplexed: boolean;
  readonly maxIdsPerConnection: number;
  readonly maxParamsBytes: number;
  readonly maxParams: number;
  readonly maxParamName: number;
  readonly maxParamValue: number;
  readonly maxHeadersTotalConnection: number;
  readonly maxHeaderNetstring: number;
  readonly packetSize: number;
  readonly secret: string;
  readonly firstByteTimeout: number;
  readonly headerTimeout: number;
  readonly bodyTimeout: number;
  readonly minBodyRate: number;
  readonly maxBodyBytes: number;
  readonly bodyHighWater: number;
  readonly muxStall: number;
  readonly requestTimeout: number;
  readonly keepaliveTimeout: number;
  readonly keepaliveRequests: number;
  readonly writeStallTimeout: number;
  readonly writeHighWater: number;
  readonly stderrLimit: number;
  readonly drainAfterResponseBytes: number;
  readonly drainAfterResponseTime: number;
  readonly badRecordsPerConnection: number;
  readonly gracefulTimeout: number;
  readonly retireIdle: number;
  readonly halfClose: boolean;
  readonly upgrade: boolean;
  readonly maxUpgrades: number;
  readonly upgradeIdleTimeout: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** A configuration file writes the same words in snake_case. */
export const GATEWAY_OPTIONS: Readonly<Record<keyof GatewayOptions, OptionRow>> = {
  backlog: { kind: "count", default: 511, min: 1, about: "connections that may wait to be accepted" },
  allowedClients: { kind: "list", default: [], about: "TCP peers beyond this machine: addresses and CIDR blocks" },
  roles: {
    kind: "list",
    default: ["responder"],
    words: ["responder", "authorizer", "filter"],
    about: "FastCGI roles that are served; another one is answered 500 and FCGI_UNKNOWN_ROLE",
  },
  maxConnections: {
    kind: "count",
    default: 8192,
    min: 1,
    about: "open connections, capped 64 below the limit of open files; one more is answered 503",
  },
  multiplexed: { kind: "boolean", default: false, about: "several FastCGI requests at a time on one connection" },
  maxIdsPerConnection: { kind: "count", default: 32, min: 2, about: "requests open at a time on one connection" },
  maxParamsBytes: { kind: "bytes", default: 256 * KIB, min: 1, about: "all variables of a FastCGI request; else 431" },
  maxParams: { kind: "count", default: 512, min: 1, about: "variables of a request; else 431" },
  maxParamName: { kind: "bytes", default: 256, min: 1, about: "the name of one variable; else 431" },
  maxParamValue: { kind: "bytes", default: 128 * KIB, min: 1, about: "the value of one variable; else 431" },
  maxHeadersTotalConnection: {
    kind: "bytes",
    default: MIB,
    min: 1,
    about: "unfinished heads of one connection together; else it is closed",
  },
  maxHeaderNetstring: { kind: "bytes", default: 256 * KIB, min: 1, about: "all variables of an SCGI request" },
  packetSize: {
    kind: "bytes",
    default: 8 * KIB,
    min: 8 * KIB,
    max: 64 * KIB,
    about: "an AJP packet to the web server, which has to take as much (ProxyIOBufferSize of mod_proxy_ajp)",
  },
  secret: {
    kind: "text",
    default: "",
    about: "AJP requests without this secret are answered 403; needed where others than this machine can connect",
  },
  firstByteTimeout: { kind: "ms", default: 5_000, min: 0, about: "from accept to the first byte" },
  headerTimeout: { kind: "ms", default: 10_000, min: 0, about: "from the beginning of a request to its last variable" },
  bodyTimeout: { kind: "ms", default: 30_000, min: 0, about: "without a body byte while the app waits for one; 408" },
  minBodyRate: { kind: "bytes", default: 0, min: 0, about: "body bytes a second, once body_timeout has passed; 408" },
  maxBodyBytes: { kind: "bytes", default: 0, min: 0, about: "a request's body; more is answered 413" },
  bodyHighWater: {
    kind: "bytes",
    default: 256 * KIB,
    min: 1,
    about: "body bytes that wait for the app; then reading stops",
  },
  muxStall: {
    kind: "ms",
    default: 1_000,
    min: 1,
    about: "how long a full request may hold up a multiplexed connection before it is aborted",
  },
  requestTimeout: { kind: "ms", default: 0, min: 0, about: "from the last variable to the response head; 504" },
  keepaliveTimeout: { kind: "ms", default: 75_000, min: 0, about: "a kept connection without a request is closed" },
  keepaliveRequests: {
    kind: "count",
    default: 10_000,
    min: 0,
    about: "requests after which a kept connection is closed, spread over 10 % more",
  },
  writeStallTimeout: {
    kind: "ms",
    default: 60_000,
    min: 0,
    about: "256 KiB of an answer wait, or its end, and the web server does not take them",
  },
  writeHighWater: {
    kind: "bytes",
    default: MIB,
    min: 1,
    about: "bytes that wait for the web server on one connection; then no further request is read from it",
  },
  stderrLimit: {
    kind: "bytes",
    default: 8 * KIB,
    min: 1,
    about: "error text of one request; the rest is cut and said to be",
  },
  drainAfterResponseBytes: {
    kind: "bytes",
    default: 256 * KIB,
    min: 1,
    about: "unasked bytes that are read after an answer so that closing does not reset the connection",
  },
  drainAfterResponseTime: {
    kind: "ms",
    default: 1_000,
    min: 1,
    about: "silence after an early answer that ends the wait for the rest of the request",
  },
  badRecordsPerConnection: {
    kind: "count",
    default: 8,
    min: 0,
    about: "FastCGI records that make no sense; then it is closed",
  },
  gracefulTimeout: {
    kind: "ms",
    default: 30_000,
    min: 0,
    about: "how long requests may run on when the gateway closes",
  },
  retireIdle: {
    kind: "ms",
    default: 1_000,
    min: 1,
    about: "a gateway that is replaced, or stops, ends a connection without a request when it is silent for so long",
  },
  halfClose: {
    kind: "boolean",
    default: false,
    about: "a peer that ends its sending side after a whole request still waits for the answer; else it has left",
  },
  upgrade: {
    kind: "boolean",
    default: false,
    about:
      "the web server carries WebSockets: nginx over SCGI, lighttpd from 1.4.74 on over SCGI and FastCGI (not multiplexed)",
  },
  maxUpgrades: {
    kind: "count",
    default: 1024,
    min: 1,
    about: "upgraded connections at a time; one more is answered 503",
  },
  upgradeIdleTimeout: {
    kind: "ms",
    default: 300_000,
    min: 0,
    about: "an upgraded connection without a byte in either direction for so long is ended",
  },
};

/**
 * Checks `given` and fills in the defaults. `undefined` stands for the default.
 *
 * @throws ConfigError CONFIG_UNKNOWN_OPTION with the nearest name, CONFIG_BAD_VALUE.
 */
export function resolveGatewayOptions(given: Partial<GatewayOptions> = {}): GatewayOptions {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(GATEWAY_OPTIONS, name)) {
      throw new ConfigError(
        "CONFIG_UNKNOWN_OPTION",
        `there is no option ${name}${didYouMean(name, Object.keys(GATEWAY_OPTIONS))}`,
        { key: name },
      );
    }
  }
  const values: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(GATEWAY_OPTIONS)) {
    const value: unknown = given[name as keyof GatewayOptions] ?? row.default;
    const fault = faultOf(value, row);
    if (fault !== undefined) throw new ConfigError("CONFIG_BAD_VALUE", fault, { key: name });
    values[name] = Array.isArray(value) ? Object.freeze([...value]) : value;
  }
  return Object.freeze(values) as unknown as GatewayOptions;
}

/** After how many requests a kept connection is closed: spread, so that those opened together are not closed together. */
export function requestsToServe({ keepaliveRequests }: GatewayOptions): number {
  const spread = Math.floor((keepaliveRequests * Math.random()) / 10);
  return keepaliveRequests === 0 ? Number.POSITIVE_INFINITY : keepaliveRequests + spread;
}

function faultOf(value: unknown, { kind, min = 0, max = Infinity, words }: OptionRow): string | undefined {
  const seen = JSON.stringify(value);
  switch (kind) {
    case "text":
      return typeof value === "string" ? undefined : "it is no text";
    case "boolean":
      return typeof value === "boolean" ? undefined : `${seen} is neither true nor false`;
    case "list": {
      if (!Array.isArray(value) || !value.every((word) => typeof word === "string"))
        return `${seen} is no list of words`;
      if (words !== undefined && value.length === 0) return `it holds none of ${words.join(", ")}`;
      const wrong = words === undefined ? undefined : value.find((word: string) => !words.includes(word));
      return wrong === undefined ? undefined : `${JSON.stringify(wrong)} is none of ${words?.join(", ")}`;
    }
    case "bytes":
    case "ms":
    case "count":
      return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
        ? undefined
        : `${seen} is no whole number from ${min}${max === Infinity ? "" : ` to ${max}`}`;
  }
}
