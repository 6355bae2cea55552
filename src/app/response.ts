/**
 * A genuine `http.ServerResponse` over an exchange. Some hooks, own properties since Express replaces prototypes; each
 * one calls the genuine method that it covers, so that all that packages read of a response is true.
 */
import { type IncomingMessage, ServerResponse, validateHeaderName, validateHeaderValue } from "node:http";

import type { ExchangeSocket } from "./exchange-socket.ts";

/** `http.ServerResponse` or a class derived from it, as `http.createServer` takes one. */
export type ServerResponseClass = new (request: IncomingMessage) => ServerResponse;

const SOCKET = Symbol("propylon.responseSocket");

type HookedResponse = ServerResponse & { [SOCKET]: ExchangeSocket };

/** Makes the response to `request` and assigns `socket` to it. */
export function createResponse(
  ResponseClass: ServerResponseClass,
  request: IncomingMessage,
  socket: ExchangeSocket,
): ServerResponse {
  const response = new ResponseClass(request) as HookedResponse;
  response[SOCKET] = socket;
  response.writeHead = writeHead;
  response.end = end as HookedResponse["end"];
  response.writeContinue = writeContinue;
  response.writeProcessing = writeProcessing;
  response.writeEarlyHints = writeEarlyHints;
  // The connection is the web server's: node writes nothing of it then, unless the app does.
  ServerResponse.prototype.removeHeader.call(response, "Connection");
  response.assignSocket(socket as never);
  return response;
}

/**
 * Lets node announce 'drain'. The event belongs to a flag that node keeps for itself and clears only when it flushes
 * what a response wrote before it got its socket; so the response writes nothing at all without a socket, and gets it.
 * Packages that compress put a `write` of their own on responses, which must not hear of it.
 */
export function announceDrain(response: ServerResponse): void {
  const socket = (response as HookedResponse)[SOCKET];
  response.detachSocket(socket as never);
  ServerResponse.prototype.write.call(response, "", "utf8");
  response.assignSocket(socket as never);
}

/** A CGI answer has no chunks: the web server frames the body. */
function writeHead(this: HookedResponse, ...args: unknown[]): HookedResponse {
  (prototypeOf(this).writeHead as (...args: unknown[]) => unknown).apply(this, args);
  this.chunkedEncoding = false;
  return this;
}

/** Node writes an interim answer wherever it is, in the midst of a body too: there is no place for one there. */
function writeContinue(this: HookedResponse, callback?: () => void): void {
  if (this.headersSent) tell(callback);
  else prototypeOf(this).writeContinue.call(this, callback);
}

function writeProcessing(this: HookedResponse, callback?: () => void): void {
  if (this.headersSent) tell(callback);
  else prototypeOf(this).writeProcessing.call(this, callback);
}

/** Node checks of them no more than how `link` begins and ends: what else is no header would become the answer. */
function writeEarlyHints(this: HookedResponse, hints: Record<string, string | string[]>, callback?: () => void): void {
  if (this.headersSent) return tell(callback);
  for (const [name, value] of Object.entries(hints ?? {})) {
    validateHeaderName(name);
    validateHeaderValue(name, String(value));
  }
  prototypeOf(this).writeEarlyHints.call(this, hints, callback);
}

function tell(callback: (() => void) | undefined): void {
  if (typeof callback === "function") process.nextTick(callback);
}

/** All that an answer ends with leaves together, and then the exchange hears that it has ended. */
function end(this: HookedResponse, ...args: unknown[]): HookedResponse {
  const genuine = prototypeOf(this).end as (...args: unknown[]) => HookedResponse;
  if (this.writableEnded) return genuine.apply(this, args);
  const socket = this[SOCKET];
  socket.startEnd();
  try {
    genuine.apply(this, args);
  } finally {
    socket.stopEnd();
  }
  // An app may have taken the socket away for a while: what it ends then leaves when it gives it back.
  if (this.socket !== (socket as unknown)) this.once("finish", () => socket.end());
  else if (!socket.closed) socket.end();
  return this;
}

/** The prototype as it is now, so that what an app has put on its own response prototype is called too. */
function prototypeOf(response: ServerResponse): ServerResponse {
  return Object.getPrototypeOf(response) as ServerResponse;
}
