/** AJP13 events to exchange events and back, for one connection. */
import type { AbortCode } from "../../errors.ts";
import { ProtocolError } from "../../errors.ts";
import type { AjpForwardRequest, AjpRequestEvent } from "../../protocol/ajp/events.ts";
import { AjpReader } from "../../protocol/ajp/reader.ts";
import { AjpWriter } from "../../protocol/ajp/writer.ts";
import type { RequestReport } from "../../report.ts";
import { requestsToServe } from "../options.ts";
import { isSecret } from "../secret.ts";
import { AjpExchange, type AjpLine } from "./ajp-exchange.ts";
import { ajpVariables } from "./ajp-variables.ts";
import type { Binding, Wire } from "./binding.ts";

export class AjpBinding implements Binding, AjpLine {
  readonly wire: Wire;
  readonly reader: AjpReader;
  readonly writer: AjpWriter;
  #exchange: AjpExchange | null = null;
  readonly #maxRequests: number;
  #badPacketsLeft: number;
  served = 0;
  /** No request is begun any more: the connection closes with the one that is open. */
  #last: boolean;
  #closed = false;

  constructor(wire: Wire) {
    const { options } = wire.setting;
    this.wire = wire;
    this.#last = wire.overloaded;
    this.reader = new AjpReader(options);
    this.writer = new AjpWriter(options.packetSize);
    this.#badPacketsLeft = options.badRecordsPerConnection;
    this.#maxRequests = requestsToServe(options);
  }

  get busy(): boolean {
    return this.#exchange !== null;
  }

  get awaitsInput(): boolean {
    return this.#exchange !== null && !this.#exchange.inputDone;
  }

  get requests(): RequestReport[] {
    const report = this.#exchange?.report ?? null;
    return report === null ? [] : [report];
  }

  get buffered(): number {
    return this.reader.buffered;
  }

  get pending(): number {
    return this.writer.pending;
  }

  take(): Uint8Array[] {
    return this.writer.take();
  }

  receive(chunk: Uint8Array): void {
    try {
      const { reader } = this;
      reader.receive(chunk);
      for (let event = reader.nextEvent(); event !== null; event = reader.nextEvent()) this.#on(event);
    } catch (error) {
      this.wire.fault(error as Error);
    }
  }

  sweep(now: number): void {
    this.#exchange?.sweep(now);
  }

  endTunnel(): boolean {
    return false;
  }

  drain(): void {
    this.#last = true;
  }

  abandon(code: AbortCode): void {
    this.#closed = true;
    this.#exchange?.abandon(code);
    this.#exchange = null;
  }

  /** A body that was not read to its end ends the connection: nothing of it can be taken for a request then. */
  finished(consumed: boolean): void {
    if (++this.served >= this.#maxRequests || !consumed) this.#last = true;
    const reuse = !this.#last;
    this.writer.send({ type: "endResponse", reuse });
    this.reader.answered(reuse);
    this.#exchange = null;
    if (reuse) return;
    this.#closed = true;
    this.wire.close(consumed);
  }

  /** A connection that ends without END_RESPONSE is enough: mod_proxy_ajp and lighttpd break their answer off. */
  broken(): void {
    this.#exchange = null;
    this.#closed = true;
    this.wire.breakOff(null);
  }

  #on(event: AjpRequestEvent): void {
    switch (event.type) {
      case "forwardRequest":
        return this.#begin(event.request);
      case "body":
        this.#exchange?.receive("body", event.content);
        return this.#exchange?.proceed();
      case "bodyEnd":
        return this.#exchange?.endStream("body");
      case "cping":
        this.writer.send({ type: "cpong" });
        return this.wire.touch();
      case "ignored":
        return this.#ignore(event.what);
      case "requestError":
        this.wire.setting.log.info(`refused a request: ${event.error.message}`);
        return this.#reject(event.error.statusHint);
    }
  }

  #begin(request: AjpForwardRequest): void {
    if (this.#closed) return;
    const { options, counters, log } = this.wire.setting;
    if (options.secret !== "" && !isSecret(request.secret, options.secret)) {
      if (counters.badSecrets++ === 0) {
        const what = request.secret === null ? "no secret" : "a wrong secret";
        log.warn(`refused a request with ${what}; the web server has to send the one of the option secret`);
      }
      return this.#reject(403);
    }
    this.#exchange = new AjpExchange(this);
    this.#exchange.begin(ajpVariables(request));
  }

  #reject(status: number): void {
    this.#last = true;
    this.#exchange = new AjpExchange(this);
    this.#exchange.reject(status);
  }

  #ignore(what: string): void {
    const { counters, log } = this.wire.setting;
    counters.badRecords++;
    log.debug(`ignored ${what}`);
    if (this.#badPacketsLeft-- > 0) return;
    throw new ProtocolError("AJP_TOO_MANY_BAD_PACKETS", `${what}, after too many others`);
  }
}
