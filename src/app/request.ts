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

const HEAD = Symbol("propylon.head");

/** What a request is made of, and its headers once they are made. */
interface Head {
  readonly params: Params;
  readonly options: HeaderOptions;
  headers: RequestHeaders | null;
}

interface HookedRequest extends GatewayRequest {
  [HEAD]: Head;
}

/** The headers, made when they are first asked for: a request that nobody looks at more closely costs no more. */
function headersOf(request: HookedRequest): RequestHeaders {
  const head = request[HEAD];
  if (head.headers === null) {
    head.headers = requestHeaders(head.params, head.options);
    Object.defineProperty(request, "headersDistinct", DISTINCT_ACCESSOR);
  }
  return head.headers;
}

/** Own accessors, since Express replaces prototypes. Of all that is done to make a request they cost the most. */
const HEADERS_ACCESSOR: PropertyDescriptor & ThisType<HookedRequest> = {
  get() {
    return headersOf(this).headers;
  },
  set(headers: RequestHeaders["headers"]) {
    this[HEAD].headers = { ...headersOf(this), headers };
  },
  enumerable: false,
  configurable: true,
};
const RAW_HEADERS_ACCESSOR: PropertyDescriptor & ThisType<HookedRequest> = {
  get() {
    return headersOf(this).rawHeaders;
  },
  set(rawHeaders: string[]) {
    this[HEAD].headers = { ...headersOf(this), rawHeaders };
  },
  enumerable: true,
  configurable: true,
};

/** Read by so few that it may hang on a prototype, until the headers are read: then it is the request's own. */
const DISTINCT_ACCESSOR: PropertyDescriptor & ThisType<HookedRequest> = {
  get() {
    return distinct(this);
  },
  enumerable: false,
  configurable: true,
};

/**
 * `Base`, but for the `rawHeaders` that its constructor makes: an accessor is to take their place, and one that replaces
 * a value is dear.
 */
export function withLazyHeaders(Base: IncomingMessageClass): IncomingMessageClass {
  const Derived = class extends Base {};
  Object.defineProperty(Derived, "name", { value: Base.name });
  Object.defineProperty(Derived.prototype, "rawHeaders", { get: () => [], set: () => {}, configurable: true });
  Object.defineProperty(Derived.prototype, "headersDistinct", DISTINCT_ACCESSOR);
  return Derived;
}

/**
 * The typed form of `req.cgi`: the variables that the web server set for a request, REMOTE_USER or SSL_CLIENT_S_DN
 * among them, and none that a client can set by a header.
 *
 * @throws TypeError if the request did not come through a gateway.
 */
export function cgi(request: IncomingMessage): CgiVariables {
  if ((request as HookedRequest)[HEAD] === undefined) {
    throw new TypeError("cgi(req): the request did not come through a propylon gateway");
  }
  return (request as HookedRequest).cgi;
}

/**
 * Makes the request that `params` describe.
 *
 * @param RequestClass from `withLazyHeaders`.
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
  const head: Head = { params, options, headers: null };
  if (options.conflictingHeaders === "refuse") head.headers = requestHeaders(params, options);
  else announcedLength(params);
  const request = new RequestClass(socket as never) as HookedRequest;
  request.method = line.method;
  request.url = line.url;
  request.baseUrl = line.baseUrl;
  request.originalUrl = line.originalUrl;
  request.httpVersion = line.httpVersion;
  request.httpVersionMajor = line.httpVersionMajor;
  request.httpVersionMinor = line.httpVersionMinor;
  request[HEAD] = head;
  Object.defineProperty(request, "headers", HEADERS_ACCESSOR);
  Object.defineProperty(request, "rawHeaders", RAW_HEADERS_ACCESSOR);
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
