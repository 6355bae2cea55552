/** One exchange at the app: request events become `req`, what the app does with `res` becomes response events. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { hintsAllowed, type InterimHeads } from "../cgi/early-hints.ts";
import { variable } from "../cgi/variables.ts";
import type { AbortCode } from "../errors.ts";
import type { Params, RequestEvent, RequestHead, RequestSink, ResponseSink } from "../exchange.ts";
import { keepTrack } from "./after-response.ts";
import { connectionReset, isReset } from "./connection-reset.ts";
import { type ExchangeHandle, ExchangeSocket } from "./exchange-socket.ts";
import type { ExchangeHost } from "./handler.ts";
import { createRequest } from "./request.ts";
import { ResponseLine, type ResponseOwner } from "./response-line.ts";
import { announceDrain, createResponse } from "./response.ts";
import { sendfileField } from "./sendfile-front.ts";
import { asError, isForClient, isThenable, textOf } from "./thrown.ts";

export class HostedExchange implements RequestSink, ExchangeHandle, ResponseOwner {
  readonly head: RequestHead;
  readonly socket: ExchangeSocket;
  readonly line: ResponseLine;
  readonly #host: ExchangeHost;
  readonly #sink: ResponseSink;
  request: IncomingMessage | null = null;
  response: ServerResponse | null = null;
  /** Body bytes that the app has not asked for yet; the gateway's window bounds them. */
  #queue: Uint8Array[] | null = null;
  #wanted = false;
  #bodyEnded = false;
  #bodyComplete = false;
  #endPushed = false;
  #dataQueue: (Uint8Array | null)[] | null = null;
  #dataWanted = false;
  #bytesRead = 0;
  needsDrain = false;
  sendfile: string | null = null;
  #answered = false;
  /** The app has ended the exchange before its time. */
  #broken = false;
  #closed = false;
  /** What is done after the answer, one thing after the other; and what begins with it. */
  #afterwards: Promise<void> | null = null;
  #beginAfterwards: (() => void) | null = null;

  constructor(head: RequestHead, sink: ResponseSink, host: ExchangeHost) {
    this.head = head;
    this.#sink = sink;
    this.#host = host;
    this.line = new ResponseLine(sink, this);
    this.socket = new ExchangeSocket(this);
  }

  /** Makes `req` and `res` and calls the app. Never throws: what the app throws is answered. */
  run(): void {
    try {
      const { options } = this.#host;
      this.request = createRequest(options.IncomingMessage, this.socket, this.head.params, options.mount, options);
      this.response = createResponse(options.ServerResponse, this.request, this.socket);
      const result: unknown = this.#host.call(this.request, this.response, this);
      if (isThenable(result)) result.then(undefined, (error: unknown) => this.appFailed(error));
    } catch (error) {
      this.appFailed(error);
    }
  }

  /** The app threw or rejected: 500 before the head, a broken answer after it. The connection and its neighbours live on. */
  appFailed(thrown: unknown): void {
    const error = asError(thrown);
    if (this.line.over) {
      // Too late for an answer. That its exchange is gone an app only repeats.
      if (!isReset(error)) this.report(error);
    } else if (isForClient(error)) this.line.fail(error, error.status);
    else this.line.fail(error, 500, this.#host.options.debug ? textOf(error) : "");
    if (!this.#closed) this.#closeSoon();
  }

  report(problem: Error | string): void {
    const where = this.#where;
    if (typeof problem === "string") {
      this.#host.options.log.warn(`${where}: ${problem}`);
      return;
    }
    if (isForClient(problem)) {
      this.#host.options.log.info(`${where}: ${problem.message}`);
      return;
    }
    const text = textOf(problem);
    this.#host.options.log.error(`${where}: ${text}`);
    this.stderr(Buffer.from(`${text}\n`));
  }

  /** The request, in a line of the log. */
  get #where(): string {
    const { id, params } = this.head;
    return `[${id}] ${variable(params, "REQUEST_METHOD") ?? "-"} ${variable(params, "REQUEST_URI") ?? "-"}`;
  }

  // The gateway's side: RequestSink.

  /** What listeners and callbacks of the app throw meanwhile is answered as what its handler throws. */
  send(event: RequestEvent): void {
    try {
      this.#take(event);
    } catch (error) {
      this.appFailed(error);
    }
  }

  #take(event: RequestEvent): void {
    if (this.#closed) {
      if (event.type === "body" || event.type === "data") this.#taken(event.chunk.length);
      return;
    }
    switch (event.type) {
      case "body":
        if (this.request?.destroyed === true) this.#taken(event.chunk.length);
        else if (this.#wanted) this.#push(event.chunk);
        else (this.#queue ??= []).push(event.chunk);
        return;
      case "bodyEnd":
        this.#bodyEnded = true;
        if (this.#queue === null) this.#completeBody();
        return;
      case "data":
        this.#takeData(event.chunk);
        return;
      case "dataEnd":
        this.#takeData(null);
        return;
      case "credit":
        this.socket.touch();
        this.line.credit(event.bytes);
        this.flushed();
        return;
      case "abort":
        this.#abort(event.code);
    }
  }

  // The answer's line: ResponseOwner.

  get maxResponseHeader(): number {
    return this.#host.options.maxResponseHeader;
  }
  get headOnly(): boolean {
    return this.request?.method === "HEAD";
  }
  get interim(): InterimHeads {
    return this.#host.options.earlyHints ? hintsAllowed(this.head.params) : "none";
  }

  // The app's side: ExchangeHandle.

  get params(): Params {
    return this.head.params;
  }
  get outstanding(): number {
    return this.line.outstanding;
  }
  get bytesRead(): number {
    return this.#bytesRead;
  }
  get bytesWritten(): number {
    return this.line.bytesSent;
  }
  get readable(): boolean {
    return !this.#endPushed;
  }
  get writable(): boolean {
    return !this.line.over;
  }
  get server(): object | undefined {
    return this.#host.options.server;
  }

  wantBody(): void {
    this.#wanted = true;
    const queue = this.#queue;
    if (queue === null) {
      this.#pushEnd();
      return;
    }
    let next = 0;
    while (this.#wanted && next < queue.length) this.#push(queue[next++]!);
    this.#queue = next === queue.length ? null : queue.slice(next);
    if (this.#queue === null && this.#bodyEnded) this.#completeBody();
  }

  write(
    data: string | Uint8Array,
    encoding: BufferEncoding | null | undefined,
    callback: ((error?: Error | null) => void) | null,
  ): void {
    const wasOver = this.line.over;
    this.line.write(data, encoding, callback);
    // A head that cannot be sent is answered 500 in its stead.
    if (this.line.over && !wasOver) this.#closeSoon();
  }

  backedUp(): void {
    this.needsDrain = true;
    if (this.outstanding === 0) process.nextTick(drained, this);
  }

  /** All that was written has left. */
  flushed(): void {
    if (this.#closed || this.outstanding > 0) return;
    if (this.line.over) {
      // A tick after 'finish', as in node http: what was written after the end is told before 'close'.
      process.nextTick(answered, this);
    } else if (this.needsDrain && this.socket.writableLength === 0) {
      this.needsDrain = false;
      this.socket.emit("drain");
      if (this.response?.writableEnded === false) announceDrain(this.response);
    }
  }

  end(): void {
    this.line.end();
    if (this.line.outstanding === 0) process.nextTick(answered, this);
  }

  break(error: Error | undefined): void {
    if (this.#closed) return;
    if (this.line.over && this.outstanding === 0) {
      process.nextTick(answered, this);
      return;
    }
    if (!this.line.over) this.line.fail(error ?? "the app destroyed the request before it was answered");
    this.#broken = true;
    // As a net.Socket, which closes once the tick is over: what broke it is told first.
    setImmediate(closeWith, this, error ?? null);
  }

  after(hook: () => unknown): void {
    this.#afterwards ??= new Promise((resolve) => {
      if (this.#closed) setImmediate(resolve);
      else this.#beginAfterwards = resolve;
    });
    keepTrack((this.#afterwards = this.#afterwards.then(() => this.#runAfter(hook))));
  }

  handOver(file: string): boolean {
    const { sendfile } = this.#host.options;
    this.sendfile = sendfile === undefined ? null : sendfileField(sendfile, file);
    return this.sendfile !== null;
  }

  stderr(chunk: Uint8Array): void {
    this.#sink.send({ type: "stderr", chunk });
  }

  wantData(): void {
    this.#dataWanted = true;
    if (this.head.role !== "filter") return this.#pushData(null);
    const queue = this.#dataQueue;
    while (this.#dataWanted && queue !== null && queue.length > 0) this.#pushData(queue.shift()!);
  }

  timedOut(socket: ExchangeSocket): boolean {
    // All three are told, as node http does; `||` would stop at the first.
    const heard = [this.request?.emit("timeout", socket), this.response?.emit("timeout", socket)];
    return heard.includes(true) || this.#host.timedOut(socket);
  }

  /** The answer has left. What is still to come of the body is read by the app, or else by nobody, as in node http. */
  answered(): void {
    if (this.#closed || this.#answered || this.#broken) return;
    this.#answered = true;
    const { request } = this;
    if (request?.readableFlowing === null && !request.destroyed) {
      this.#pushEnd();
      // What is all there ends by one read; to let it flow would take some more turns of the loop.
      if (this.#bodyComplete && request.readableLength === 0) request.read();
      else request.resume();
    }
    if (this.#bodyComplete || this.request === null) this.close(null);
    else this.socket.close(null);
  }

  /** The exchange is over on both sides. Without an error it has run its course. */
  close(error: Error | null): void {
    if (this.#closed) return;
    this.#closed = true;
    // The end of the answer leaves with this turn of the event loop, whatever a hook does to the next one.
    if (this.#beginAfterwards !== null) setImmediate(this.#beginAfterwards);
    for (const chunk of this.#queue ?? []) this.#taken(chunk.length);
    for (const chunk of this.#dataQueue ?? []) this.#taken(chunk?.length ?? 0);
    this.#queue = null;
    this.#dataQueue = null;
    this.socket.destroyed = true;
    if (!this.#bodyComplete || error !== null || (this.#broken && !this.#answered)) {
      this.request?.destroy(connectionReset());
    }
    try {
      this.line.abandon();
    } finally {
      this.socket.close(error);
    }
  }

  async #runAfter(hook: () => unknown): Promise<void> {
    try {
      await hook();
    } catch (error) {
      this.#host.options.log.error(`${this.#where}, after the response: ${textOf(asError(error))}`);
    }
  }

  #push(chunk: Uint8Array): void {
    const { length } = chunk;
    this.#bytesRead += length;
    this.socket.touch();
    try {
      this.#wanted = this.request!.push(chunk);
    } finally {
      this.#taken(length);
    }
  }

  /** So many bytes of the request are with the app, or with nobody any more. */
  #taken(bytes: number): void {
    this.#sink.send({ type: "credit", bytes });
  }

  #completeBody(): void {
    if (this.#bodyComplete || this.request === null) return;
    this.#bodyComplete = true;
    this.request.complete = true;
    // As long as nobody reads, the end need not be told: most requests have no body and are never read.
    if (this.#wanted) this.#pushEnd();
    if (this.#answered) process.nextTick(closeWith, this, null);
  }

  #pushEnd(): void {
    if (this.#endPushed || !this.#bodyComplete) return;
    this.#endPushed = true;
    this.request!.push(null);
  }

  #takeData(chunk: Uint8Array | null): void {
    if (this.#dataWanted) this.#pushData(chunk);
    else (this.#dataQueue ??= []).push(chunk);
  }

  #pushData(chunk: Uint8Array | null): void {
    try {
      this.#dataWanted = this.socket.dataStream.push(chunk);
    } finally {
      if (chunk !== null) this.#taken(chunk.length);
    }
  }

  #abort(code: AbortCode): void {
    this.#host.options.log.debug(`${variable(this.head.params, "REQUEST_URI") ?? "-"}: ${code}`);
    this.close(connectionReset(code));
  }

  #closeSoon(): void {
    process.nextTick(closeWith, this, null);
  }
}

function drained(exchange: HostedExchange): void {
  exchange.flushed();
}

function answered(exchange: HostedExchange): void {
  exchange.answered();
}

function closeWith(exchange: HostedExchange, error: Error | null): void {
  exchange.close(error);
}
