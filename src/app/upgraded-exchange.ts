/** One exchange whose request asks for an upgrade, given to a listener `(req, socket, head)`. */
import type { IncomingMessage } from "node:http";

import { variable } from "../cgi/variables.ts";
import { ResponseError } from "../errors.ts";
import type { Params, RequestEvent, RequestHead, RequestSink, ResponseSink } from "../exchange.ts";
import { connectionReset } from "./connection-reset.ts";
import type { UpgradeHost } from "./handler.ts";
import { createRequest } from "./request.ts";
import { ResponseLine, type ResponseOwner } from "./response-line.ts";
import { asError, isForClient, isThenable, textOf } from "./thrown.ts";
import { type UpgradeHandle, UpgradeSocket } from "./upgrade-socket.ts";

const HEAD_END = "\r\n\r\n";
const NOTHING = Buffer.alloc(0);

export class UpgradedExchange implements RequestSink, UpgradeHandle, ResponseOwner {
  readonly head: RequestHead;
  readonly upgrade = true;
  readonly sendfile = null;
  readonly socket: UpgradeSocket;
  readonly line: ResponseLine;
  readonly #host: UpgradeHost;
  readonly #sink: ResponseSink;
  #request: IncomingMessage | null = null;
  /** The request's own body, which is empty, is over: what comes next is the tunnel's. */
  #begun = false;
  /** Bytes that the app has not asked for yet, null for the end; the gateway's window bounds them. */
  #queue: (Buffer | null)[] = [];
  #wanted = false;
  #gone = false;
  bytesRead = 0;
  /** What was written of a head that is not complete; `maxResponseHeader` bounds it. */
  #partialHead: Buffer = NOTHING;

  constructor(head: RequestHead, sink: ResponseSink, host: UpgradeHost) {
    this.head = head;
    this.#sink = sink;
    this.#host = host;
    this.line = new ResponseLine(sink, this);
    this.socket = new UpgradeSocket(this);
  }

  /** Makes `req` and calls the listener. Never throws. */
  run(): void {
    try {
      const { options } = this.#host;
      const request = createRequest(options.IncomingMessage, this.socket, this.head.params, options.mount, options);
      this.#request = request;
      // As node does: the request is over, and its socket is the listener's.
      Object.assign(request, { upgrade: true, complete: true });
      request.push(null);
      const result: unknown = this.#host.callUpgrade(request, this.socket, NOTHING, this);
      if (isThenable(result)) result.then(undefined, (error: unknown) => this.appFailed(error));
    } catch (error) {
      this.appFailed(error);
    }
  }

  // The gateway's side: RequestSink.

  send(event: RequestEvent): void {
    try {
      this.#take(event);
    } catch (error) {
      this.appFailed(error);
    }
  }

  #take(event: RequestEvent): void {
    switch (event.type) {
      case "body":
        if (this.#gone) return this.#taken(event.chunk.length);
        this.socket.touch();
        this.#queue.push(Buffer.from(event.chunk.buffer, event.chunk.byteOffset, event.chunk.length));
        return this.#pump();
      case "bodyEnd":
        if (this.#begun) this.#queue.push(null);
        this.#begun = true;
        return this.#pump();
      case "credit":
        this.socket.touch();
        return this.line.credit(event.bytes);
      case "abort":
        this.#gone = true;
        // A web server that has left is no fault: it ends no process where nobody listens, or `pipe` alone.
        this.socket.on("error", () => {}).destroy(connectionReset(event.code));
        return this.line.abandon();
      case "data":
      case "dataEnd":
    }
  }

  // The answer's line: ResponseOwner.

  get maxResponseHeader(): number {
    return this.#host.options.maxResponseHeader;
  }
  get headOnly(): boolean {
    return this.#request?.method === "HEAD";
  }

  report(problem: Error | string): void {
    const { log } = this.#host.options;
    const { params, id } = this.head;
    const where = `[${id}] upgrade ${variable(params, "REQUEST_URI") ?? "-"}`;
    if (typeof problem === "string") log.warn(`${where}: ${problem}`);
    else if (isForClient(problem)) log.info(`${where}: ${problem.message}`);
    else log.error(`${where}: ${textOf(problem)}`);
  }

  // The app's side: UpgradeHandle.

  get params(): Params {
    return this.head.params;
  }
  get server(): object | undefined {
    return this.#host.options.server;
  }
  get bytesWritten(): number {
    return this.line.bytesSent;
  }

  wantBytes(): void {
    this.#wanted = true;
    this.#pump();
  }

  write(chunk: Buffer, callback: (error?: Error | null) => void): void {
    let bytes = chunk;
    if (!this.line.headSent && !this.line.over) {
      bytes = Buffer.concat([this.#partialHead, chunk]);
      this.#partialHead = NOTHING;
      const whole = bytes.includes(HEAD_END) || bytes.length > this.maxResponseHeader;
      if (!whole) {
        this.#partialHead = bytes;
        return callback();
      }
    }
    this.line.write(bytes, null, callback);
    // A head that cannot be sent was answered 500 in its stead.
    if (this.line.over) this.socket.destroy();
  }

  end(callback: (error?: Error | null) => void): void {
    if (this.#partialHead.length > 0) {
      this.line.fail(new ResponseError("RESPONSE_BAD_HEAD", "the answer to an upgrade ended within its head"));
    }
    this.line.end();
    this.line.write("", null, () => {
      callback();
      // The gateway closes with the answer: nothing comes any more that anybody could read.
      setImmediate(() => this.socket.destroy());
    });
  }

  destroyed(error: Error | null): void {
    const reset = this.#gone;
    this.#gone = true;
    for (const chunk of this.#queue) this.#taken(chunk?.length ?? 0);
    this.#queue = [];
    if (this.line.over || reset) return;
    if (this.line.headSent) this.line.end();
    else this.line.fail(error ?? "the app destroyed the socket of an upgrade before it answered");
  }

  appFailed(thrown: unknown): void {
    const error = asError(thrown);
    if (this.line.over || this.line.headSent) this.report(error);
    else if (isForClient(error)) this.line.fail(error, error.status);
    else this.line.fail(error, 500, this.#host.options.debug ? textOf(error) : "");
    this.socket.destroy();
  }

  stderr(chunk: Uint8Array): void {
    this.#sink.send({ type: "stderr", chunk });
  }

  #pump(): void {
    while (this.#wanted && this.#queue.length > 0) {
      const chunk = this.#queue.shift()!;
      this.bytesRead += chunk?.length ?? 0;
      this.#wanted = false;
      // The stream may ask for more while it takes this.
      if (this.socket.push(chunk)) this.#wanted = true;
      this.#taken(chunk?.length ?? 0);
    }
  }

  /** So many bytes are with the app, or with nobody any more. */
  #taken(bytes: number): void {
    if (bytes > 0) this.#sink.send({ type: "credit", bytes });
  }
}
