/**
 * A genuine `http.ServerResponse` over an exchange. Two hooks, own properties since Express replaces prototypes; each
 * one calls the genuine method that it covers, so that all that packages read of a response is true.
 */
import { type IncomingMessage, ServerResponse } from "node:http";

import type { ExchangeSocket } from "./exchange-socket.ts";

/** `http.ServerResponse` or a class derived from it, as `http.createServer` takes one. */
export type ServerResponseClass = new (request: IncomingMessage) => ServerResponse;

const LINE = Symbol("propylon.responseSocket");

type HookedResponse = ServerResponse & { [LINE]: ExchangeSocket };

/** Makes the response to `request` and assigns `socket` to it. */
export function createResponse(
  ResponseClass: ServerResponseClass,
  request: IncomingMessage,
  socket: ExchangeSocket,
): ServerResponse {
  const response = new ResponseClass(request) as HookedResponse;
  response[LINE] = socket;
  show(response, socket);
  response.writeHead = writeHead;
  response.end = end as HookedResponse["end"];
  return response;
}

/**
 * Gives the response its socket for good, by node's own method: what it wrote so far is written out, and it closes when
 * the socket does. Until then the socket is only there to be seen.
 */
export function assign(response: ServerResponse): void {
  const socket = (response as HookedResponse)[LINE];
  if (socket.assigned) return;
  socket.assigned = true;
  response.assignSocket(socket as never);
}

/**
 * Lets node announce 'drain'. The event belongs to a flag that node keeps for itself and clears only when it flushes
 * what a response wrote before it got its socket; so the response writes nothing at all without a socket, and gets it.
 * Packages that compress put a `write` of their own on responses, which must not hear of it.
 */
export function announceDrain(response: ServerResponse): void {
  const socket = (response as HookedResponse)[LINE];
  response.detachSocket(socket as never);
  ServerResponse.prototype.write.call(response, "", "utf8");
  response.assignSocket(socket as never);
}

/** Node sets `socket` so too, whatever its type declaration says. */
function show(response: { socket: unknown }, socket: ExchangeSocket | null): void {
  response.socket = socket;
}

/** A CGI answer has no chunks: the web server frames the body. */
function writeHead(this: HookedResponse, ...args: unknown[]): HookedResponse {
  (prototypeOf(this).writeHead as (...args: unknown[]) => unknown).apply(this, args);
  this.chunkedEncoding = false;
  // Within end() there is no socket, and what is written waits for its end.
  if (this.socket !== null) assign(this);
  return this;
}

/**
 * Node's `end()` reaches into the stream state of its socket, and ours is no stream. It need not: a response without a
 * socket keeps what it writes, and writes it out when it is assigned one, as a pipelined response does in node http.
 */
function end(this: HookedResponse, ...args: unknown[]): HookedResponse {
  const genuine = prototypeOf(this).end as (...args: unknown[]) => HookedResponse;
  const socket = this[LINE];
  if (this.writableEnded || this.socket === null) return genuine.apply(this, args);
  if (socket.assigned) this.detachSocket(socket as never);
  else show(this, null);
  socket.assigned = false;
  try {
    genuine.apply(this, args);
  } finally {
    if (socket.closed) {
      show(this, socket);
    } else {
      socket.release();
      socket.ending = true;
      assign(this);
      socket.ending = false;
    }
  }
  if (!socket.closed) socket.end();
  return this;
}

/** The prototype as it is now, so that what an app has put on its own response prototype is called too. */
function prototypeOf(response: ServerResponse): ServerResponse {
  return Object.getPrototypeOf(response) as ServerResponse;
}
