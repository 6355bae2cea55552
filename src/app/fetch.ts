/** Serves an app in the form of `fetch(request)`: a web `Request` in, a `Response` out, streaming both ways. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { NodeHandler } from "./handler.ts";

/** What a fetch app gets as its second argument: the node objects behind the request. */
export interface FetchBindings {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

export type FetchApp = (request: Request, bindings: FetchBindings) => Response | Promise<Response>;

/** A `(req, res)` handler over `fetch`. `request.url` is below the mount, as `req.url` is. */
export function fetchHandler(fetch: FetchApp): NodeHandler {
  return async (incoming, outgoing) => {
    const abort = new AbortController();
    outgoing.once("close", () => {
      if (!outgoing.writableFinished) abort.abort(new DOMException("the client has gone", "AbortError"));
    });
    const body = new RequestBody(incoming);
    const request = toRequest(incoming, body, abort.signal);
    const response = await fetch(request, { incoming, outgoing });
    if (!(response instanceof Response)) {
      throw new TypeError(`fetch must return a Response, it returned ${typeof response}`);
    }
    await send(response, outgoing);
    body.answered();
  };
}

function toRequest(incoming: IncomingMessage, body: RequestBody, signal: AbortSignal): Request {
  const headers = new Headers();
  const { rawHeaders } = incoming;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  const method = incoming.method ?? "GET";
  const init: RequestInit = { method, headers, signal };
  if (method !== "GET" && method !== "HEAD") Object.assign(init, { body: body.stream(), duplex: "half" });
  return new Request(urlOf(incoming), init);
}

/** Scheme and host as the web server tells them; a Host header that makes no URL gives way to "localhost". */
function urlOf(incoming: IncomingMessage): URL {
  const scheme = (incoming.socket as { encrypted?: boolean }).encrypted === true ? "https" : "http";
  const path = incoming.url === undefined || !incoming.url.startsWith("/") ? `/${incoming.url ?? ""}` : incoming.url;
  const host = incoming.headers.host ?? "localhost";
  // A path of "//x" is a path here, never another host: hence the base is given whole.
  return URL.canParse(`${scheme}://${host}${path}`)
    ? new URL(`${scheme}://${host}${path}`)
    : new URL(`${scheme}://localhost${path}`);
}

/** Pulls when the reader asks and not before; cancelling leaves the rest unread, and the answer goes on. */
class RequestBody {
  readonly #incoming: IncomingMessage;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  /** Somebody has asked for some of it. */
  #begun = false;
  readonly #close = (): void => this.#controller!.close();

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
  }

  stream(): ReadableStream<Uint8Array> {
    const incoming = this.#incoming;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          // Before there is a listener: else a first chunk is asked for.
          incoming.pause();
          incoming.on("data", (chunk: Uint8Array) => {
            // Before the chunk is given: who else waits for one asks by that.
            incoming.pause();
            // A plain copy: the chunk may be a view on what was received with it, and some apps look at `chunk.buffer`.
            controller.enqueue(new Uint8Array(chunk));
          });
          incoming.once("end", this.#close);
          incoming.once("error", (error) => controller.error(error));
        },
        pull: () => {
          this.#begun = true;
          incoming.resume();
        },
        cancel: () => this.#leave(),
      },
      { highWaterMark: 0 },
    );
  }

  /** What has not been begun to be read by now is read by nobody, as in node http. */
  answered(): void {
    if (this.#controller === null || this.#begun) return;
    this.#leave();
    this.#controller.error(new Error("the answer was over before the body was read"));
  }

  #leave(): void {
    this.#begun = true;
    this.#incoming.removeAllListeners("data");
    this.#incoming.removeListener("end", this.#close);
    this.#incoming.resume();
  }
}

async function send(response: Response, outgoing: ServerResponse): Promise<void> {
  const headers: string[] = [];
  for (const [name, value] of response.headers) headers.push(name, value);
  if (response.statusText !== "") outgoing.statusMessage = response.statusText;
  outgoing.writeHead(response.status, headers as never);
  if (response.body === null) {
    outgoing.end();
    return;
  }
  const reader = response.body.getReader();
  const stop = (): void => void reader.cancel().catch(() => {});
  outgoing.once("close", stop);
  // The head waits for a first chunk that is at hand, and for no other.
  const flush = setImmediate(() => outgoing.flushHeaders());
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || outgoing.destroyed) break;
      if (!outgoing.write(value)) await drained(outgoing);
    }
  } finally {
    clearImmediate(flush);
  }
  outgoing.removeListener("close", stop);
  outgoing.end();
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.removeListener("drain", done);
      outgoing.removeListener("close", done);
      resolve();
    };
    outgoing.once("drain", done);
    outgoing.once("close", done);
  });
}
