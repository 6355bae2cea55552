/**
 * The answer's line: what node's own `ServerResponse` writes to its socket, which is HTTP/1.1, as response events.
 *
 * The genuine methods of the response have run when bytes arrive here: implicit heads, HEAD, 204 and 304, lengths and
 * checks are node's. What is left is CGI's: another first line, no connection framing, a body held to its length.
 */
import { errorAnswer } from "../cgi/error-page.ts";
import type { InterimHeads } from "../cgi/early-hints.ts";
import { cgiResponseHead, isInterim } from "../cgi/response-head.ts";
import { ResponseError } from "../errors.ts";
import type { ResponseSink } from "../exchange.ts";

type WriteCallback = (error?: Error | null) => void;

/** Whose answer it is. */
export interface ResponseOwner {
  /** A head of more bytes than this is answered 500 in its stead. */
  readonly maxResponseHeader: number;
  /** What tells the web server to send a file as the body; null for a body of the app's. */
  readonly sendfile: string | null;
  /** The request is HEAD: no body follows whatever the length says. */
  readonly headOnly: boolean;
  /** The request's connection can be upgraded: 101 is an answer. Default false. */
  readonly upgrade?: boolean;
  /** Those that the web server passes on and the client understands. Default "none". */
  readonly interim?: InterimHeads;
  /** Hears of heads and bodies that cannot be sent as they are, and of warnings. */
  report(problem: Error | string): void;
}

export class ResponseLine {
  readonly #sink: ResponseSink;
  readonly #owner: ResponseOwner;
  #headSent = false;
  /** Bytes of interim heads that may still be sent; null where no more may be. */
  #interimRoom: number | null;
  #over = false;
  /** Body bytes that Content-Length still allows; Infinity without one. */
  #room = Number.POSITIVE_INFINITY;
  #sent = 0;
  #credited = 0;
  /** Write callbacks that wait for the credit of the bytes before them: position, callback, position, callback … */
  #waiting: (number | WriteCallback)[] | null = null;

  constructor(sink: ResponseSink, owner: ResponseOwner) {
    this.#sink = sink;
    this.#owner = owner;
    this.#interimRoom = owner.maxResponseHeader;
  }

  get headSent(): boolean {
    return this.#headSent;
  }

  /** True once the answer has ended, well or not: nothing more is sent. */
  get over(): boolean {
    return this.#over;
  }

  /** Body bytes sent that have not left the gateway yet. */
  get outstanding(): number {
    return this.#sent - this.#credited;
  }

  get bytesSent(): number {
    return this.#sent;
  }

  /** Takes what a response writes to its socket. `callback` is called once the bytes have left. */
  write(data: string | Uint8Array, encoding: BufferEncoding | null | undefined, callback: WriteCallback | null): void {
    if (!this.#over) {
      const body = this.#headSent ? data : this.#takeHead(data, encoding);
      if (body.length > 0) this.#sendBody(typeof body === "string" ? Buffer.from(body, encoding ?? "utf8") : body);
    }
    if (callback) this.#whenLeft(callback);
  }

