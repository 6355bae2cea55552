/** How an app is called: what an exchange knows of the host that runs it. Types only. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { HeaderOptions } from "../cgi/request-head.ts";
import type { RequestHead } from "../exchange.ts";
import type { Logger } from "../log.ts";
import type { ExchangeSocket } from "./exchange-socket.ts";
import type { IncomingMessageClass } from "./request.ts";
import type { ServerResponseClass } from "./response.ts";
import type { SendfileFront } from "./sendfile-front.ts";
import type { UpgradeSocket } from "./upgrade-socket.ts";

/** `(req, res)`; a promise is awaited for its rejection alone. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface HostingOptions extends HeaderOptions {
  /** Where the app is mounted: "auto", "/" or "/james". */
  readonly mount: string;
  /** The answer to a failure shows its stack to the client. A server knows when it listens whether it may. */
  debug: boolean;
  /** Bytes; a larger response head is answered 500. */
  readonly maxResponseHeader: number;
  /** The web server passes interim heads on; else they are dropped. */
  readonly earlyHints: boolean;
  /** What the web server sends by itself. Default: nothing. */
  readonly sendfile?: SendfileFront | undefined;
  readonly log: Logger;
  /** What `req.socket.server` is; hears 'timeout' where neither request nor response do. */
  readonly server?: NodeJS.EventEmitter;
}

/** What an app does with an upgrade, as a listener of 'upgrade' of an `http.Server`. */
export interface UpgradeListener {
  /** Somebody listens; without, the request is an ordinary one, as in node http. */
  wanted(): boolean;
  /** A promise is awaited for its rejection alone. Of a gateway the socket is an `UpgradeSocket` and `head` empty. */
  call(request: IncomingMessage, socket: Duplex, head: Buffer): unknown;
}

/** What a host knows of the exchange that it calls a handler for. */
export interface HostedCall {
  readonly head: RequestHead;
  stderr(chunk: Uint8Array): void;
}

interface HostOptions extends HostingOptions {
  readonly IncomingMessage: IncomingMessageClass;
  readonly ServerResponse: ServerResponseClass;
}

/** What an exchange that is to be upgraded knows of the host that runs it. */
export interface UpgradeHost {
  readonly options: HostOptions;
  /** Calls the listener; throws what it throws. */
  callUpgrade(request: IncomingMessage, socket: UpgradeSocket, head: Buffer, exchange: HostedCall): unknown;
}

/** What an exchange knows of the host that runs it. */
export interface ExchangeHost {
  readonly options: HostOptions;
  /** Calls the handler of the exchange's role; throws what it throws. */
  call(request: IncomingMessage, response: ServerResponse, exchange: HostedCall): unknown;
  /** True if a listener of the server's 'timeout' has taken care of `socket`. */
  timedOut(socket: ExchangeSocket): boolean;
}
