/** The library's server: used as `http.Server` is, it answers a web server over FastCGI, SCGI or AJP. */
import { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import type { ExchangeSocket } from "../app/exchange-socket.ts";
import { AppHost } from "../app/host.ts";
import type { UpgradeListener } from "../app/handler.ts";
import { Lazy, seenBare } from "../app/lazy-object.ts";
import { sendfileFront } from "../app/sendfile-front.ts";
import { ConfigError } from "../errors.ts";
import type { Role } from "../exchange.ts";
import type { ListenAddress } from "../gateway/listen-address.ts";
import { Gateway } from "../gateway/server.ts";
import { silentLogger } from "../log.ts";
import type { LibraryRequest, ListenOptions, ServerEvents, ServerOptions } from "./options.ts";
import { gatewayOptions, gatewayValues } from "./node-fastcgi-options.ts";

/** The event that carries each role. */
const ROLE_EVENTS = { responder: "request", authorizer: "authorize", filter: "filter" } as const;

/** The descriptor of a web server's listening socket in the process it has spawned (FastCGI 1.0 section 2.2). */
const FCGI_LISTENSOCK_FILENO = 0;

/**
 * Events: `request`, `authorize` and `filter` (req, res); `upgrade` (req, socket, head), with the option `upgrade`;
 * `listening`, `close`, `error` (ListenError);
 * `clientError` (ProtocolError, socket) for a web server that breaks the protocol; `timeout` (socket).
 */
export class Server extends EventEmitter<ServerEvents> {
  readonly #gateway: Gateway;
  /** Milliseconds without a byte after which a request's socket emits 'timeout'; 0 for never. */
  timeout = 0;
  // There for the sake of code that sets them on an `http.Server`: the gateway's own limits are options.
  maxHeadersCount: number | null = null;
  maxRequestsPerSocket: number | null = null;
  headersTimeout = 0;
  keepAliveTimeout = 0;
  requestTimeout = 0;

  /** @throws ConfigError CONFIG_BAD_VALUE for an option out of its range, CONFIG_UNKNOWN_OPTION for one that is misspelt. */
  constructor(options: ServerOptions = {}) {
    super({ captureRejections: true });
    Object.assign(this, { [EventEmitter.captureRejectionSymbol]: this.#rejected });
    const log = options.log ?? silentLogger;
    const handle = (event: string) => (message: IncomingMessage, response: ServerResponse) => {
      const request = message as LibraryRequest;
      const socket = request.socket as unknown as ExchangeSocket;
      request.cgiParams = new CgiParams(request).shown;
      if (this.timeout > 0) socket.setTimeout(this.timeout);
      // The three events of a role differ in their type alone.
      this.emit(event as "request", request, response);
    };
    const upgrade: UpgradeListener = {
      wanted: () => this.listenerCount("upgrade") > 0,
      call: (message, socket, head) => {
        const request = message as LibraryRequest;
        request.cgiParams = new CgiParams(request).shown;
        return this.emit("upgrade", request, socket, head);
      },
    };
    const host = new AppHost({
      app: { kind: "node", handler: handle(ROLE_EVENTS.responder), upgrade },
      authorizer: handle(ROLE_EVENTS.authorizer),
      filter: handle(ROLE_EVENTS.filter),
      mount: options.mount ?? "auto",
      conflictingHeaders: options.conflictingHeaders ?? "merge",
      maxResponseHeader: options.maxResponseHeader ?? 64 * 1024,
      earlyHints: options.earlyHints ?? false,
      debug: false,
      captureConsole: options.captureConsole ?? false,
      requestContext: options.requestContext ?? false,
      sendfile: sendfileFront(options, (key) => ({ key })),
      log,
      server: this,
      ...(options.IncomingMessage === undefined ? {} : { IncomingMessage: options.IncomingMessage }),
      ...(options.ServerResponse === undefined ? {} : { ServerResponse: options.ServerResponse }),
    });
    this.#gateway = new Gateway({
      dispatcher: host,
      protocol: options.protocol ?? "fastcgi",
      options: gatewayOptions(options),
      values: gatewayValues(options),
      serves: (role: Role) => this.listenerCount(ROLE_EVENTS[role]) > 0,
      log,
    });
    this.#gateway.on("listening", () => {
      host.options.debug = options.debug === true && this.#gateway.private;
      this.emit("listening");
    });
    this.#gateway.on("close", () => this.emit("close"));
    this.#gateway.on("error", (error: Error) => this.emit("error", error));
    this.#gateway.on("connection", (socket) => this.emit("connection", socket));
    this.#gateway.on("clientError", (error, socket) => this.emit("clientError", error, socket));
  }

  get listening(): boolean {
    return this.#gateway.listening;
  }

  /** What happened so far, by reason: monotonic numbers. */
  get counters(): Readonly<Record<string, number>> {
    return this.#gateway.counters;
  }

  /**
   * Listens on a TCP port, a Unix socket or an inherited descriptor, as `net.Server.listen` does; without an address on
   * descriptor 0, where a web server puts the socket of an app that it spawns. Bound when the call returns, but for a
   * host name and for a stale socket file in the way. Faults come as 'error' with a ListenError.
   */
  listen(callback?: () => void): this;
  listen(port: number | string, host?: string, backlog?: number, callback?: () => void): this;
  listen(port: number | string, host?: string, callback?: () => void): this;
  listen(port: number | string, callback?: () => void): this;
  listen(path: string, callback?: () => void): this;
  listen(options: ListenOptions, callback?: () => void): this;
  listen(...args: unknown[]): this {
    const callback = args.find((arg) => typeof arg === "function") as (() => void) | undefined;
    if (callback !== undefined) this.once("listening", callback);
    this.#gateway.listen(toAddress(args.filter((arg) => typeof arg !== "function")));
    return this;
  }

  /** Takes no more connections, lets the requests in hand finish, then emits 'close'. */
  close(callback?: (error?: Error) => void): this {
    this.#gateway.close(callback);
    return this;
  }
  closeIdleConnections(): void {
    this.#gateway.closeIdleConnections();
  }
  closeAllConnections(): void {
    this.#gateway.closeAllConnections();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => void this.close(() => resolve()));
  }

  address(): AddressInfo | string | null {
    return this.#gateway.address();
  }
  getConnections(callback: (error: Error | null, count: number) => void): this {
    this.#gateway.getConnections(callback);
    return this;
  }
  ref(): this {
    this.#gateway.ref();
    return this;
  }
  unref(): this {
    this.#gateway.unref();
    return this;
  }

  /** Sets `timeout` for the requests to come. */
  setTimeout(ms = 0, callback?: (socket: ExchangeSocket) => void): this {
    this.timeout = ms;
    if (callback !== undefined) this.on("timeout", callback);
    return this;
  }

  /** A handler that is an async function has rejected. */
  #rejected(error: Error, event: string | symbol, ...args: unknown[]): void {
    const request = args[0] as { socket?: ExchangeSocket } | undefined;
    if (([...Object.values(ROLE_EVENTS), "upgrade"] as (string | symbol)[]).includes(event))
      request?.socket?.fail(error);
    else this.emit("error", error);
  }
}

