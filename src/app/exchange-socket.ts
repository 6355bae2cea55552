/**
 * The socket that an app finds at `req.socket` and `res.socket`: one for each request, made of the request's variables.
 *
 * It owns no connection. Node's genuine `IncomingMessage` asks it for body bytes by `resume()`, the genuine
 * `ServerResponse` writes its HTTP/1.1 answer to it, and `destroy()` ends this exchange and no other. A `Writable` it is
 * since a response looks for one behind it; what it does it does itself.
 */
import type { EventEmitter } from "node:events";
import { getDefaultHighWaterMark, Readable, Writable, type WritableOptions } from "node:stream";

import { allVariables, variable } from "../cgi/variables.ts";
import type { Params } from "../exchange.ts";
import { familyOf, isEncrypted, localAddressOf, portOf, type SocketAddress, socketAddress } from "./socket-facts.ts";

type WriteCallback = (error?: Error | null) => void;

/** What the socket needs of the exchange it stands for. */
export interface ExchangeHandle {
  readonly params: Params;
  /** The bytes of the answer that have not left yet. */
  readonly outstanding: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** The request's body has not been read to its end. */
  readonly readable: boolean;
  /** The answer has not ended. */
  readonly writable: boolean;
  readonly server: object | undefined;
  wantBody(): void;
  write(data: string | Uint8Array, encoding: BufferEncoding | null | undefined, callback: WriteCallback | null): void;
  end(): void;
  /** `write` has returned false: 'drain' is owed. */
  backedUp(): void;
  /** 'drain' is still owed. */
  readonly needsDrain: boolean;
  /** Looks whether all has left, and 'drain' is due. */
  flushed(): void;
  /** Ends this exchange before its time. */
  break(error: Error | undefined): void;
  stderr(chunk: Uint8Array): void;
  wantData(): void;
  /** The app has thrown or rejected: answers for it. */
  appFailed(thrown: unknown): void;
  /** The web server is to send this file as the answer's body; false where it may not. */
  handOver(file: string): boolean;
  /** Calls `hook` when the exchange is over. */
  after(hook: () => unknown): void;
  /** True if somebody has taken care of a timeout. */
  timedOut(socket: ExchangeSocket): boolean;
}

/**
 * The method of a socket by which `sendFile` hands a file over to the web server. An app may have another copy of this
 * package than the server that runs it.
 */
export const HAND_OVER: unique symbol = Symbol.for("propylon.handOver");

/** The method of a socket by which `afterResponse` gives a hook. */
export const AFTER: unique symbol = Symbol.for("propylon.after");

/** A `net.Socket` says so of itself: whoever waits for its end does not wait for 'close'. */
const AS_NET_SOCKET: WritableOptions = { emitClose: false };
const HIGH_WATER_MARK = getDefaultHighWaterMark(false);

/** Its accessors are declared as properties, which no accessor may override: so it is an emitter to the compiler. */
const Base = Writable as unknown as new (options: WritableOptions) => EventEmitter & { destroyed: boolean };

export class ExchangeSocket extends Base {
  readonly #exchange: ExchangeHandle;
  #corked = 0;
  #held: [string | Uint8Array, BufferEncoding | null | undefined, WriteCallback | null][] | null = null;
  #heldLength = 0;
  #timer: NodeJS.Timeout | null = null;
  #errorStream: Writable | null = null;
  #dataStream: Readable | null = null;
  #params: Record<string, string> | null = null;

  #ending = false;
  #closed = false;
  #errored: Error | null = null;
  /** Milliseconds, as given to `setTimeout`; 0 for none. */
  timeout = 0;

  // By symbols, which isolated declarations cannot infer as names of methods.
  static {
    Object.defineProperties(this.prototype, {
      [HAND_OVER]: {
        value(this: ExchangeSocket, file: string): boolean {
          return this.#exchange.handOver(file);
        },
      },
      [AFTER]: {
        value(this: ExchangeSocket, hook: () => unknown): void {
          this.#exchange.after(hook);
        },
      },
    });
  }

  constructor(exchange: ExchangeHandle) {
    super(AS_NET_SOCKET);
    this.#exchange = exchange;
  }

