/** A dispatcher before another one: gives it so many requests at a time, and lets the others wait. */
import { SWITCHING_PROTOCOLS } from "../cgi/upgrade.ts";
import type { Dispatcher, RequestEvent, RequestHead, RequestSink, ResponseSink } from "../exchange.ts";

export interface RequestLimits {
  /** Requests in hand at a time; 0 lets all of them wait until `open`. */
  readonly concurrency: number;
  /** Requests that wait; one more fails with 503. */
  readonly queueLimit: number;
  /** Milliseconds; a request that has waited for so long fails with 503. */
  readonly queueTimeout: number;
}

export class RequestLimit implements Dispatcher {
  readonly counters = { queued: 0, queueOverflows: 0, queueTimeouts: 0 };
  readonly #dispatcher: Dispatcher;
  readonly #limits: RequestLimits;
  /** In the order in which they came. */
  readonly #queue = new Set<LimitedExchange>();
  #concurrency: number;
  #inHand = 0;
  #filling = false;
  /** Comes when the first one that waits has waited for too long. */
  #timer: NodeJS.Timeout | undefined;

  constructor(dispatcher: Dispatcher, limits: RequestLimits) {
    this.#dispatcher = dispatcher;
    this.#limits = limits;
    this.#concurrency = limits.concurrency;
  }

  /** From now on there is no limit. */
  open(): void {
    this.#concurrency = Number.POSITIVE_INFINITY;
    this.#fill();
  }

  dispatch(head: RequestHead, response: ResponseSink): RequestSink {
    const exchange = new LimitedExchange(head, response, this);
    if (this.#inHand < this.#concurrency && this.#queue.size === 0) this.#begin(exchange);
    else if (this.#queue.size >= this.#limits.queueLimit) {
      this.counters.queueOverflows++;
      exchange.refuse();
    } else {
      this.counters.queued++;
      this.#queue.add(exchange);
      if (this.#queue.size === 1) this.#wait(this.#limits.queueTimeout);
    }
    return exchange;
  }

  // For the exchanges.

  /** One that waited is gone. */
  leave(exchange: LimitedExchange): void {
    this.#queue.delete(exchange);
  }

  /** One that was in hand is answered, or gone. */
  release(): void {
    this.#inHand--;
    this.#fill();
  }

  #fill(): void {
    // What is answered while it begins makes room at once: the loop that began it goes on.
    if (this.#filling) return;
    this.#filling = true;
    for (const exchange of this.#queue) {
      if (this.#inHand >= this.#concurrency) break;
      this.#queue.delete(exchange);
      this.#begin(exchange);
    }
    this.#filling = false;
  }

  #begin(exchange: LimitedExchange): void {
    this.#inHand++;
    exchange.begin(this.#dispatcher);
  }

  #wait(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#endWaiting(), milliseconds).unref();
  }

  #endWaiting(): void {
    const { queueTimeout } = this.#limits;
    for (const exchange of this.#queue) {
      const left = exchange.begun + queueTimeout - performance.now();
      if (left > 0) return this.#wait(left);
      this.counters.queueTimeouts++;
      this.#queue.delete(exchange);
      exchange.refuse();
    }
  }
}

class LimitedExchange implements RequestSink {
  /** By `performance.now()`. */
  readonly begun: number = performance.now();
  readonly #head: RequestHead;
  readonly #response: ResponseSink;
  readonly #limit: RequestLimit;
  #state: "waiting" | "inHand" | "answered" | "refused" = "waiting";
  /** What came while it waited, and while it was begun; the gateway's window bounds it. */
  #early: RequestEvent[] = [];
  #sink: RequestSink | null = null;

  constructor(head: RequestHead, response: ResponseSink, limit: RequestLimit) {
    this.#head = head;
    this.#response = response;
    this.#limit = limit;
  }

  begin(dispatcher: Dispatcher): void {
    this.#state = "inHand";
    this.#sink = dispatcher.dispatch(this.#head, {
      send: (event) => {
        this.#response.send(event);
        // An upgraded connection may last for days: it is no request in hand.
        const upgraded = event.type === "head" && event.status === SWITCHING_PROTOCOLS;
        if (upgraded || event.type === "end" || event.type === "fail") this.#over();
      },
    });
    const early = this.#early;
    this.#early = [];
    for (const event of early) this.send(event);
  }

  /** Nobody has room for it. */
  refuse(): void {
    this.#state = "refused";
    this.#response.send({ type: "fail", status: 503 });
    for (const event of this.#early) this.#drop(event);
    this.#early = [];
  }

  /** From the gateway. */
  send(event: RequestEvent): void {
    if (this.#state === "refused") return this.#drop(event);
    if (this.#sink !== null) {
      this.#sink.send(event);
      if (event.type === "abort") this.#over();
    } else if (event.type === "abort" && this.#state === "waiting") {
      this.#state = "refused";
      this.#early = [];
      this.#limit.leave(this);
    } else this.#early.push(event);
  }

  /** What nobody reads is credited, so that the rest of the request comes to its end. */
  #drop(event: RequestEvent): void {
    if (event.type === "body" || event.type === "data") {
      this.#response.send({ type: "credit", bytes: event.chunk.length });
    }
  }

  #over(): void {
    if (this.#state !== "inHand") return;
    this.#state = "answered";
    this.#limit.release();
  }
}
