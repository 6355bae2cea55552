/** Filters round a handler: compression, and an answer for what an app throws. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { NodeHandler } from "../app/handler.ts";
import { asError, textOf } from "../app/thrown.ts";
import type { Logger } from "../log.ts";

/** `level`: 0 to 9, -1 for zlib's own choice. Only for clients that take it, and only what gains by it. */
export async function gzip(app: NodeHandler, { level }: { readonly level: number }): Promise<NodeHandler> {
  // Most servers have no use for it.
  const { default: compression } = await import("compression");
  const compress = compression({
    level,
    filter: (request, response) => !isAsItIs(response) && compression.filter(request, response),
  });
  return async (request, response) => {
    await new Promise<void>((resolve, reject) => {
      compress(request as never, response as never, (error: unknown) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
    return await app(request, response);
  };
}

/** Events would wait in the compressor for more of them; a range is of the bytes that are not compressed. */
function isAsItIs(response: ServerResponse): boolean {
  return (
    response.hasHeader("content-range") || /^text\/event-stream\b/i.test(String(response.getHeader("content-type")))
  );
}

/** Answers 500 for what `app` throws and logs it; with `debug` the answer shows the stack to a client on this machine. */
export function errorCatcher(
  app: NodeHandler,
  { debug, log }: { readonly debug: boolean; readonly log: Logger },
): NodeHandler {
  return async (request, response) => {
    try {
      return await app(request, response);
    } catch (error) {
      // The answer has begun: whoever runs the app breaks it off.
      if (response.headersSent) throw error;
      const stack = textOf(asError(error));
      log.error(`${request.method} ${request.url}: ${stack}`);
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      response.writeHead(500, "Internal Server Error", {
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
      });
      return response.end(`500 Internal Server Error\n${debug && isHere(request) ? `\n${stack}\n` : ""}`);
    }
  };
}

/** A client on a Unix socket has no address. */
function isHere({ socket }: IncomingMessage): boolean {
  const address = socket.remoteAddress ?? "";
  return address === "" || address === "::1" || /^(?:::ffff:)?127\./.test(address);
}