  /** True once 'close' was emitted. */
  get closed(): boolean {
    return this.#closed;
  }
  /** The error that `destroy(error)` was called with. */
  get errored(): Error | null {
    return this.#errored;
  }
  get connecting(): boolean {
    return false;
  }
  get pending(): boolean {
    return false;
  }
  get allowHalfOpen(): boolean {
    return true;
  }
  get readyState(): string {
    if (this.destroyed) return "closed";
    if (this.readable) return this.writable ? "open" : "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }
  get readable(): boolean {
    return !this.destroyed && this.#exchange.readable;
  }
  get writable(): boolean {
    return !this.destroyed && this.#exchange.writable;
  }
  get writableEnded(): boolean {
    return !this.#exchange.writable;
  }
  get writableFinished(): boolean {
    return !this.#exchange.writable && this.#exchange.outstanding === 0;
  }
  get writableAborted(): boolean {
    return this.destroyed && !this.writableFinished;
  }
  get writableCorked(): number {
    return this.#corked;
  }
  get writableLength(): number {
    return this.#exchange.outstanding + this.#heldLength;
  }
  get writableNeedDrain(): boolean {
    return this.#exchange.needsDrain;
  }
  get writableHighWaterMark(): number {
    return HIGH_WATER_MARK;
  }
  get readableHighWaterMark(): number {
    return HIGH_WATER_MARK;
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

  /** True where the web server says that the client came over TLS: HTTPS=on or 1, REQUEST_SCHEME=https. */
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
  /** The web server's address (SERVER_ADDR), else its name. */
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

  /** All variables, those of client headers (HTTP_*) among them: a copy of its own for each request. */
  get params(): Record<string, string> {
    return (this.#params ??= allVariables(this.#exchange.params));
  }
  /** Text written here goes to the web server's error log, as far as the protocol can carry it. */
  get errorStream(): Writable {
    return (this.#errorStream ??= new Writable({
      write: (chunk: Uint8Array, _encoding, callback) => {
        this.#exchange.stderr(chunk);
        callback();
      },
    }));
  }
  /** The file of a filter request (FCGI_DATA). */
  get dataStream(): Readable {
    return (this.#dataStream ??= new Readable({ read: () => this.#exchange.wantData() }));
  }

  write(
    data: string | Uint8Array,
    encoding?: BufferEncoding | null | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    const done = typeof encoding === "function" ? encoding : (callback ?? null);
    const name = typeof encoding === "function" ? null : encoding;
    this.touch();
    if (this.#corked > 0) {
      (this.#held ??= []).push([data, name, done]);
      this.#heldLength += data.length;
    } else {
      this.#exchange.write(data, name, done);
    }
    if (this.writableLength < HIGH_WATER_MARK) return true;
    this.#exchange.backedUp();
    return false;
  }

  end(
    data?: string | Uint8Array | null | WriteCallback,
    encoding?: BufferEncoding | null | WriteCallback,
    callback?: WriteCallback,
  ): this {
    const done = [data, encoding, callback].find((argument) => typeof argument === "function");
    const name = typeof encoding === "function" ? null : encoding;
    if (typeof data === "string" || ArrayBuffer.isView(data)) this.write(data, name, done);
    else if (done !== undefined) this.write("", null, done);
    this.#release();
    this.#exchange.end();
    return this;
  }

  cork(): void {
    if (!this.#ending) this.#corked++;
  }

  uncork(): void {
    if (this.#corked > 0 && --this.#corked === 0) this.#release();
  }

  /** For the response, before it writes its end: what was held back leaves, and nothing more is held back. */
  startEnd(): void {
    this.#release();
    this.#ending = true;
  }
  stopEnd(): void {
    this.#ending = false;
  }

  /** Lets go of all that was held back by `cork()`, however often it was called. */
  #release(): void {
    this.#corked = 0;
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    this.#heldLength = 0;
    for (const [data, encoding, callback] of held) this.#exchange.write(data, encoding, callback);
    this.#exchange.flushed();
  }

  /** Asks for body bytes: node's `IncomingMessage` calls it whenever its reader wants more. */
  resume(): this {
    this.touch();
    this.#exchange.wantBody();
    return this;
  }
  /** Nothing to do: bytes come only when asked for. */
  pause(): this {
    return this;
  }

  /** Ends this exchange, and no other on the same connection. Emits 'close', and 'error' if somebody listens. */
  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.#errored = error ?? null;
    this.#exchange.break(error);
    return this;
  }
  destroySoon(): void {
    if (this.writable) this.end();
    this.#exchange.write("", null, () => this.destroy());
  }

  /** A byte has come or gone. */
  touch(): void {
    this.#timer?.refresh();
  }

  /**
   * Emits 'timeout' after `ms` milliseconds without a byte in or out; unheard, it destroys the exchange, as in node http.
   * While bytes of the answer are on their way, it is the gateway that sees whether they are taken.
   */
  setTimeout(ms: number, callback?: () => void): this {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.timeout = ms;
    if (callback !== undefined) {
      if (ms === 0) this.removeListener("timeout", callback);
      else this.once("timeout", callback);
    }
    if (ms > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => {
        if (this.#exchange.outstanding > 0) return this.touch();
        this.emit("timeout");
        if (!this.#exchange.timedOut(this)) this.destroy();
      }, ms).unref();
    }
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

  /** The app has failed to answer: a 500 if the head is not out yet, else a broken answer. */
  fail(thrown: unknown): void {
    this.#exchange.appFailed(thrown);
  }

  /** The answer is over: called by the owner. A body that is still to come goes on arriving. */
  close(error: Error | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held = null;
    this.#heldLength = 0;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#dataStream?.destroy();
    if (error !== null && this.listenerCount("error") > 0) this.emit("error", error);
    this.emit("close", error !== null);
  }
}
