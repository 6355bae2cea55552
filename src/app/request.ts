/** A genuine `http.IncomingMessage` over an exchange. */
import type { IncomingMessage } from "node:http";

import { requestHeaders, requestLine } from "../cgi/request-head.ts";
import type { HeaderOptions, RequestHeaders } from "../cgi/request-head.ts";
import { type CgiVariables, serverVariables } from "../cgi/variables.ts";
import type { Params } from "../exchange.ts";
import { ExchangeSocket } from "./exchange-socket.ts";
import { Bare, Lazy, bare, seen, standsFor } from "./lazy-object.ts";

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

/** What a request shows when it is looked at: until then a stand-in is in its place. */
class Lookable extends Lazy {
  readonly #request: GatewayRequest;
  readonly #params: Params;
  readonly #options: HeaderOptions;
  readonly #headers: RequestHeaders["headers"] = {};
  readonly #rawHeaders: string[] = [];
  readonly #distinct = new Bare() as NodeJS.Dict<string[]>;
  readonly #cgi = new Bare() as CgiVariables;
  #headersMade = false;
  #distinctMade = false;
  #cgiMade = false;

  constructor(request: GatewayRequest, params: Params, options: HeaderOptions) {
    super();
    this.#request = request;
    this.#params = params;
    this.#options = options;
    request.headers = this.standIn(this.#headers);
    request.rawHeaders = this.standIn(this.#rawHeaders);
    request.headersDistinct = this.standIn(this.#distinct);
    request.cgi = this.standIn(this.#cgi);
  }

  protected fill(target: object): void {
    if (target === this.#cgi) this.#makeCgi();
    else if (target === this.#distinct) this.#makeDistinct();
    else this.makeHeaders();
  }

  /** Makes the headers, and puts them in the places that the app has not put others in. */
  makeHeaders(): void {
    if (this.#headersMade) return;
    this.#headersMade = true;
    const request = this.#request;
    const headers = this.#headers;
    const rawHeaders = this.#rawHeaders;
    seen(headers);
    seen(rawHeaders);
    requestHeaders(this.#params, this.#options, { headers, rawHeaders });
    if (standsFor(request.headers, headers)) request.headers = headers;
    if (standsFor(request.rawHeaders, rawHeaders)) request.rawHeaders = rawHeaders;
  }

  #makeDistinct(): void {
    if (this.#distinctMade) return;
    this.#distinctMade = true;
    this.makeHeaders();
    const rawHeaders = this.#rawHeaders;
    const distinct = this.#distinct;
    seen(distinct);
    bare(distinct);
    for (let i = 0; i < rawHeaders.length; i += 2) {
      (distinct[rawHeaders[i]!.toLowerCase()] ??= []).push(rawHeaders[i + 1]!);
    }
    if (standsFor(this.#request.headersDistinct, distinct)) this.#request.headersDistinct = distinct;
  }

  #makeCgi(): void {
    if (this.#cgiMade) return;
    this.#cgiMade = true;
    const variables = this.#cgi;
    seen(variables);
    bare(variables);
    Object.freeze(Object.assign(variables, serverVariables(this.#params)));
    if (standsFor(this.#request.cgi, variables)) this.#request.cgi = variables;
  }
}

/**
 * The typed form of `req.cgi`: the variables that the web server set for a request, REMOTE_USER or SSL_CLIENT_S_DN
 * among them, and none that a client can set by a header.
 *
 * @throws TypeError if the request did not come through a gateway.
 */
export function cgi(request: IncomingMessage): CgiVariables {
  if (!((request.socket as object) instanceof ExchangeSocket)) {
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
  socket: ExchangeSocket,
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