/** `req.cgiParams`: a stand-in until it is looked into. */
class CgiParams extends Lazy {
  readonly #request: LibraryRequest;
  readonly shown: Record<string, string> = this.standIn({});

  constructor(request: LibraryRequest) {
    super();
    this.#request = request;
  }

  protected fill(params: Record<string, string>): void {
    const socket = this.#request.socket as unknown as ExchangeSocket;
    seenBare(params);
    Object.assign(params, socket.params);
    if (this.#request.cgiParams === this.shown) this.#request.cgiParams = params;
  }
}

function toAddress(args: unknown[]): ListenAddress {
  const [first, host] = args;
  if (first === undefined || first === null) return { fd: FCGI_LISTENSOCK_FILENO };
  if (typeof first === "object") return fromOptions(first);
  if (typeof first === "string" && !/^\d+$/.test(first)) return { path: first };
  return { port: Number(first), ...(typeof host === "string" ? { host } : {}) };
}

function fromOptions(options: ListenOptions): ListenAddress {
  const { fd, path, port, host, mode, umask, owner, group } = options;
  if (fd !== undefined) return { fd };
  if (path !== undefined) {
    return {
      path,
      ...(mode === undefined ? {} : { mode }),
      ...(umask === undefined ? {} : { umask }),
      ...(owner === undefined ? {} : { owner }),
      ...(group === undefined ? {} : { group }),
    };
  }
  if (port === undefined) throw new ConfigError("CONFIG_BAD_VALUE", "listen() needs a port, a path or an fd");
  return { port, ...(host === undefined ? {} : { host }) };
}
