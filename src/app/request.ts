/** A genuine `http.IncomingMessage` over an exchange. */
import type { IncomingMessage } from "node:http";

import { announcedLength } from "../cgi/body-framing.ts";
import { requestHeaders, requestLine } from "../cgi/request-head.ts";
import type { HeaderOptions, RequestHeaders } from "../cgi/request-head.ts";
import { type CgiVariables, serverVariables } from "../cgi/variables.ts";
import type { Params } from "../exchange.ts";
import type { ExchangeSocket } from "./exchange-socket.ts";
import { lazyObject } from "./lazy-object.ts";

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

const PARAMS = Symbol("propylon.params");
const OPTIONS = Symbol("propylon.headerOptions");
const HEADERS = Symbol("propylon.headers");

interface HookedRequest extends GatewayRequest {
  [PARAMS]: Params;
  [OPTIONS]: HeaderOptions;
  [HEADERS]: RequestHeaders | null;
}

/** The headers, made when they are first asked for: a request that nobody looks at more closely costs no more. */
function headersOf(request: HookedRequest): RequestHeaders {
  return (request[HEADERS] ??= requestHeaders(request[PARAMS], request[OPTIONS]));
}

/** Own accessors, since Express replaces prototypes. Of all that is done to make a request they cost the most. */
const HEADERS_ACCESSOR: PropertyDescriptor & ThisType<HookedRequest> = {
  get() {
    return headersOf(this).headers;
  },
  set(headers: RequestHeaders["headers"]) {
    this[HEADERS] = { ...headersOf(this), headers };
  },
  enumerable: false,
  configurable: true,
};
const RAW_HEADERS_ACCESSOR: PropertyDescriptor & ThisType<HookedRequest> = {
  get() {
    return headersOf(this).rawHeaders;
  },
  set(rawHeaders: string[]) {
    this[HEADERS] = { ...headersOf(this), rawHeaders };
  },
  enumerable: true,
  configurable: true,
};

/**
 * `Base`, but for its own `rawHeaders`: what its constructor would make, an accessor is to take the place of, and one
 * that replaces a value is dear.
 */
export function withoutRawHeaders(Base: IncomingMessageClass): IncomingMessageClass {
  const Derived = class extends Base {};
  Object.defineProperty(Derived, "name", { value: Base.name });
  Object.defineProperty(Derived.prototype, "rawHeaders", { get: () => [], set: () => {}, configurable: true });
  return Derived;
}

/**
 * The typed form of `req.cgi`: the variables that the web server set for a request, REMOTE_USER or SSL_CLIENT_S_DN
 * among them, and none that a client can set by a header.
 *
 * @throws TypeError if the request did not come through a gateway.
 */
export function cgi(request: IncomingMessage): CgiVariables {
  const params = (request as HookedRequest)[PARAMS];
  if (params === undefined) throw new TypeError("cgi(req): the request did not come through a propylon gateway");
  return (request as HookedRequest).cgi;
}

/**
 * Makes the request that `params` describe.
 *
 * @param RequestClass from `withoutRawHeaders`.
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
  const headers = options.conflictingHeaders === "refuse" ? requestHeaders(params, options) : null;
  announcedLength(params);
  const request = new RequestClass(socket as never) as HookedRequest;
  request.method = line.method;
  request.url = line.url;
  request.baseUrl = line.baseUrl;
  request.originalUrl = line.originalUrl;
  request.httpVersion = line.httpVersion;
  request.httpVersionMajor = line.httpVersionMajor;
  request.httpVersionMinor = line.httpVersionMinor;
  request[PARAMS] = params;
  request[OPTIONS] = options;
  request[HEADERS] = headers;
  Object.defineProperty(request, "headers", HEADERS_ACCESSOR);
  Object.defineProperty(request, "rawHeaders", RAW_HEADERS_ACCESSOR);
  request.headersDistinct = lazyObject(distinct, request);
  request.cgi = lazyObject(serverVariables, params);
  return request;
}

function distinct({ rawHeaders }: IncomingMessage): NodeJS.Dict<string[]> {
  const headers: NodeJS.Dict<string[]> = Object.create(null);
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    (headers[rawHeaders[i]!.toLowerCase()] ??= []).push(rawHeaders[i + 1]!);
  }
  return headers;
}