  /** The answer is complete. A body short of its Content-Length is broken off, so that it cannot look complete. */
  end(): void {
    if (this.#over) return;
    if (!this.#headSent) {
      this.fail(new ResponseError("RESPONSE_BAD_HEAD", "the response ended before its head was written"));
      return;
    }
    this.#over = true;
    if (this.#room > 0 && this.#room !== Number.POSITIVE_INFINITY) {
      const message = `the body ended ${this.#room} bytes short of its Content-Length`;
      this.#owner.report(new ResponseError("RESPONSE_BODY_SHORT", message));
      this.#sink.send({ type: "fail", status: 500 });
    } else {
      this.#sink.send({ type: "end", appStatus: 0 });
    }
  }

  /**
   * The app has failed: a plain 500 (or `status`) if nothing was sent yet, else the answer is broken off. The client
   * sees no detail unless `detail` gives it some.
   */
  fail(problem: Error | string, status = 500, detail = ""): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.report(problem);
    if (this.#headSent) {
      this.#sink.send({ type: "fail", status: 500 });
      return;
    }
    this.#headSent = true;
    const { block, body } = errorAnswer(status, [], detail.replace(/[^\n\x20-\x7e]/g, "?"));
    this.#sink.send({ type: "head", status, block });
    if (!this.#owner.headOnly) this.#sink.send({ type: "body", chunk: Buffer.from(body) });
    this.#sink.send({ type: "end", appStatus: 1 });
  }

  /** The exchange is gone: nothing more is sent, and whoever waits for bytes to leave hears so. */
  abandon(): void {
    this.#over = true;
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    const error = Object.assign(new Error("the exchange is over"), { code: "ERR_STREAM_DESTROYED" });
    callEach(waiting, error);
  }

  credit(bytes: number): void {
    this.#credited += bytes;
    const waiting = this.#waiting;
    if (waiting === null) return;
    let done = 0;
    while (done < waiting.length && (waiting[done] as number) <= this.#credited) done += 2;
    if (done === 0) return;
    this.#waiting = done === waiting.length ? null : waiting.slice(done);
    callEach(waiting.slice(0, done));
  }

  /** Sends the head that `data` begins with and returns the rest: "" after an interim one. */
  #takeHead(data: string | Uint8Array, encoding: BufferEncoding | null | undefined): string | Uint8Array {
    // Node gives the head as text, alone or before the first chunk; only a hand-written answer comes as bytes.
    const text = typeof data === "string" ? data : Buffer.from(data).toString("latin1");
    const textEncoding = typeof data === "string" ? (encoding ?? "utf8") : "latin1";
    if (text.length === 0) return "";
    try {
      const head = cgiResponseHead(text, this.#owner, textEncoding);
      const rest = typeof data === "string" ? data.slice(head.length) : data.subarray(head.length);
      if (isInterim(head.status)) {
        // Node writes one alone: what follows it would be somebody else's answer.
        if (rest.length > 0) throw new ResponseError("RESPONSE_BAD_HEAD", "an interim head has more behind it");
        this.#sendInterim(head.status, head.block);
        return "";
      }
      for (const warning of head.warnings) this.#owner.report(warning);
      this.#headSent = true;
      const bodyless = this.#owner.headOnly || head.status === 204 || head.status === 304;
      if (bodyless) this.#room = 0;
      else if (head.contentLength !== undefined) this.#room = head.contentLength;
      this.#sink.send({ type: "head", status: head.status, block: head.block });
      return rest;
    } catch (error) {
      this.fail(error as Error);
      return "";
    }
  }

  /** All of an answer's together are bounded as its head is: nobody tells the app when they have left. */
  #sendInterim(status: number, block: string): void {
    if (block === "" || this.#interimRoom === null) return;
    const room = this.#interimRoom - block.length;
    this.#interimRoom = room < 0 || this.#owner.interim === "first" ? null : room;
    if (room >= 0) return this.#sink.send({ type: "head", status, block });
    this.#owner.report(
      `interim heads of more than max_response_header, ${this.#owner.maxResponseHeader} bytes, are dropped`,
    );
  }

  #sendBody(chunk: Uint8Array): void {
    const whole = chunk.length <= this.#room;
    const piece = whole ? chunk : chunk.subarray(0, this.#room);
    if (!whole) {
      this.#owner.report(`a body of more than its Content-Length was cut by ${chunk.length - this.#room} bytes`);
      if (piece.length === 0) return;
    }
    this.#room -= piece.length;
    this.#sent += piece.length;
    this.#sink.send({ type: "body", chunk: piece });
  }

  #whenLeft(callback: WriteCallback): void {
    if (this.#sent === this.#credited) process.nextTick(callback);
    else if (this.#waiting === null) this.#waiting = [this.#sent, callback];
    else this.#waiting.push(this.#sent, callback);
  }
}

/** Calls every callback among `entries`, and throws then what the first one threw. */
function callEach(entries: readonly (number | WriteCallback)[], error?: Error): void {
  let failure: { thrown: unknown } | null = null;
  for (const entry of entries) {
    if (typeof entry !== "function") continue;
    try {
      entry(error);
    } catch (thrown) {
      failure ??= { thrown };
    }
  }
  if (failure !== null) throw failure.thrown;
}
