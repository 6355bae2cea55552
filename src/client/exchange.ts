/** One request out on a connected socket, its answer in: the same for all protocols. */
import type { Socket } from "node:net";
import { AnswerBuilder, type Answer, type Ending } from "./answer.ts";
import { iterate, type Body, type ClientRequest } from "./request.ts";
import { asError, connectionError, discard } from "./target.ts";

/** A protocol's part: the bytes of a request, the meaning of what comes back. */
export interface Framing {
  /** What is sent before the first body byte. */
  head(): Uint8Array[];
  /** The bodies in the order in which they are sent, each with its own framing. */
  readonly parts: readonly RequestPart[];
  /** Takes received bytes. Returns false when `answer` has enough for now. May throw a ProtocolError. */
  receive(chunk: Uint8Array, answer: AnswerBuilder): boolean;
  /** Set once the answer is complete, by `receive` or by `end`. */
  readonly ending: Ending | null;
  /** The peer has closed its side. Throws a ProtocolError if that cannot be. */
  end(): void;
}

export interface RequestPart {
  readonly body: Body | undefined;
  /** How many bytes the peer takes now; resolves when it asks. Without it the peer takes what comes. */
  demand?(): Promise<number>;
  chunk(content: Uint8Array): Uint8Array[];
  end(): Uint8Array[];
}

const HEAD_TIMEOUT = 60_000;

/** The socket is the exchange's own from `start` until `released` is called. */
export class Exchange {
  /** The answer's head has come; rejected when there will be none. */
  readonly answer: Promise<Answer>;
  /** True when the connection failed before the peer had sent anything: the request may not have been seen at all. */
  lost = false;

  readonly #socket: Socket;
  readonly #framing: Framing;
  readonly #request: ClientRequest;
  readonly #builder: AnswerBuilder;
  readonly #released: (reusable: boolean) => void;
  #settle!: { resolve: (answer: Answer) => void; reject: (error: Error) => void };
  #over = false;
  #received = false;
  #uploaded = false;
  /** The body that is being sent. */
  #source: AsyncIterator<Uint8Array> | undefined;
  /** Goes on with an upload that waits for the socket to drain. */
  #drained: (() => void) | null = null;
  #timer: NodeJS.Timeout | undefined;
  #keep: boolean;

  /**
   * @param keep whether the connection may live on; `released` then says whether it can. If it cannot, it is closed.
   */
  constructor(
    socket: Socket,
    framing: Framing,
    request: ClientRequest,
    keep: boolean,
    released: (reusable: boolean) => void,
  ) {
    this.#socket = socket;
    this.#framing = framing;
    this.#request = request;
    this.#keep = keep;
    this.#released = released;
    this.answer = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#builder = new AnswerBuilder({
      informed: (head) => this.#request.informed?.(head),
      begun: (answer) => this.#settle.resolve(answer),
      wanted: () => this.#resume(),
      abandoned: () => this.#fail(connectionError("ECONNRESET", "the answer was abandoned")),
    });
    this.#start();
  }

  #start(): void {
    const { signal } = this.#request;
    if (signal?.aborted === true) return this.#fail(asError(signal.reason));
    if (this.#socket.destroyed) return this.#onClose();
    signal?.addEventListener("abort", this.#onAbort);
    this.#socket
      .on("data", this.#onData)
      .on("end", this.#onEnd)
      .on("error", this.#onError)
      .on("close", this.#onClose)
      .on("drain", this.#onDrain);
    this.#restartTimer();
    void this.#upload().catch((error: unknown) => this.#fail(asError(error)));
  }

  async #upload(): Promise<void> {
    const next = this.#framing.head();
    for (const part of this.#framing.parts) {
      const source = (this.#source = iterate(part.body));
      for (let step = await source?.next(); step?.done === false; step = await source?.next()) {
        for (let rest = step.value; rest.length > 0;) {
          const room = await this.#room(part, next);
          if (this.#over) return;
          next.push(...part.chunk(rest.subarray(0, room)));
          rest = rest.subarray(room);
          await this.#send(next.splice(0));
        }
      }
      const end = part.end();
      if (end.length > 0) await this.#room(part, next);
      next.push(...end);
    }
    this.#uploaded = true;
    await this.#send(next);
  }

  /** How much the peer takes of `part`; what is to be sent before it leaves first. */
  async #room(part: RequestPart, next: Uint8Array[]): Promise<number> {
    if (part.demand === undefined) return Number.POSITIVE_INFINITY;
    await this.#send(next.splice(0));
    return await part.demand();
  }

  /** Resolves when the socket takes more. */
  #send(pieces: Uint8Array[]): Promise<void> | undefined {
    if (this.#over || pieces.length === 0) return undefined;
    if (!this.#builder.begun) this.#restartTimer();
    this.#socket.cork();
    let ready = true;
    for (const piece of pieces) ready = this.#socket.write(piece);
    this.#socket.uncork();
    return ready ? undefined : new Promise((resolve) => (this.#drained = resolve));
  }

  readonly #onDrain = (): void => {
    const drained = this.#drained;
    this.#drained = null;
    drained?.();
  };

  readonly #onData = (chunk: Uint8Array): void => {
    this.#received = true;
    try {
      const wanted = this.#framing.receive(chunk, this.#builder);
      if (this.#over) return;
      if (this.#framing.ending !== null) this.#complete(this.#framing.ending);
      else if (wanted) this.#restartTimer();
      else this.#pause();
    } catch (error) {
      this.#fail(asError(error));
    }
  };

  readonly #onEnd = (): void => {
    try {
      this.#framing.end();
      if (this.#framing.ending !== null) this.#complete(this.#framing.ending);
    } catch (error) {
      this.#lose(asError(error));
    }
  };

  readonly #onError = (error: Error): void => this.#lose(error);

  readonly #onClose = (): void => this.#lose(connectionError("ECONNRESET", "the connection was closed"));

  readonly #onAbort = (): void => this.#fail(asError(this.#request.signal?.reason));

  /** The reader of the answer is slow: neither is more read nor counted as silence. */
  #pause(): void {
    this.#socket.pause();
    clearTimeout(this.#timer);
  }

  #resume(): void {
    if (this.#over || !this.#socket.isPaused()) return;
    this.#socket.resume();
    this.#restartTimer();
  }

  #restartTimer(): void {
    clearTimeout(this.#timer);
    const begun = this.#builder.begun;
    const { headTimeout = HEAD_TIMEOUT, bodyTimeout = 0 } = this.#request;
    const limit = begun ? bodyTimeout : headTimeout;
    if (limit === 0) return;
    const what = begun ? "the answer's body stood still for" : "no answer in";
    this.#timer = setTimeout(() => this.#fail(connectionError("ETIMEDOUT", `${what} ${limit} ms`)), limit);
  }

  #complete(ending: Ending): void {
    this.#builder.end(ending);
    // A request that is answered before it was sent whole leaves the connection in the middle of a body.
    this.#finish(this.#keep && this.#uploaded && !this.#socket.destroyed && this.#socket.writable);
  }

  #lose(error: Error): void {
    this.lost = !this.#received;
    this.#fail(error);
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#builder.fail(error);
    this.#settle.reject(error);
    this.#keep = false;
    this.#finish(false);
  }

  #finish(reusable: boolean): void {
    const answered = !this.#over;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
    this.#socket
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("error", this.#onError)
      .off("close", this.#onClose)
      .off("drain", this.#onDrain);
    if (!reusable) discard(this.#socket, answered ? "soon" : "now");
    this.#onDrain();
    if (!this.#uploaded) void this.#source?.return?.().catch(() => {});
    this.#released(reusable);
  }
}
