/** A genuine `http.IncomingMessage` over an exchange. */
import { IncomingMessage } from "node:http";

import { requestHeaders, requestLine } from "../cgi/request-head.ts";
import type { HeaderOptions, RequestHeaders } from "../cgi/request-head.ts";
import { type CgiVariables, serverVariables } from "../cgi/variables.ts";
import type { Params } from "../exchange.ts";
import { ExchangeSocket } from "./exchange-socket.ts";
import { UpgradeSocket } from "./upgrade-socket.ts";
import { isUnseen, Lazy, seen, seenBare } from "./lazy-object.ts";

/** `http.IncomingMessage` or a class derived from it, as `http.createServer` takes one. */
export type IncomingMessageClass = new (socket: never) => IncomingMessage;

/** What a gateway adds to a request. */
export interface GatewayRequest extends IncomingMessage {
  /** Where the app is mounted: "" for the whole server, else "/james". */
  baseUrl: string;
  /** REQUEST_URI as the client sent it, the mount included. */
  originalUrl: string;
  /** The variables that the web server set; never a client's header. Frozen, without a prototype. */
  cgi: CgiVariables;
}

// Node's own accessors: a class derived from IncomingMessage may have put others over them.
const HEADERS = accessor("headers");
const DISTINCT = accessor("headersDistinct");

/** What a request shows when it is looked at: until then a stand-in is in its place. */
class Lookable extends Lazy {
  readonly #request: GatewayRequest;
  readonly #params: Params;
  readonly #options: HeaderOptions;
  readonly #headers: RequestHeaders["headers"] = {};
  readonly #rawHeaders: string[] = [];
  readonly #distinct: NodeJS.Dict<string[]> = {};
  readonly #cgi: Record<string, string> = {};
  readonly #headersStandIn: object;
  readonly #rawHeadersStandIn: object;
  readonly #distinctStandIn: object;
  readonly #cgiStandIn: object;

  constructor(request: GatewayRequest, params: Params, options: HeaderOptions) {
    super();
    this.#request = request;
    this.#params = params;
    this.#options = options;
    HEADERS.set.call(request, (this.#headersStandIn = this.standIn(this.#headers)));
    request.rawHeaders = this.#rawHeadersStandIn = this.standIn(this.#rawHeaders);
    DISTINCT.set.call(request, (this.#distinctStandIn = this.standIn(this.#distinct)));
    request.cgi = this.#cgiStandIn = this.standIn(this.#cgi);
  }

  protected fill(target: object): void {
    if (target === this.#cgi) this.#makeCgi();
    else if (target === this.#distinct) this.#makeDistinct();
    else this.makeHeaders();
  }

  /** Makes the headers, and puts them in the places that the app has not put others in. */
  makeHeaders(): void {
    const request = this.#request;
    const headers = this.#headers;
    const rawHeaders = this.#rawHeaders;
    if (!isUnseen(headers)) return;
    seen(headers);
    seen(rawHeaders);
    requestHeaders(this.#params, this.#options, { headers, rawHeaders });
    if (HEADERS.get.call(request) === this.#headersStandIn) HEADERS.set.call(request, headers);
    if (request.rawHeaders === this.#rawHeadersStandIn) request.rawHeaders = rawHeaders;
  }

  #makeDistinct(): void {
    this.makeHeaders();
    const rawHeaders = this.#rawHeaders;
    const distinct = this.#distinct;
    seenBare(distinct);
    for (let i = 0; i < rawHeaders.length; i += 2) {
      (distinct[rawHeaders[i]!.toLowerCase()] ??= []).push(rawHeaders[i + 1]!);
    }
    const request = this.#request;
    if (DISTINCT.get.call(request) === this.#distinctStandIn) DISTINCT.set.call(request, distinct);
  }

  #makeCgi(): void {
    const variables = this.#cgi;
    seenBare(variables);
    Object.freeze(Object.assign(variables, serverVariables(this.#params)));
    if (this.#request.cgi === this.#cgiStandIn) this.#request.cgi = variables;
  }
}

function accessor(name: "headers" | "headersDistinct"): { get(): object; set(value: object): void } {
  return Object.getOwnPropertyDescriptor(IncomingMessage.prototype, name) as {
    get(): object;
    set(value: object): void;
  };
}

/**
 * The typed form of `req.cgi`: the variables that the web server set for a request, REMOTE_USER or SSL_CLIENT_S_DN
 * among them, and none that a client can set by a header.
 *
 * @example
 * ```ts
 * import { cgi, createServer } from "propylon";
 *
 * const server = createServer((req, res) => {
 *   const { REMOTE_USER: user = "nobody", REMOTE_ADDR: address } = cgi(req);
 *   res.end(`${user} from ${address}\n`);
 * });
 * server.listen("/run/propylon/app.sock");
 * // GET / as ada: ada from 127.0.0.1
 * ```
 *
 * @throws TypeError if the request did not come through a gateway.
 */
export function cgi(request: IncomingMessage): CgiVariables {
  const socket: object = request.socket;
  if (!(socket instanceof ExchangeSocket || socket instanceof UpgradeSocket)) {
    throw new TypeError("cgi(req): the request did not come through a propylon gateway");
  }
  return (request as GatewayRequest).cgi;
}

/**
 * Makes the request that `params` describe.
 *
 * @throws RequestError where the variables make no HTTP request.
 */
export function createRequest(
  RequestClass: IncomingMessageClass,
  socket: ExchangeSocket | UpgradeSocket,
  params: Params,
  mount: string,
  options: HeaderOptions,
): GatewayRequest {
  const line = requestLine(params, mount);
  const request = new RequestClass(socket as never) as GatewayRequest;
  request.method = line.method;
  request.url = line.url;
  request.baseUrl = line.baseUrl;
  request.originalUrl = line.originalUrl;
  request.httpVersion = line.httpVersion;
  request.httpVersionMajor = line.httpVersionMajor;
  request.httpVersionMinor = line.httpVersionMinor;
  const lookable = new Lookable(request, params, options);
  if (options.conflictingHeaders === "refuse") lookable.makeHeaders();
  return request;
}
