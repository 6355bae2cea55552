/** Where the gateway listens: an address and port, a Unix socket's path, or a descriptor that is inherited. */
import dns from "node:dns";
import { readFileSync } from "node:fs";
import cluster from "node:cluster";
import { type AddressInfo, isIP, type Server } from "node:net";
import type { ConfigPlace } from "../errors.ts";
import type { Logger } from "../log.ts";
import { isUnixSocket } from "./descriptor.ts";
import { bindUnixSocket, type UnixSocketAddress } from "./unix-socket.ts";

export interface TcpAddress {
  /**
   * An IPv4 or IPv6 address (in brackets or not) or a name. Default 127.0.0.1, which is also what `localhost` means
   * here; `::` listens on IPv4 too. Any other name is looked up, so that the server is bound only some ticks later.
   */
  readonly host?: string | undefined;
  /** 0 for any free port. */
  readonly port: number;
}

export interface DescriptorAddress {
  readonly fd: number;
  /** In a cluster's worker: the number is that of a descriptor of its own, not of one of its primary's. */
  readonly exclusive?: boolean | undefined;
  /** What systemd calls it. */
  readonly name?: string | undefined;
  /** Nobody has handed it over: it can be told of such a server where its status is, but it cannot be started. */
  readonly missing?: { readonly why: string; readonly place: ConfigPlace } | undefined;
}

export type ListenAddress = TcpAddress | UnixSocketAddress | DescriptorAddress;

export interface Bound {
  /**
   * Removes the Unix socket if it is still ours. To be called before the server is closed, since the number of its
   * inode may be another file's afterwards. Harmless when repeated; does nothing for the other kinds of address.
   */
  close(): void;
}

export interface BindOptions {
  /** How many connections may wait for accept(2); the system caps it at net.core.somaxconn. */
  readonly backlog: number;
  readonly log: Logger;
}

/**
 * Makes `server` listen at `address`. It is bound when the call returns, except where a name has to be looked up or
 * something stands at a Unix socket's path, which is probed first. As with net.Server, 'listening' or 'error' is emitted
 * in a later tick: a ListenError for Unix sockets, for the others the error of Node (EADDRINUSE, EACCES).
 *
 * @throws RangeError (ERR_SOCKET_BAD_PORT), Error (ERR_SERVER_ALREADY_LISTEN), as net.Server does.
 */
export function bind(server: Server, address: ListenAddress, options: BindOptions): Bound {
  warnOfLowLimit(options);
  if (server.listening) server.listen(address); // Throws, before anything is done about a second path.
  if ("path" in address) return { close: bindUnixSocket(server, address, options) };
  if ("fd" in address) listenOnDescriptor(server, address, options.backlog);
  else listenOnTcp(server, address, options.backlog);
  return { close: () => {} };
}

/** Nobody but this machine can reach it. Of a descriptor that is known of Unix sockets alone. */
export function isPrivate(address: ListenAddress): boolean {
  if ("path" in address) return true;
  if ("fd" in address) return address.missing !== undefined || isUnixSocket(address.fd);
  const host = address.host?.replace(/^\[(.*)\]$/, "$1") || "127.0.0.1";
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** For people: the path, `127.0.0.1:6500`, `descriptor 0`, `descriptor 3 (web)`. */
export function describeAddress(bound: AddressInfo | string | null, wanted: ListenAddress): string {
  if ("path" in wanted) return wanted.path;
  if ("fd" in wanted) return `descriptor ${wanted.fd}${wanted.name === undefined ? "" : ` (${wanted.name})`}`;
  if (bound === null || typeof bound === "string") return String(wanted.port);
  return bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}

/** Of all addresses net.Server asks a cluster's primary about descriptors even where it is told that they are exclusive. */
function listenOnDescriptor(server: Server, { fd, exclusive = false }: DescriptorAddress, backlog: number): void {
  const { isPrimary } = cluster;
  const asked = cluster as { isPrimary: boolean };
  if (exclusive) asked.isPrimary = true;
  try {
    server.listen({ fd }, backlog);
  } finally {
    asked.isPrimary = isPrimary;
  }
}

function listenOnTcp(server: Server, address: TcpAddress, backlog: number): void {
  const host = address.host?.replace(/^\[(.*)\]$/, "$1") || "127.0.0.1";
  const ip = host === "localhost" ? "127.0.0.1" : host;
  const listen = (): unknown => server.listen({ host: ip, port: address.port, backlog });
  if (isIP(ip) === 0) listen();
  else withKnownAddress(ip, listen);
}

/**
 * net.Server asks dns.lookup even about what is an address already, and gets the answer a tick later. Programs read
 * `server.address().port` right after listen(), so for the time of this one synchronous call the answer comes at once.
 */
function withKnownAddress(address: string, listen: () => void): void {
  const genuine = dns.lookup;
  const family = isIP(address);
  const answer = (_name: string, ...rest: unknown[]): void => {
    const callback = rest.pop() as (error: null, address: unknown, family?: number) => void;
    const all = (rest[0] as dns.LookupOptions | undefined)?.all === true;
    if (all) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
  dns.lookup = answer as typeof dns.lookup;
  try {
    listen();
  } finally {
    dns.lookup = genuine;
  }
}

function warnOfLowLimit({ backlog, log }: BindOptions): void {
  let limit: number;
  try {
    limit = Number(readFileSync("/proc/sys/net/core/somaxconn", "latin1"));
  } catch {
    return; // Another system; its limit is not known here.
  }
  if (limit < backlog) log.warn(`backlog ${backlog} is more than the system allows: net.core.somaxconn is ${limit}`);
}
