/** How an app is called: what an exchange knows of the host that runs it. Types only. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { HeaderOptions } from "../cgi/request-head.ts";
import type { RequestHead } from "../exchange.ts";
import type { Logger } from "../log.ts";
import type { ExchangeSocket } from "./exchange-socket.ts";
import type { IncomingMessageClass } from "./request.ts";
import type { ServerResponseClass } from "./response.ts";
import type { SendfileFront } from "./sendfile-front.ts";

/** `(req, res)`; a promise is awaited for its rejection alone. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface HostingOptions extends HeaderOptions {
  /** Where the app is mounted: "auto", "/" or "/james". */
  readonly mount: string;
  /** The answer to a failure shows its stack to the client. A server knows when it listens whether it may. */
  debug: boolean;
  /** Bytes; a larger response head is answered 500. */
  readonly maxResponseHeader: number;
  /** What the web server sends by itself. Default: nothing. */
  readonly sendfile?: SendfileFront | undefined;
  readonly log: Logger;
  /** What `req.socket.server` is; hears 'timeout' where neither request nor response do. */
  readonly server?: NodeJS.EventEmitter;
}

/** What a host knows of the exchange that it calls a handler for. */
export interface HostedCall {
  readonly head: RequestHead;
  stderr(chunk: Uint8Array): void;
}

/** What an exchange knows of the host that runs it. */
export interface ExchangeHost {
  readonly options: HostingOptions & {
    readonly IncomingMessage: IncomingMessageClass;
    readonly ServerResponse: ServerResponseClass;
  };
  /** Calls the handler of the exchange's role; throws what it throws. */
  call(request: IncomingMessage, response: ServerResponse, exchange: HostedCall): unknown;
  /** True if a listener of the server's 'timeout' has taken care of `socket`. */
  timedOut(socket: ExchangeSocket): boolean;
}
