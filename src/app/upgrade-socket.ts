/**
 * The socket that a listener of 'upgrade' gets: a `Duplex` over one exchange. What is written is an HTTP/1.1 answer, as
 * on node's own socket: its head first, and after a 101 the bytes of the tunnel.
 */
import { Duplex } from "node:stream";

import { allVariables, variable } from "../cgi/variables.ts";
import type { Params } from "../exchange.ts";
import { familyOf, isEncrypted, localAddressOf, portOf, type SocketAddress, socketAddress } from "./socket-facts.ts";

type WriteCallback = (error?: Error | null) => void;

/** What the socket needs of the exchange it stands for. */
export interface UpgradeHandle {
  readonly params: Params;
  readonly server: object | undefined;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** The app reads. */
  wantBytes(): void;
  /** `callback` is called once the bytes have left. */
  write(chunk: Buffer, callback: WriteCallback): void;
  /** The app writes nothing more; `callback` is called once all has left. */
  end(callback: WriteCallback): void;
  /** The socket is destroyed, by whomever. */
  destroyed(error: Error | null): void;
  /** The app has thrown or rejected. */
  appFailed(thrown: unknown): void;
}

interface Written {
  readonly chunk: Buffer;
}

export class UpgradeSocket extends Duplex {
  readonly #exchange: UpgradeHandle;
  #timer: NodeJS.Timeout | null = null;
  #params: Record<string, string> | null = null;
  /** Milliseconds, as given to `setTimeout`; 0 for none. */
  timeout = 0;

  constructor(exchange: UpgradeHandle) {
    // As a net.Socket of node's http server: the app decides when it ends its side.
    super({ allowHalfOpen: true });
    this.#exchange = exchange;
  }

  get connecting(): boolean {
    return false;
  }
  get pending(): boolean {
    return false;
  }
  get readyState(): string {
    if (this.destroyed) return "closed";
    if (this.readable) return this.writable ? "open" : "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }
  get bytesRead(): number {
    return this.#exchange.bytesRead;
  }
  get bytesWritten(): number {
    return this.#exchange.bytesWritten;
  }
  /** The server that took the request, as on node's own sockets. */
  get server(): object | undefined {
    return this.#exchange.server;
  }
  get encrypted(): boolean {
    return isEncrypted(this.#exchange.params);
  }
  /** The client's address (REMOTE_ADDR), not the web server's. */
  get remoteAddress(): string | undefined {
    return variable(this.#exchange.params, "REMOTE_ADDR");
  }
  get remotePort(): number | undefined {
    return portOf(this.#exchange.params, "REMOTE_PORT");
  }
  get remoteFamily(): string | undefined {
    return familyOf(this.remoteAddress);
  }
  get localAddress(): string | undefined {
    return localAddressOf(this.#exchange.params);
  }
  get localPort(): number | undefined {
    return portOf(this.#exchange.params, "SERVER_PORT");
  }
  get localFamily(): string | undefined {
    return familyOf(this.localAddress);
  }
  address(): SocketAddress {
    return socketAddress(this.#exchange.params);
  }
  /** All variables, those of client headers (HTTP_*) among them. */
  get params(): Record<string, string> {
    return (this.#params ??= allVariables(this.#exchange.params));
  }

  override _read(): void {
    this.#exchange.wantBytes();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.touch();
    this.#exchange.write(chunk, callback);
  }

  /** What was written while earlier bytes were on their way leaves together. */
  override _writev(written: readonly Written[], callback: WriteCallback): void {
    this.touch();
    this.#exchange.write(Buffer.concat(written.map(({ chunk }) => chunk)), callback);
  }

  override _final(callback: WriteCallback): void {
    this.#exchange.end(callback);
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#exchange.destroyed(error);
    callback(error);
  }

  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
    if (this.writable) this.end();
  }

  /** The app has failed: 500 if no head is out yet, else the tunnel ends. */
  fail(thrown: unknown): void {
    this.#exchange.appFailed(thrown);
  }

  /** A byte has come or gone. */
  touch(): void {
    this.#timer?.refresh();
  }

  /** Emits 'timeout' after `ms` milliseconds without a byte in or out, and does nothing else, as a `net.Socket`. */
  setTimeout(ms: number, callback?: () => void): this {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.timeout = ms;
    if (callback !== undefined) {
      if (ms === 0) this.removeListener("timeout", callback);
      else this.once("timeout", callback);
    }
    if (ms > 0 && !this.destroyed) this.#timer = setTimeout(() => this.emit("timeout"), ms).unref();
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}
