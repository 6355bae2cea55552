/** FastCGI events to exchange events and back, for one connection. */
import type { AbortCode } from "../../errors.ts";
import { ProtocolError } from "../../errors.ts";
import { FCGI_CANT_MPX_CONN, FCGI_REQUEST_COMPLETE } from "../../protocol/fastcgi/constants.ts";
import type { FastCgiRequestEvent } from "../../protocol/fastcgi/events.ts";
import { FastCgiReader } from "../../protocol/fastcgi/reader.ts";
import { FastCgiWriter } from "../../protocol/fastcgi/writer.ts";
import { requestsToServe } from "../options.ts";
import type { RequestReport } from "../../report.ts";
import type { Binding, Wire } from "./binding.ts";
import { FastCgiExchange, type FastCgiLine } from "./fastcgi-exchange.ts";

/** A header of version 255, which no reader of FastCGI takes for the end of an answer. */
const BROKEN_RECORD = Buffer.alloc(8, 0xff);

export class FastCgiBinding implements Binding, FastCgiLine {
  readonly wire: Wire;
  readonly writer: FastCgiWriter = new FastCgiWriter();
  readonly #reader: FastCgiReader;
  /** The open request: nearly always there is only one. */
  #first: FastCgiExchange | null = null;
  #others: Map<number, FastCgiExchange> | null = null;
  readonly #maxRequests: number;
  #badRecordsLeft: number;
  served = 0;
  /** No request is begun any more: the connection closes with those that are open. */
  #last: boolean;
  #closed = false;

  constructor(wire: Wire) {
    const { options } = wire.setting;
    this.wire = wire;
    this.#last = wire.overloaded;
    this.#reader = new FastCgiReader(options);
    this.#badRecordsLeft = options.badRecordsPerConnection;
    this.#maxRequests = requestsToServe(options);
  }

  get busy(): boolean {
    return this.#first !== null || (this.#others !== null && this.#others.size > 0);
  }

  get awaitsInput(): boolean {
    return this.#open().some((exchange) => !exchange.inputDone);
  }

  get requests(): RequestReport[] {
    return this.#open().flatMap((exchange) => exchange.report ?? []);
  }

  get buffered(): number {
    return this.#reader.buffered;
  }

  get pending(): number {
    return this.writer.pending;
  }

  take(): Uint8Array[] {
    return this.writer.take();
  }

  receive(chunk: Uint8Array): void {
    try {
      const reader = this.#reader;
      reader.receive(chunk);
      for (let event = reader.nextEvent(); event !== null; event = reader.nextEvent()) this.#on(event);
    } catch (error) {
      this.wire.fault(error as Error);
    }
  }

  sweep(now: number): void {
    for (const exchange of this.#open()) exchange.sweep(now);
  }

  endTunnel(): boolean {
    return this.#first?.endTunnel() ?? false;
  }

  drain(): void {
    this.#last = true;
  }

  abandon(code: AbortCode): void {
    this.#closed = true;
    for (const exchange of this.#open()) exchange.abandon(code);
    this.#first = null;
    this.#others = null;
  }

  /** The end of `exchange` is written. `consumed`: nothing of it is under way to us any more. */
  finished(exchange: FastCgiExchange, consumed: boolean): void {
    this.#remove(exchange);
    if (++this.served >= this.#maxRequests || !exchange.keepConn) this.#last = true;
    if (this.#last && !this.busy && !this.#closed) {
      this.#closed = true;
      this.wire.close(consumed);
    }
  }

  /**
   * The answer to `exchange` must not look complete. Where neighbours share the connection it has to live on, and
   * `appStatus` is all that can be said.
   */
  broken(exchange: FastCgiExchange): void {
    const { requestId } = exchange;
    this.#remove(exchange);
    if (this.busy) {
      this.writer.send({ type: "endRequest", requestId, appStatus: 1, protocolStatus: FCGI_REQUEST_COMPLETE });
      this.wire.touch();
    } else {
      this.#closed = true;
      this.wire.breakOff(BROKEN_RECORD);
    }
  }

  #on(event: FastCgiRequestEvent): void {
    switch (event.type) {
      case "beginRequest":
        return this.#begin(event.requestId, event.role, event.keepConn);
      case "params":
        return this.#find(event.requestId)?.begin(event.params);
      case "stdin":
        return this.#find(event.requestId)?.receive("body", event.content);
      case "stdinEnd":
        return this.#find(event.requestId)?.endStream("body");
      case "data":
        return this.#find(event.requestId)?.receive("data", event.content);
      case "dataEnd":
        return this.#find(event.requestId)?.endStream("data");
      case "abortRequest":
        return this.#find(event.requestId)?.abortByWebServer();
      case "requestError":
        return this.#find(event.requestId)?.unreadable(event.error);
      case "getValues":
        return this.#tellValues(event.names);
      case "unknownType":
        this.writer.send({ type: "unknownType", recordType: event.recordType });
        this.wire.touch();
        return this.#bad(`a management record of type ${event.recordType}`);
      case "badRecord":
        return this.#bad(event.reason);
    }
  }

  #remove(exchange: FastCgiExchange): void {
    if (this.#first === exchange) this.#first = null;
    else this.#others?.delete(exchange.requestId);
    this.#reader.forget(exchange.requestId);
  }

  #begin(requestId: number, role: number, keepConn: boolean): void {
    if (this.#closed) {
      // Not answered, but not unread either: the close has to wait for the peer.
      this.#reader.forget(requestId);
      this.wire.close(false);
      return;
    }
    const exchange = new FastCgiExchange(this, requestId, role, keepConn);
    if (this.#first === null && !this.busy) {
      this.#first = exchange;
    } else if (this.wire.setting.options.multiplexed) {
      (this.#others ??= new Map()).set(requestId, exchange);
    } else {
      // Two requests on a connection that carries one: rather a smuggled request than a web server that multiplexes.
      this.#last = true;
      this.#reader.forget(requestId);
      this.writer.send({ type: "endRequest", requestId, appStatus: 0, protocolStatus: FCGI_CANT_MPX_CONN });
      this.wire.touch();
    }
  }

  #tellValues(names: readonly string[]): void {
    const known = this.wire.setting.values;
    const values: [string, string][] = [];
    for (const name of new Set(names)) {
      const value = Object.hasOwn(known, name) ? known[name] : undefined;
      if (value !== undefined) values.push([name, value]);
    }
    this.writer.send({ type: "getValuesResult", values });
    this.wire.touch();
  }

  #bad(reason: string): void {
    const { counters, log } = this.wire.setting;
    counters.badRecords++;
    log.debug(`ignored ${reason}`);
    if (this.#badRecordsLeft-- > 0) return;
    throw new ProtocolError("FCGI_TOO_MANY_BAD_RECORDS", `${reason}, after too many others`);
  }

  #find(requestId: number): FastCgiExchange | undefined {
    if (this.#first?.requestId === requestId) return this.#first;
    return this.#others?.get(requestId);
  }

  #open(): FastCgiExchange[] {
    const others = this.#others === null ? [] : [...this.#others.values()];
    return this.#first === null ? others : [this.#first, ...others];
  }
}
