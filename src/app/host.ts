/** Runs one app: a `Dispatcher` that gives each exchange to a handler in this thread, and answers for its faults. */
import http from "node:http";

import type { Dispatcher, RequestHead, RequestSink, ResponseSink } from "../exchange.ts";
import type { AppHandler } from "./adapt.ts";
import { hookAuthorizer } from "./authorizer.ts";
import { type ConsoleCapture, captureConsole } from "./console-capture.ts";
import type { ExchangeSocket } from "./exchange-socket.ts";
import { UPGRADE_REFUSED, upgradeOf } from "../cgi/upgrade.ts";
import type { ExchangeHost, HostedCall, HostingOptions, NodeHandler, UpgradeHost } from "./handler.ts";
import { HostedExchange } from "./hosted-exchange.ts";
import { handlerOf } from "./node-handler.ts";
import { runInContext } from "./request-context.ts";
import type { IncomingMessageClass } from "./request.ts";
import type { ServerResponseClass } from "./response.ts";
import type { UpgradeSocket } from "./upgrade-socket.ts";
import { UpgradedExchange } from "./upgraded-exchange.ts";

export interface AppHostOptions extends HostingOptions {
  /** Answers the responder role. */
  readonly app: AppHandler;
  /** Answers the authorizer role. Default: `app`. */
  readonly authorizer?: NodeHandler;
  /** Answers the filter role. Default: `app`. */
  readonly filter?: NodeHandler;
  /** What the app writes to `console` while it serves a request goes to the web server's error log too. */
  readonly captureConsole: boolean;
  /** `requestContext()` knows the request. Default false. */
  readonly requestContext?: boolean;
  readonly IncomingMessage?: IncomingMessageClass;
  readonly ServerResponse?: ServerResponseClass;
}

export class AppHost implements Dispatcher, ExchangeHost, UpgradeHost {
  readonly options: AppHostOptions & ExchangeHost["options"];
  readonly #responder: NodeHandler;
  readonly #console: ConsoleCapture | null;

  constructor(options: AppHostOptions) {
    this.options = {
      ...options,
      IncomingMessage: options.IncomingMessage ?? http.IncomingMessage,
      ServerResponse: options.ServerResponse ?? http.ServerResponse,
    };
    this.#responder = handlerOf(options.app);
    this.#console = options.captureConsole ? captureConsole() : null;
  }

  dispatch(head: RequestHead, response: ResponseSink): RequestSink {
    const upgraded = head.tunnel === true && this.#upgrades(head);
    const exchange = upgraded ? new UpgradedExchange(head, response, this) : new HostedExchange(head, response, this);
    exchange.run();
    return exchange;
  }

  callUpgrade(request: http.IncomingMessage, socket: UpgradeSocket, rest: Buffer, exchange: HostedCall): unknown {
    const { upgrade } = this.options.app;
    return this.#inContext(request, exchange, () => upgrade!.call(request, socket, rest));
  }

  call(request: http.IncomingMessage, response: http.ServerResponse, exchange: HostedCall): unknown {
    const handler = this.#handlerOf(exchange.head, response);
    return this.#inContext(request, exchange, () => handler(request, response));
  }

  timedOut(socket: ExchangeSocket): boolean {
    return this.options.server?.emit("timeout", socket) ?? false;
  }

  #inContext(request: http.IncomingMessage, exchange: HostedCall, call: () => unknown): unknown {
    const run = (): unknown => (this.#console === null ? call() : this.#console.run(exchange, call));
    return this.options.requestContext === true ? runInContext({ id: exchange.head.id, request }, run) : run();
  }

  /** Somebody listens for upgrades, and the request asks for one. */
  #upgrades(head: RequestHead): boolean {
    const { upgrade } = this.options.app;
    return upgrade !== undefined && head.role === "responder" && upgrade.wanted() && upgradeOf(head.params) !== null;
  }

  #handlerOf(head: RequestHead, response: http.ServerResponse): NodeHandler {
    switch (head.role) {
      case "responder":
        // A client may be left without h2c, but a WebSocket is nothing without its upgrade.
        if (head.tunnel !== true && this.#upgrades(head) && upgradeOf(head.params) === "websocket")
          return refuseUpgrade;
        return this.#responder;
      case "authorizer":
        hookAuthorizer(response);
        return this.options.authorizer ?? this.#responder;
      case "filter":
        return this.options.filter ?? this.#responder;
    }
  }
}

function refuseUpgrade(_request: http.IncomingMessage, response: http.ServerResponse): void {
  response
    .writeHead(501, { "Content-Type": "text/plain; charset=utf-8" })
    .end(`501 Not Implemented\n\n${UPGRADE_REFUSED}\n`);
}
