/** Node's own HTTP server for development: the same app without a web server in front. */
import { once } from "node:events";
import { type IncomingMessage, STATUS_CODES, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

import { adaptApp } from "../app/adapt.ts";
import type { UpgradeListener } from "../app/handler.ts";
import { handlerOf } from "../app/node-handler.ts";
import { hooksAfterResponses } from "../app/after-response.ts";
import { asError, isForClient, textOf } from "../app/thrown.ts";
import { ConfigError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { readServerSettings } from "./options.ts";
import type { ServerFactory } from "./servers.ts";

/** Paste's own keys for its HTTP server that say how it works inside; Node's server has no use for them. */
const PASTE_KEYS = /^(?:protocol_version|socket_timeout|use_threadpool|request_queue_size|threadpool_.*)$/;

/** Requests in hand may take so long when the server closes. Milliseconds. */
const GRACE = 30_000;

/** `egg:Paste#http` and `propylon#http`: host 127.0.0.1, port 8080. */
export const httpServer: ServerFactory = (_globalConf, localConf, aid) => {
  if ("ssl_pem" in localConf) {
    throw new ConfigError(
      "CONFIG_NOT_SUPPORTED",
      "this server has no TLS; put a web server in front",
      aid.placeOf("ssl_pem"),
    );
  }
  const own = Object.entries(localConf).filter(([key]) => !PASTE_KEYS.test(key));
  const { listen } = readServerSettings(Object.fromEntries(own), aid, ["listen"]);
  const { host = "127.0.0.1", port = 8080, ...others } = listen;
  for (const key of Object.keys(others)) {
    throw new ConfigError("CONFIG_UNKNOWN_OPTION", "an HTTP server listens on host and port", aid.placeOf(key));
  }
  return async (app, { where = "the app" } = {}) => {
    const adapted = await adaptApp(app, { where });
    const handler = handlerOf(adapted);
    const server = createServer((request, response) => void answer(handler, request, response, aid.log));
    const upgraded = new Set<Duplex>();
    const { upgrade } = adapted;
    // Without a listener node takes an upgrade for any other request.
    if (upgrade?.wanted() === true) {
      server.on("upgrade", (request, socket, head) => {
        upgraded.add(socket);
        socket.once("close", () => upgraded.delete(socket));
        void accept(upgrade, { request, socket, head }, aid.log);
      });
    }
    server.listen({ host, port });
    await once(server, "listening");
    const { address, family, port: bound } = server.address() as AddressInfo;
    return {
      where: `http://${family === "IPv6" ? `[${address}]` : address}:${bound}/`,
      close: async () => {
        const grace = setTimeout(() => server.closeAllConnections(), GRACE).unref();
        // They are none of the server's connections any more, and would keep it open.
        for (const socket of upgraded) socket.destroy();
        await new Promise<void>((resolve) => void server.close(() => resolve()));
        clearTimeout(grace);
        await hooksAfterResponses(GRACE);
      },
    };
  };
};

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** As behind the gateway: what the app throws is logged and answered 500, or breaks the answer off. */
async function answer(
  handler: Handler,
  request: IncomingMessage,
  response: ServerResponse,
  log: Logger,
): Promise<void> {
  // As behind a web server that has the app at its root.
  Object.assign(request, { baseUrl: "", originalUrl: request.url });
  try {
    await handler(request, response);
  } catch (error) {
    const thrown = asError(error);
    log.error(`${request.method} ${request.url}: ${textOf(thrown)}`);
    if (response.headersSent) response.destroy();
    else if (isForClient(thrown)) {
      response.writeHead(thrown.status, { "content-type": "text/plain" }).end(`${STATUS_CODES[thrown.status]}\n`);
    } else response.writeHead(500, { "content-type": "text/plain" }).end("Internal Server Error\n");
  }
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

async function accept(listener: UpgradeListener, { request, socket, head }: Upgrade, log: Logger): Promise<void> {
  Object.assign(request, { baseUrl: "", originalUrl: request.url });
  try {
    await listener.call(request, socket, head);
  } catch (error) {
    log.error(`upgrade ${request.url}: ${error instanceof Error ? error.stack : String(error)}`);
    socket.destroy();
  }
}
