/** The gateway itself: listens, accepts, lets in who is allowed, drains, closes. */
import { EventEmitter } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Dispatcher, ExchangeRecord, ProtocolName, Role } from "../exchange.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { RequestReport } from "../report.ts";
import { steadyNow } from "../steady-clock.ts";
import type { Binding, Setting, Wire } from "./bindings/binding.ts";
import { AjpBinding } from "./bindings/ajp.ts";
import { FastCgiBinding } from "./bindings/fastcgi.ts";
import { ScgiBinding } from "./bindings/scgi.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { type Counters, createCounters } from "./counters.ts";
import { Deadlines } from "./deadlines.ts";
import { type Bound, bind, isPrivate, type ListenAddress } from "./listen-address.ts";
import { connectionLimit } from "./open-files.ts";
import { GATEWAY_OPTIONS, type GatewayOptions, resolveGatewayOptions } from "./options.ts";
import { PeerGuard } from "./peers.ts";
import { RequestIds } from "./request-ids.ts";
import { secretMissing } from "./secret.ts";

export interface GatewaySetup {
  readonly dispatcher: Dispatcher;
  readonly protocol: ProtocolName;
  readonly options?: Partial<GatewayOptions>;
  /** Whether a role is served, asked for each request. Default: those of the option `roles`. */
  readonly serves?: (role: Role) => boolean;
  /** What FCGI_GET_VALUES is answered for these names, beside or in place of the gateway's own three. */
  readonly values?: Readonly<Record<string, string>>;
  /** Default: says nothing. */
  readonly log?: Logger;
  /** Hears of every request, dispatched or refused, once it is over. Must not throw. */
  readonly accessLog?: ((record: ExchangeRecord) => void) | undefined;
}

export interface GatewayEvents {
  listening: [];
  close: [];
  error: [Error];
  connection: [Socket];
  clientError: [Error, Socket];
}

const PROTOCOLS: Readonly<Record<ProtocolName, (wire: Wire) => Binding>> = {
  fastcgi: (wire) => new FastCgiBinding(wire),
  scgi: (wire) => new ScgiBinding(wire),
  ajp: (wire) => new AjpBinding(wire),
};

/** So many connections above the maximum are told that the gateway is overloaded; those beyond are just closed. */
const TOLD_OF_OVERLOAD = 128;
/** So many refusals are logged, each peer once: a port scan shall not fill the log. */
const LOGGED_REFUSALS = 100;

/**
 * Takes exchanges off web servers and hands them to a dispatcher.
 *
 * Events: `listening`, `close`, `error`; `connection` (socket) for each one that was let in; `clientError` (error,
 * socket) for a peer that breaks the protocol, just before its connection is closed.
 */
export class Gateway extends EventEmitter<GatewayEvents> implements ConnectionOwner {
  readonly options: GatewayOptions;
  readonly setting: Setting & { draining: boolean; retiring: boolean };
  readonly bind: (wire: Wire) => Binding;
  readonly #server: Server;
  readonly #peers: PeerGuard;
  readonly #connections = new Set<Connection>();
  readonly #maxConnections: number;
  readonly #refusals = new Set<string>();
  /** Nobody but this machine can reach the address: asking each socket for its peer's costs 5 µs. */
  #private = false;
  #wanted: ListenAddress | null = null;
  #bound: Bound | null = null;
  #grace: NodeJS.Timeout | null = null;

