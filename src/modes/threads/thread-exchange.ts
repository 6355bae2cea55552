/** One exchange on the gateway's side: in the queue, then on its way to and from a worker thread. */
import { SWITCHING_PROTOCOLS } from "../../cgi/upgrade.ts";
import { requestLine } from "../../cgi/variables.ts";
import type {
  FailStatus,
  RequestEvent,
  RequestHead,
  RequestSink,
  ResponseEvent,
  ResponseSink,
  Service,
} from "../../exchange.ts";
import type { RequestReport } from "../../report.ts";
import { SETTLED_AT_ONCE } from "./wire.ts";
import { steadyNow } from "../../steady-clock.ts";

/** The worker thread that has an exchange. */
export interface ExchangeCarrier {
  readonly id: number;
  /** It finishes what it has, and goes. */
  readonly leaving: boolean;
  /** Towards the app. */
  carry(number: number, event: RequestEvent): void;
  /** Its answer is complete, or it is upgraded: the thread has room for another one. */
  answered(exchange: ThreadExchange): void;
  /** Both sides have ended. */
  forget(exchange: ThreadExchange): void;
}

/** Who hears of an exchange that ends while it waits. */
export interface ExchangeQueue {
  leave(exchange: ThreadExchange): void;
}

export class ThreadExchange implements RequestSink {
  readonly head: RequestHead;
  readonly begunAt: number = steadyNow();
  /** When it last began to wait for a thread. */
  queuedAt: number = this.begunAt;
  /** Its number in the thread that has it. */
  number = 0;
  service: Service | null = null;
  /** It was put into the slow log. */
  slow = false;
  readonly #response: ResponseSink;
  readonly #queue: ExchangeQueue;
  #carrier: ExchangeCarrier | null = null;
  /**
   * What came for it as long as the app has done nothing with it: so that it can be given to another thread. The
   * gateway's window bounds it.
   */
  #early: RequestEvent[] | null = [];
  #answered = false;
  /** Streams of the request that have not ended: the body, and a filter's file. */
  #openStreams: number;
  /** No thread has it any more, nor will have it. */
  #gone = false;
  /** The web server has ended it, of which the thread has not heard yet. */
  #leaving = false;
  /** Bytes of the request that were not credited. */
  #unread = 0;
  /** Bytes of the answer. */
  #sent = 0;
  /** The carrier has heard that it has room again. */
  #freed = false;
  /** "ending": the thread leaves, and the app was told that nothing more comes. */
  #tunnel: "none" | "open" | "ending" = "none";

  constructor(head: RequestHead, response: ResponseSink, queue: ExchangeQueue) {
    this.head = head;
    this.#response = response;
    this.#queue = queue;
    this.#openStreams = head.role === "filter" ? 2 : 1;
  }

  get report(): RequestReport {
    const { head, begunAt, service } = this;
    return { id: head.id, ...requestLine(head.params), since: begunAt, worker: service?.worker ?? null };
  }

  /** Nothing of the answer is to come, or there is an end of it only with that of the connection it was upgraded to. */
  get isAnswered(): boolean {
    return this.#answered || this.#tunnel !== "none";
  }

