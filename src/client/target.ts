/** Where a client connects to: a TCP address or a Unix socket. */
import { createConnection, type Socket } from "node:net";

/** A listening gateway (or any other FastCGI or SCGI responder, or AJP container). `host` is 127.0.0.1 unless said otherwise. */
export type Target = { readonly path: string } | { readonly host?: string | undefined; readonly port: number };

export interface ConnectOptions {
  /** Milliseconds until the connection must stand; 0 = no limit. Default 10,000. */
  readonly connectTimeout?: number | undefined;
  /** Gives up the attempt; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const CONNECT_TIMEOUT = 10_000;

/** For messages: `/run/app.sock`, `127.0.0.1:6500`, `[::1]:6500`. */
export function describeTarget(target: Target): string {
  if ("path" in target) return target.path;
  const host = target.host ?? "127.0.0.1";
  return `${host.includes(":") ? `[${host}]` : host}:${target.port}`;
}

/** An error of the connection that Node has no object for, with the code that the system would give it. */
export function connectionError(code: "ETIMEDOUT" | "ECONNRESET", message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}

/**
 * A connected socket without listeners of ours.
 *
 * @throws the system's error (ECONNREFUSED, ENOENT, EACCES …), an error with code ETIMEDOUT, or the signal's reason.
 */
export function connect(target: Target, options: ConnectOptions = {}): Promise<Socket> {
  const { connectTimeout = CONNECT_TIMEOUT, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(asError(signal.reason));
    const socket =
      "path" in target
        ? createConnection({ path: target.path })
        : createConnection({ host: target.host ?? "127.0.0.1", port: target.port, noDelay: true });
    const timer =
      connectTimeout === 0
        ? undefined
        : setTimeout(() => {
            failed(connectionError("ETIMEDOUT", `no connection to ${describeTarget(target)} in ${connectTimeout} ms`));
          }, connectTimeout);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      socket.off("connect", connected);
      socket.off("error", failed);
    };
    const connected = (): void => {
      settle();
      resolve(socket);
    };
    const failed = (error: Error): void => {
      settle();
      socket.on("error", ignore);
      socket.destroy();
      reject(error);
    };
    const aborted = (): void => failed(asError(signal?.reason));
    signal?.addEventListener("abort", aborted);
    socket.once("connect", connected);
    socket.once("error", failed);
  });
}

/** Lets go of a socket for good. An error that comes after this concerns nobody. */
export function discard(socket: Socket, how: "soon" | "now"): void {
  socket.on("error", ignore);
  if (how === "soon") socket.destroySoon();
  else socket.destroy();
}

/** `AbortSignal.reason` may be anything. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

const ignore = (): void => {};
