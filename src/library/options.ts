/** What the library's `createServer` and `listen` take. Types only. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

import type { AuthorizerResponse } from "../app/authorizer.ts";
import type { ExchangeSocket } from "../app/exchange-socket.ts";
import type { FetchApp } from "../app/fetch.ts";
import type { GatewayRequest, IncomingMessageClass } from "../app/request.ts";
import type { ServerResponseClass } from "../app/response.ts";
import type { ProtocolName } from "../exchange.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import type { Logger } from "../log.ts";

export type Mount = "auto" | "/" | `/${string}`;

/** What a handler of the library's server gets. */
export interface LibraryRequest extends GatewayRequest {
  /** node-fastcgi's name of `req.socket.params`: all variables, those of client headers (HTTP_*) among them. */
  cgiParams: Record<string, string>;
}

/** `(req, res)` of the responder and filter roles. */
export type RequestHandler = (request: LibraryRequest, response: ServerResponse) => unknown;
/** `(req, res)` of the authorizer role. */
export type AuthorizerHandler = (request: LibraryRequest, response: AuthorizerResponse) => unknown;
/** What the library's server emits. */
export interface ServerEvents {
  request: [LibraryRequest, ServerResponse];
  authorize: [LibraryRequest, AuthorizerResponse];
  filter: [LibraryRequest, ServerResponse];
  /** `head` is empty. */
  upgrade: [LibraryRequest, Duplex, Buffer];
  connection: [Socket];
  timeout: [ExchangeSocket];
  clientError: [Error, Socket];
  listening: [];
  close: [];
  error: [Error];
}

/** An app of the form `{ fetch(request) }`. */
export interface FetchObject {
  readonly fetch: FetchApp;
}

/** Everything `createServer` takes. Times are milliseconds, sizes are bytes; see the option tables for the defaults. */
export interface ServerOptions extends Partial<Omit<GatewayOptions, "requestTimeout">> {
  /** The protocol that the web server speaks. Default "fastcgi". */
  readonly protocol?: ProtocolName;
  /** Where the app is mounted: "auto" (what the web server says, the default), "/" or "/james". */
  readonly mount?: Mount;
  /** What to do with a header that came more than once: "merge" (as node http does, the default), "drop" or "refuse". */
  readonly conflictingHeaders?: "merge" | "drop" | "refuse";
  /** Bytes of a response head; a larger one is answered 500. Default 65536. */
  readonly maxResponseHeader?: number;
  /**
   * What a response says before its head (`writeEarlyHints`, `writeProcessing`; not `writeContinue`) is sent, but to a
   * client of HTTP/1.0; at most `maxResponseHeader` bytes an answer. lighttpd passes it on. Any other web server takes it for
   * the answer; to those that say over FastCGI or SCGI who they are, nothing is sent. Default false: it is dropped.
   */
  readonly earlyHints?: boolean;
  /** The answer to a failure shows its stack, where only this machine can reach the server. Default false. */
  readonly debug?: boolean;
  /** What a request writes to `console` goes to the web server's error log too. Costs some speed. Default false. */
  readonly captureConsole?: boolean;
  /** `requestContext()` tells which request code works for. Costs some speed. Default false. */
  readonly requestContext?: boolean;
  /**
   * How the web server is told to send a file (`sendFile`): `x-sendfile` (Apache's mod_xsendfile, lighttpd, Caddy)
   * or `x-accel-redirect` (nginx). Default: it is not told, and this process sends the file.
   */
  readonly sendfile?: "x-sendfile" | "x-accel-redirect";
  /** The directory, absolute, whose files the web server may send; others are sent by this process. Needed with `sendfile`. */
  readonly sendfileRoot?: string;
  /** nginx's internal location whose alias that directory is, `/internal/`. Needed with `x-accel-redirect`. */
  readonly sendfileUri?: string;
  /** Hears of faults. Default: nobody. */
  readonly log?: Logger;
  /**
   * Time to the response head, else 504; what a configuration file calls `request_timeout`. In node http `requestTimeout`
   * is the time to receive a request, so that name is passed over here: `headerTimeout` and `bodyTimeout` bound that.
   * Default 0, no limit.
   */
  readonly responseTimeout?: number;
  /** As for `http.createServer`: classes to use in place of node's. */
  readonly IncomingMessage?: IncomingMessageClass;
  readonly ServerResponse?: ServerResponseClass;
  /** node-fastcgi's name of `maxConnections`, which also takes a number as text. */
  readonly maxConns?: number | string;
  /** node-fastcgi's: what FCGI_MAX_REQS is answered. */
  readonly maxReqs?: number | string;
  /** node-fastcgi's name of `multiplexed`. */
  readonly multiplex?: boolean;
  /** node-fastcgi's: names that FCGI_GET_VALUES may ask for, and the option each one is answered with. */
  readonly valueMap?: Readonly<Record<string, string>>;
  readonly [additional: string]: unknown;
}

/** Where to listen, as `net.Server.listen` takes it, and what a Unix socket needs beside. */
export interface ListenOptions {
  readonly port?: number;
  readonly host?: string;
  readonly path?: string;
  readonly fd?: number;
  readonly mode?: number;
  readonly umask?: number;
  readonly owner?: string | number;
  readonly group?: string | number;
}
