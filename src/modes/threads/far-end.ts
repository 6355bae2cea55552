/** The worker thread's end: batches become calls of a dispatcher, what comes back becomes batches. */
import { getHeapStatistics } from "node:v8";
import { type MessagePort } from "node:worker_threads";

import type {
  Dispatcher,
  RequestEvent,
  RequestHead,
  RequestSink,
  ResponseEvent,
  ResponseSink,
  Role,
} from "../../exchange.ts";
import { ExchangeTable } from "./exchange-table.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { FromThread, ThreadData, ToThread } from "./messages.ts";
import { BatchWriter, type RequestListener, SETTLED_AT_ONCE, readRequests } from "./wire.ts";

/** A batch is sent at this size although the turn is not over. Bytes. */
const FULL_BATCH = 512 * 1024;

export interface ThreadService {
  readonly dispatcher: Dispatcher;
  /** The last request is answered: puts away what the app holds. The thread exits afterwards. */
  readonly stop: () => Promise<void>;
  /** The app's log files were renamed. */
  readonly reopenLogs: () => void;
}

export class FarEnd implements RequestListener {
  readonly #port: MessagePort;
  readonly #heartbeat: Heartbeat;
  readonly #service: ThreadService;
  readonly #open = new ExchangeTable<FarExchange>();
  readonly #writer = new BatchWriter();
  /** Short answers that are complete and leave with the next batch. */
  #settling: FarExchange[] = [];
  #scheduled = false;
  #draining = false;
  #exiting = false;

  constructor({ port, shared }: Pick<ThreadData<unknown>, "port" | "shared">, service: ThreadService) {
    this.#port = port;
    this.#heartbeat = new Heartbeat(shared);
    this.#service = service;
    port.on("message", (message: ToThread) => this.#hear(message));
    this.#tell("ready");
  }

  /** Lets the others take what comes, answers what is in hand, and exits. */
  leave(): void {
    this.#tell("leaving");
    this.#drain();
  }

  // For the batches: RequestListener.

  request(number: number, head: RequestHead): void {
    if (!this.#heartbeat.begin(number)) return;
    const exchange = new FarExchange(this, number, head.role);
    this.#open.add(number, exchange);
    exchange.sink = this.#service.dispatcher.dispatch(head, exchange);
  }

  event(number: number, event: RequestEvent): void {
    this.#open.get(number)?.receive(event);
  }

  // For the exchanges.

  send(number: number, event: ResponseEvent): void {
    this.#writer.responseEvent(number, event);
    if (this.#writer.size >= FULL_BATCH) this.#flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#flush());
    }
  }

  settle(exchange: FarExchange): void {
    this.#settling.push(exchange);
  }

  forget(number: number): void {
    this.#open.delete(number);
    if (this.#draining && this.#open.size === 0) this.#exit();
  }

  #hear(message: ToThread): void {
    if (typeof message === "number") {
      const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
      this.#heartbeat.answer(message, heap, external);
    } else if (message === "drain") this.#drain();
    else if (message === "reopenLogs") this.#service.reopenLogs();
    else {
      // What is answered meanwhile leaves at the end, all at once.
      const wasScheduled = this.#scheduled;
      this.#scheduled = true;
      try {
        readRequests(message, this);
      } finally {
        this.#scheduled = wasScheduled;
      }
      if (!wasScheduled && !this.#writer.empty) this.#flush();
    }
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#writer.empty) return;
    const batch = this.#writer.take();
    this.#port.postMessage(batch, [...batch.moved]);
    if (this.#settling.length === 0) return;
    const settling = this.#settling;
    this.#settling = [];
    for (const exchange of settling) exchange.settle();
  }

  #tell(message: Exclude<FromThread, object>): void {
    this.#port.postMessage(message);
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    if (this.#open.size === 0) this.#exit();
  }

  #exit(): void {
    if (this.#exiting) return;
    this.#exiting = true;
    this.#heartbeat.close();
    this.#flush();
    void this.#service.stop().finally(() => {
      this.#flush();
      // An app that still holds a timer or a socket is no reason to stay.
      process.exit();
    });
  }
}

/** One exchange in the worker. It is over when both sides have ended and nothing of the answer is under way. */
class FarExchange implements ResponseSink {
  sink: RequestSink | null = null;
  readonly #end: FarEnd;
  readonly #number: number;
  #answered = false;
  /** Streams of the request that have not ended: the body, and a filter's file. */
  #openStreams: number;
  /** Bytes of the answer, and those of them that were not credited. */
  #sent = 0;
  #underway = 0;
  #over = false;

  constructor(end: FarEnd, number: number, role: Role) {
    this.#end = end;
    this.#number = number;
    this.#openStreams = role === "filter" ? 2 : 1;
  }

  /** From the app. */
  send(event: ResponseEvent): void {
    if (this.#over) return;
    if (event.type === "body") {
      this.#sent += event.chunk.length;
      this.#underway += event.chunk.length;
    }
    this.#end.send(this.#number, event);
    if (event.type === "fail") this.#finish();
    if (event.type !== "end") return;
    this.#answered = true;
    if (this.#sent > 0 && this.#sent <= SETTLED_AT_ONCE) this.#end.settle(this);
    else this.#check();
  }

  /** The answer has left, as far as anybody here can tell. */
  settle(): void {
    const bytes = this.#underway;
    this.#underway = 0;
    if (bytes > 0 && !this.#over) this.sink?.send({ type: "credit", bytes });
    this.#check();
  }

  /** From the gateway. */
  receive(event: RequestEvent): void {
    switch (event.type) {
      case "bodyEnd":
      case "dataEnd":
        this.#openStreams--;
        this.sink?.send(event);
        break;
      case "credit": {
        // A short answer may have been credited here already.
        const bytes = Math.min(event.bytes, this.#underway);
        this.#underway -= bytes;
        if (bytes > 0) this.sink?.send({ type: "credit", bytes });
        break;
      }
      case "abort":
        this.sink?.send(event);
        // Says that the thread has heard of it, and has room again.
        if (!this.#over) this.#end.send(this.#number, { type: "fail", status: 500 });
        return this.#finish();
      case "body":
      case "data":
        this.sink?.send(event);
        return;
    }
    this.#check();
  }

  #check(): void {
    if (this.#answered && this.#openStreams <= 0 && this.#underway <= 0) this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#end.forget(this.#number);
  }
}