  /** The thread that has it leaves: where it is upgraded the app reads the end of what comes. */
  endTunnel(): void {
    if (this.#tunnel !== "open" || this.#answered) return;
    this.#tunnel = "ending";
    this.#carrier?.carry(this.number, { type: "bodyEnd" });
  }

  /** A thread has it from now on; it has been told the head. */
  assign(carrier: ExchangeCarrier, number: number): void {
    this.#carrier = carrier;
    this.number = number;
    this.service = { worker: carrier.id, waited: steadyNow() - this.begunAt };
    for (const event of this.#early!) carrier.carry(number, event);
  }

  /** Back into the queue, from a thread that has not begun with it. False if it is over. */
  withdraw(): boolean {
    if (this.#early === null || this.#answered) return false;
    this.#carrier = null;
    this.service = null;
    this.queuedAt = steadyNow();
    return true;
  }

  /** From the gateway: RequestSink. */
  send(event: RequestEvent): void {
    if (this.#tunnel === "ending" && (event.type === "body" || event.type === "bodyEnd")) {
      if (event.type === "body") this.#response.send({ type: "credit", bytes: event.chunk.length });
      return;
    }
    if (event.type === "bodyEnd" || event.type === "dataEnd") this.#openStreams--;
    else if ((event.type === "body" || event.type === "data") && !this.#gone) this.#unread += event.chunk.length;
    // The thread has credited it by itself.
    if (event.type === "credit" && this.#answered && this.#sent <= SETTLED_AT_ONCE) return;
    if (this.#carrier === null) return this.#whileNobodyHasIt(event);
    this.#early?.push(event);
    this.#carrier.carry(this.number, event);
    if (event.type === "abort") this.#aborted();
    else this.#check();
  }

  /** From the app. */
  receive(event: ResponseEvent): void {
    this.#early = null;
    if (this.#leaving) {
      // The web server has ended it; the thread has heard of that, or had just answered.
      if (event.type === "end" || event.type === "fail") this.#release();
      return;
    }
    if (event.type === "body") this.#sent += event.chunk.length;
    else if (event.type === "credit") this.#unread -= event.bytes;
    else if (event.type === "fail") return this.fail(event.status);
    else if (event.type === "end") this.#answered = true;
    this.#response.send(event);
    if (event.type === "head" && event.status === SWITCHING_PROTOCOLS) this.#upgraded();
    if (event.type === "end") this.#free(this.#carrier);
    this.#check();
  }

  /** Nobody answers it any more: before the head the gateway does with `status`, after it the answer is broken off. */
  fail(status: FailStatus): void {
    const wasAnswered = this.#answered;
    this.#answered = this.#gone = true;
    if (!wasAnswered) this.#response.send({ type: "fail", status });
    // What was sent to the thread nobody reads any more.
    if (!this.#leaving && this.#unread > 0) this.#response.send({ type: "credit", bytes: this.#unread });
    this.#unread = 0;
    this.#early = null;
    const carrier = this.#carrier;
    this.#carrier = null;
    if (!wasAnswered || this.#leaving) this.#free(carrier);
    carrier?.forget(this);
  }

  /** It may last for days: the thread takes other requests beside it. Unless the gateway has refused it. */
  #upgraded(): void {
    if (this.#answered) return;
    this.#tunnel = "open";
    this.#free(this.#carrier);
    if (this.#carrier?.leaving === true) this.endTunnel();
  }

  #free(carrier: ExchangeCarrier | null): void {
    if (this.#freed) return;
    this.#freed = true;
    carrier?.answered(this);
  }

  #whileNobodyHasIt(event: RequestEvent): void {
    if (this.#gone) {
      // The rest of a request that nobody reads.
      if (event.type === "body" || event.type === "data") {
        this.#response.send({ type: "credit", bytes: event.chunk.length });
      }
    } else if (event.type === "abort") {
      this.#answered = this.#gone = true;
      this.#early = null;
      this.#queue.leave(this);
    } else this.#early!.push(event);
  }

  /** By the web server. The thread has it in hand until it says that it has heard of that. */
  #aborted(): void {
    if (this.#answered) {
      this.#gone = true;
      this.#carrier?.forget(this);
      this.#carrier = null;
    } else {
      this.#answered = true;
      this.#leaving = true;
    }
  }

  #release(): void {
    this.#leaving = false;
    this.#gone = true;
    this.#free(this.#carrier);
    this.#carrier?.forget(this);
    this.#carrier = null;
  }

  #check(): void {
    if (this.#answered && this.#openStreams <= 0 && !this.#leaving) this.#carrier?.forget(this);
  }
}
