/** Runs one app: a `Dispatcher` that gives each exchange to a handler in this thread, and answers for its faults. */
import http from "node:http";

import type { Dispatcher, RequestHead, RequestSink, ResponseSink } from "../exchange.ts";
import type { AppHandler } from "./adapt.ts";
import { hookAuthorizer } from "./authorizer.ts";
import { type ConsoleCapture, captureConsole } from "./console-capture.ts";
import type { ExchangeSocket } from "./exchange-socket.ts";
import type { ExchangeHost, HostedCall, HostingOptions, NodeHandler } from "./handler.ts";
import { HostedExchange } from "./hosted-exchange.ts";
import { handlerOf } from "./node-handler.ts";
import { runInContext } from "./request-context.ts";
import type { IncomingMessageClass } from "./request.ts";
import type { ServerResponseClass } from "./response.ts";

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

export class AppHost implements Dispatcher, ExchangeHost {
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
    const exchange = new HostedExchange(head, response, this);
    exchange.run();
    return exchange;
  }

  call(request: http.IncomingMessage, response: http.ServerResponse, exchange: HostedCall): unknown {
    const handler = this.#handlerOf(exchange.head, response);
    if (this.options.requestContext === true) {
      return runInContext({ id: exchange.head.id, request }, () => this.#run(handler, request, response, exchange));
    }
    return this.#run(handler, request, response, exchange);
  }

  timedOut(socket: ExchangeSocket): boolean {
    return this.options.server?.emit("timeout", socket) ?? false;
  }

  #run(
    handler: NodeHandler,
    request: http.IncomingMessage,
    response: http.ServerResponse,
    exchange: HostedCall,
  ): unknown {
    if (this.#console === null) return handler(request, response);
    return this.#console.run(exchange, () => handler(request, response));
  }

  #handlerOf(head: RequestHead, response: http.ServerResponse): NodeHandler {
    switch (head.role) {
      case "responder":
        return this.#responder;
      case "authorizer":
        hookAuthorizer(response);
        return this.options.authorizer ?? this.#responder;
      case "filter":
        return this.options.filter ?? this.#responder;
    }
  }
}
