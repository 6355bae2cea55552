/** A genuine `http.IncomingMessage` over an exchange. */
import type { IncomingMessage } from "node:http";

import { requestHeaders, requestLine } from "../cgi/request-head.ts";
import type { HeaderOptions, RequestHeaders } from "../cgi/request-head.ts";
import { type CgiVariables, serverVariables } from "../cgi/variables.ts";
import type { Params } from "../exchange.ts";
import type { ExchangeSocket } from "./exchange-socket.ts";
import { lazyObject, seen } from "./lazy-object.ts";

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

/** What a request is made of, and what it has to show: filled when first looked at, until when each has a stand-in. */
interface Head {
  readonly params: Params;
  readonly options: HeaderOptions;
  readonly headers: RequestHeaders["headers"];
  readonly rawHeaders: string[];
  readonly distinct: NodeJS.Dict<string[]>;
  readonly cgi: Record<string, string>;
  standIns: Pick<IncomingMessage, "headers" | "rawHeaders"> | null;
  distinctStandIn: object | null;
}

interface HookedRequest extends GatewayRequest {
  [HEAD]: Head;
}

/** Makes the headers, and puts them in the places that the app has not put others in. */
function makeHeaders(request: HookedRequest): void {
  const { params, options, headers, rawHeaders, standIns } = request[HEAD];
  if (standIns === null) return;
  request[HEAD].standIns = null;
  seen(headers);
  seen(rawHeaders);
  requestHeaders(params, options, { headers, rawHeaders });
  if (request.headers === standIns.headers) request.headers = headers;
  if (request.rawHeaders === standIns.rawHeaders) request.rawHeaders = rawHeaders;
}

function makeDistinct(request: HookedRequest): void {
  makeHeaders(request);
  const { rawHeaders, distinct, distinctStandIn } = request[HEAD];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    (distinct[rawHeaders[i]!.toLowerCase()] ??= []).push(rawHeaders[i + 1]!);
  }
  if (request.headersDistinct === distinctStandIn) request.headersDistinct = distinct;
}

function makeCgi(request: HookedRequest): void {
  const { cgi: variables, params } = request[HEAD];
  request.cgi = Object.freeze(Object.assign(variables, serverVariables(params)));
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
  const request = new RequestClass(socket as never) as HookedRequest;
  request.method = line.method;
  request.url = line.url;
  request.baseUrl = line.baseUrl;
  request.originalUrl = line.originalUrl;
  request.httpVersion = line.httpVersion;
  request.httpVersionMajor = line.httpVersionMajor;
  request.httpVersionMinor = line.httpVersionMinor;
  const head: Head = {
    params,
    options,
    headers: {},
    rawHeaders: [],
    distinct: { __proto__: null } as unknown as NodeJS.Dict<string[]>,
    cgi: { __proto__: null } as unknown as Record<string, string>,
    standIns: null,
    distinctStandIn: null,
  };
  request[HEAD] = head;
  const headers = lazyObject(head.headers, makeHeaders, request);
  const rawHeaders = lazyObject(head.rawHeaders, makeHeaders, request);
  const headersDistinct = lazyObject(head.distinct, makeDistinct, request);
  request.headers = headers;
  request.rawHeaders = rawHeaders;
  request.headersDistinct = headersDistinct;
  head.standIns = { headers, rawHeaders };
  head.distinctStandIn = headersDistinct;
  if (options.conflictingHeaders === "refuse") makeHeaders(request);
  request.cgi = lazyObject(head.cgi, makeCgi, request);
  return request;
}
