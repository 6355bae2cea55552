/** A FastCGI client that keeps its connections. */
import type { Socket } from "node:net";
import { FastCgiClientReader } from "../protocol/fastcgi/client-reader.ts";
import type { Answer } from "./answer.ts";
import { Exchange } from "./exchange.ts";
import { FastCgiFraming } from "./fastcgi-framing.ts";
import type { Body, FastCgiRequest } from "./request.ts";
import { asError, connect, discard, type Target } from "./target.ts";

export interface FastCgiClientOptions {
  /** So many connections at once; further requests wait in line. Default 128. */
  readonly maxConnections?: number | undefined;
  /** So many of them stay open without a request. Default 8. */
  readonly maxIdle?: number | undefined;
  /** Milliseconds that they stay open: less than the responder's own limit. Default 15,000. */
  readonly idleTimeout?: number | undefined;
}

/** These may be sent twice: the second time has no further effect (RFC 9110 9.2.2). */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/**
 * Sends each request with FCGI_KEEP_CONN, one at a time on a connection, and keeps the connection for the next one.
 * A connection that waits does not keep the process alive.
 */
export class FastCgiClient {
  readonly #target: Target;
  readonly #maxConnections: number;
  readonly #maxIdle: number;
  readonly #idleTimeout: number;
  /** Connections without a request, the youngest last. */
  readonly #idle: IdleConnection[] = [];
  /** Requests that have a connection or are getting one. A new connection is only made when none is idle. */
  #busy = 0;
  /** Requests that wait for one of `maxConnections`, in their order. */
  readonly #waiting = new Set<() => void>();
  #closed = false;

  constructor(target: Target, options: FastCgiClientOptions = {}) {
    this.#target = target;
    this.#maxConnections = options.maxConnections ?? 128;
    this.#maxIdle = options.maxIdle ?? 8;
    this.#idleTimeout = options.idleTimeout ?? 15_000;
  }

  /**
   * As `fastCgiRequest`. A kept connection may turn out to be closed: then, if nothing of an answer has come, and method
   * and body allow it, the request is sent once more on a new connection.
   *
   * @throws what `fastCgiRequest` throws; Error after `close`
   */
  async request(request: FastCgiRequest): Promise<Answer> {
    await this.#admit(request.signal);
    const kept = this.#idle.pop();
    if (kept !== undefined) {
      const exchange = this.#exchange(kept.take(), kept.reader, request);
      try {
        return await exchange.answer;
      } catch (error) {
        if (!exchange.lost || !mayBeRepeated(request)) throw error;
        this.#closeIdle();
      }
      await this.#admit(request.signal);
    }
    let socket: Socket;
    try {
      socket = await connect(this.#target, request);
    } catch (error) {
      this.#leave();
      throw error;
    }
    return this.#exchange(socket, new FastCgiClientReader(), request).answer;
  }

  /** Closes the connections without a request now, the others after theirs. No further request is taken. */
  close(): void {
    this.#closed = true;
    this.#closeIdle();
  }

  #exchange(socket: Socket, reader: FastCgiClientReader, request: FastCgiRequest): Exchange {
    return new Exchange(socket, new FastCgiFraming(request, true, reader), request, true, (reusable) => {
      if (reusable) this.#keep(socket, reader);
      this.#leave();
    });
  }

  #keep(socket: Socket, reader: FastCgiClientReader): void {
    if (this.#closed || this.#idle.length >= this.#maxIdle) return discard(socket, "soon");
    const connection = new IdleConnection(socket, reader, this.#idleTimeout, () => {
      this.#idle.splice(this.#idle.indexOf(connection), 1);
    });
    this.#idle.push(connection);
  }

  #closeIdle(): void {
    for (const connection of this.#idle.splice(0)) discard(connection.take(), "soon");
  }

  /** Resolves when the request may have a connection. */
  async #admit(signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed) throw new Error("the client is closed");
    if (this.#busy >= this.#maxConnections) {
      await new Promise<void>((resolve, reject) => {
        const proceed = (): void => {
          signal?.removeEventListener("abort", aborted);
          resolve();
        };
        const aborted = (): void => {
          this.#waiting.delete(proceed);
          reject(asError(signal?.reason));
        };
        if (signal?.aborted === true) return aborted();
        signal?.addEventListener("abort", aborted, { once: true });
        this.#waiting.add(proceed);
      });
    } else this.#busy += 1;
  }

  /** A request is done with its connection: the next one inherits its place. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#busy -= 1;
    else {
      this.#waiting.delete(next);
      next();
    }
  }
}

/** A connection that waits for its next request. Whatever happens to it meanwhile ends it. */
class IdleConnection {
  readonly reader: FastCgiClientReader;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  readonly #gone: () => void;

  constructor(socket: Socket, reader: FastCgiClientReader, timeout: number, gone: () => void) {
    this.#socket = socket;
    this.reader = reader;
    this.#gone = gone;
    this.#timer = setTimeout(this.#drop, timeout).unref();
    socket.on("data", this.#drop).on("end", this.#drop).on("error", this.#drop).on("close", this.#drop);
    socket.unref();
  }

  take(): Socket {
    const socket = this.#socket;
    clearTimeout(this.#timer);
    socket.off("data", this.#drop).off("end", this.#drop).off("error", this.#drop).off("close", this.#drop);
    return socket.ref();
  }

  readonly #drop = (): void => {
    discard(this.take(), "now");
    this.#gone();
  };
}

function mayBeRepeated({ params, body, data }: FastCgiRequest): boolean {
  const method = params.find(([name]) => name === "REQUEST_METHOD")?.[1] ?? "";
  return IDEMPOTENT.has(method) && isAtHand(body) && isAtHand(data);
}

function isAtHand(body: Body | undefined): boolean {
  return body === undefined || body instanceof Uint8Array;
}
