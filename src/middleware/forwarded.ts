/** What proxies before the web server say of the client: X-Forwarded-* or RFC 7239, from those who are trusted. */
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

import proxyAddr from "proxy-addr";

import { ConfigError, type ConfigPlace } from "../errors.ts";

/** What trusted proxies say; undefined where they say nothing, or nothing that makes sense. */
export interface Forwarded {
  readonly address?: string;
  readonly scheme?: "http" | "https";
  /** May have a port. */
  readonly host?: string;
  /** The names of the headers that were used; the app need not see them. */
  readonly headers: readonly string[];
}

/** Whom to believe: addresses and CIDR blocks (`loopback`, `linklocal`, `uniquelocal` too), or how many proxies there are. */
export type TrustedProxies = readonly string[] | number;

type Trust = (address: string, hop: number) => boolean;
type Read = (request: IncomingMessage, trust: Trust) => Forwarded | null;

const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
/** One pair of RFC 7239 section 4, and what ends it. */
const PAIR = /\s*(?:([!#$%&'*+.^_`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))\s*)?([;,]|$)/y;

/** @throws ConfigError CONFIG_BAD_VALUE */
export function compileTrust(trusted: TrustedProxies, place: ConfigPlace): Trust {
  if (typeof trusted === "number") return (_address, hop) => hop < trusted;
  try {
    return proxyAddr.compile([...trusted]);
  } catch (error) {
    throw new ConfigError("CONFIG_BAD_VALUE", (error as Error).message, { key: "trusted_proxies", ...place });
  }
}

/** The de-facto headers, each a list to which every proxy may add at the right. */
export const readXForwarded: Read = (request, trust) => {
  const { headers } = request;
  const addresses = trustedChain(request, headerText(headers["x-forwarded-for"]), trust);
  if (addresses === null) return null;
  const names = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-server",
    "x-forwarded-proto",
    "x-forwarded-scheme",
  ];
  const said = (name: string): string | undefined => {
    const list = headerText(headers[name])?.split(",");
    return list === undefined ? undefined : pick(list, addresses.length - 1)?.trim();
  };
  return {
    ...understood({
      address: addresses.at(-1),
      scheme: said("x-forwarded-scheme") ?? said("x-forwarded-proto"),
      host: said("x-forwarded-host") ?? said("x-forwarded-server"),
    }),
    headers: names.filter((name) => headers[name] !== undefined),
  };
};

/** The standard's one header. An element that does not keep to its grammar says nothing, nor do those before it. */
export const readForwarded: Read = (request, trust) => {
  const elements = parseForwarded(headerText(request.headers["forwarded"]) ?? "");
  const named = elements.map((element) => nodeAddress(element["for"] ?? ""));
  const addresses = trustedChain(request, named.length > 0 ? named.join(",") : undefined, trust);
  if (addresses === null) return null;
  const element = pick(elements, addresses.length - 1) ?? {};
  return {
    ...understood({ address: addresses.at(-1), scheme: element["proto"], host: element["host"] }),
    headers: ["forwarded"],
  };
};

/** The web server's peer and, as far as each one is trusted, who stands behind it. Null where the peer is not trusted. */
function trustedChain(request: IncomingMessage, list: string | undefined, trust: Trust): string[] | null {
  const peer = request.socket.remoteAddress;
  if (peer === undefined || !trust(peer, 0)) return null;
  const like = { socket: request.socket, headers: list === undefined ? {} : { "x-forwarded-for": list } };
  return proxyAddr.all(like as IncomingMessage, trust);
}

/** Of a list to which each of `hops` trusted proxies has added one, the first that is theirs. */
function pick<T>(list: readonly T[], hops: number): T | undefined {
  return list[Math.max(0, list.length - Math.max(1, hops))];
}

function understood({
  address = "",
  scheme,
  host = "",
}: Record<"address" | "scheme" | "host", string | undefined>): Omit<Forwarded, "headers"> {
  const word = scheme?.toLowerCase();
  return {
    ...(isIP(address) === 0 ? {} : { address }),
    ...(word === "http" || word === "https" ? { scheme: word } : {}),
    ...(HOST.test(host) ? { host } : {}),
  };
}

/** RFC 7239 section 6: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`; all else is as `unknown`, and counts as one. */
function nodeAddress(node: string): string {
  const address = /^\[([^\]]+)\](?::\S+)?$/.exec(node)?.[1] ?? /^([\d.]+):\S+$/.exec(node)?.[1] ?? node;
  return isIP(address) === 0 ? "unknown" : address;
}

function parseForwarded(text: string): Record<string, string>[] {
  if (text === "") return [];
  const elements: Record<string, string>[] = [];
  let element: Record<string, string> = {};
  PAIR.lastIndex = 0;
  for (;;) {
    const from = PAIR.lastIndex;
    const match = PAIR.exec(text);
    if (match === null) {
      // What a client has sent must not spoil what the proxies have put after it.
      const comma = text.indexOf(",", from);
      elements.length = 0;
      element = {};
      if (comma === -1) return elements;
      PAIR.lastIndex = comma + 1;
      continue;
    }
    const [, name, quoted, plain = "", end] = match;
    if (name !== undefined) element[name.toLowerCase()] = quoted?.replace(/\\(.)/g, "$1") ?? plain;
    if (end === ";") continue;
    elements.push(element);
    if (end === "") return elements;
    element = {};
  }
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(",") : value;
}