  /** @throws ConfigError CONFIG_BAD_VALUE, CONFIG_UNKNOWN_OPTION for `options`. */
  constructor(setup: GatewaySetup) {
    super();
    const { dispatcher, protocol, options: given, serves, values, log = silentLogger, accessLog = null } = setup;
    const options = resolveGatewayOptions(given);
    this.options = options;
    this.bind = PROTOCOLS[protocol];
    this.#peers = new PeerGuard(options.allowedClients);
    this.#maxConnections = Math.min(options.maxConnections, connectionLimit());
    this.setting = {
      dispatcher,
      options,
      counters: createCounters(),
      clock: new Deadlines(this.#connections, shortestTimeout(options)),
      requestIds: new RequestIds(),
      log,
      accessLog,
      serves: serves ?? ((role) => options.roles.includes(role)),
      values: { ...ownValues(options, this.#maxConnections), ...values },
      draining: false,
      retiring: false,
    };
    this.#server = createServer({ allowHalfOpen: true });
    this.#server.on("connection", (socket) => this.#accept(socket));
    this.#server.on("listening", () => {
      this.#private = isLocal(this.#server.address());
      // Of an inherited Unix socket node does not know the address.
      if (protocol === "ajp" && options.secret === "" && !this.#private && !isPrivate(this.#wanted!)) {
        this.#bound?.close();
        this.#server.close();
        this.emit("error", secretMissing());
      } else {
        this.emit("listening");
      }
    });
    this.#server.on("error", (error) => this.emit("error", error));
    this.#server.on("close", () => {
      if (this.#grace !== null) clearTimeout(this.#grace);
      this.#grace = null;
      // A socket that failed tells its connection of its end after it has told the server.
      for (const connection of this.#connections) connection.destroy("CONNECTION_LOST");
      this.emit("close");
    });
  }

  get listening(): boolean {
    return this.#server.listening && !this.setting.draining;
  }

  get counters(): Readonly<Counters> {
    return this.setting.counters;
  }

  /**
   * Listens at `address`; bound when the call returns, but for host names and for a stale socket file in the way. Faults
   * come as 'error', a ConfigError where AJP needs a secret and has none.
   *
   * @throws Error ERR_SERVER_ALREADY_LISTEN, RangeError for a port out of range, as net.Server does.
   */
  listen(address: ListenAddress): this {
    this.#bound = bind(this.#server, address, { backlog: this.options.backlog, log: this.setting.log });
    // What throws above changes nothing: a gateway that closes goes on with it.
    this.#wanted = address;
    this.setting.draining = false;
    this.setting.retiring = false;
    return this;
  }

  /**
   * Takes no more connections but those that wait to be accepted, at most `backlog` and for a quarter of `gracefulTimeout`;
   * lets the requests in hand finish for `gracefulTimeout` and then ends them. A connection without a request is closed when it has been silent for `retireIdle`: one that is on
   * its way is answered, and the connection ends together with its answer. `callback` and 'close' come when all
   * connections are gone; `callback` gets an error if it did not listen.
   */
  close(callback?: (error?: Error) => void): this {
    const { gracefulTimeout } = this.options;
    this.#bound?.close();
    const { listening } = this.#server;
    // The system would reset the connections that wait to be accepted, which count for the grace, too.
    if (listening) this.#closeAfterBacklog(callback);
    else this.#server.close(callback);
    this.setting.draining = true;
    for (const connection of this.#connections) connection.drain();
    if (gracefulTimeout > 0 && (listening || this.#connections.size > 0)) {
      this.#grace ??= setTimeout(() => this.closeAllConnections(), gracefulTimeout).unref();
    }
    return this;
  }

  /**
   * For a process that another one replaces, which listens on the same socket: takes no more connections, and serves
   * those that are kept until they have been silent for `retireIdle`, since a request may be on its way to us. In the
   * last quarter of `gracefulTimeout` a connection ends together with its next answer: between the two no request can be
   * on its way.
   */
  retire(callback?: (error?: Error) => void): this {
    const { gracefulTimeout } = this.options;
    this.#server.close(callback);
    this.setting.retiring = true;
    for (const connection of this.#connections) connection.retire();
    if (gracefulTimeout > 0 && this.#connections.size > 0) {
      const last = gracefulTimeout / 4;
      this.#grace ??= setTimeout(() => this.#endRetirement(last), gracefulTimeout - last).unref();
    }
    return this;
  }

  /** Nobody but this machine can reach the address at which it listens. */
  get private(): boolean {
    return this.#private;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** The requests that are open, the oldest first. */
  get requests(): RequestReport[] {
    const requests = [...this.#connections].flatMap((connection) => connection.requests);
    return requests.sort((a, b) => a.since - b.since);
  }

  #endRetirement(left: number): void {
    for (const connection of this.#connections) connection.endWithAnswer();
    this.#grace = setTimeout(() => this.closeAllConnections(), left).unref();
  }

  /** Closes the connections on which no request is open. */
  closeIdleConnections(): void {
    for (const connection of this.#connections) if (connection.idle) connection.shut();
  }

  /** Ends all connections at once; requests that are open end with SHUTTING_DOWN. */
  closeAllConnections(): void {
    for (const connection of this.#connections) connection.destroy("SHUTTING_DOWN");
  }

  address(): AddressInfo | string | null {
    return this.#server.address();
  }

  getConnections(callback: (error: Error | null, count: number) => void): this {
    this.#server.getConnections(callback);
    return this;
  }

  ref(): this {
    this.#server.ref();
    return this;
  }

  unref(): this {
    this.#server.unref();
    return this;
  }

  // For the connections: ConnectionOwner.

  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }

  clientError(error: Error, socket: Socket): void {
    this.emit("clientError", error, socket);
  }

  /** Closes once a turn of the event loop, which accepts one or two of those that wait, has brought none. */
  #closeAfterBacklog(callback?: (error?: Error) => void): void {
    const { backlog, gracefulTimeout } = this.options;
    const { counters } = this.setting;
    const came = (): number => counters.accepted + counters.refusedPeers;
    const last = came() + backlog;
    const until = gracefulTimeout > 0 ? steadyNow() + gracefulTimeout / 4 : Infinity;
    const turn = (before: number): void =>
      afterOneTurn(() => {
        const now = came();
        if (now > before && now < last && steadyNow() < until) turn(now);
        else this.#server.close(callback);
      });
    turn(came());
  }

  #accept(socket: Socket): void {
    const { counters, clock } = this.setting;
    if (!this.#private && !this.#peers.allows(socket)) {
      this.#refuse(socket);
      return;
    }
    counters.accepted++;
    const above = this.#connections.size - this.#maxConnections;
    if (above >= 0) counters.overloaded++;
    if (above >= TOLD_OF_OVERLOAD) {
      socket.destroy();
      return;
    }
    this.#connections.add(new Connection(this, socket, above >= 0));
    clock.run();
    this.emit("connection", socket);
  }

  #refuse(socket: Socket): void {
    const reason = this.#peers.describe(socket);
    this.setting.counters.refusedPeers++;
    if (this.#refusals.size < LOGGED_REFUSALS && !this.#refusals.has(reason)) {
      this.#refusals.add(reason);
      this.setting.log.warn(reason);
    }
    socket.destroy();
  }
}

/** Once the event loop has looked at all sockets. */
function afterOneTurn(action: () => void): void {
  setImmediate(() => void setImmediate(action));
}

function isLocal(address: AddressInfo | string | null): boolean {
  if (address === null || typeof address === "string") return address !== null;
  return address.address === "::1" || address.address.startsWith("127.");
}

function shortestTimeout(options: GatewayOptions): number {
  let shortest = Number.POSITIVE_INFINITY;
  for (const [name, { kind }] of Object.entries(GATEWAY_OPTIONS)) {
    const value = options[name as keyof GatewayOptions];
    if (kind === "ms" && typeof value === "number" && value > 0) shortest = Math.min(shortest, value);
  }
  return shortest;
}

/** FastCGI 1.0 section 4.1. */
function ownValues(
  { multiplexed, maxIdsPerConnection }: GatewayOptions,
  maxConnections: number,
): Record<string, string> {
  return {
    FCGI_MAX_CONNS: String(maxConnections),
    FCGI_MAX_REQS: String(multiplexed ? maxConnections * maxIdsPerConnection : maxConnections),
    FCGI_MPXS_CONNS: multiplexed ? "1" : "0",
  };
}
