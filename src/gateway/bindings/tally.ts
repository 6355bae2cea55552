/** What an access log will want to know of an exchange, kept while it runs; nobody has one where there is no log. */
import type { AbortCode } from "../../errors.ts";
import type { ExchangeRecord, Params, Service } from "../../exchange.ts";

/** As nginx has it: the client left before it was answered. */
const CLIENT_LEFT = 499;
const CLOSING = 503;

export class Tally {
  readonly #begun = performance.now();
  status = 0;
  /** Of the answer's body, made so far. */
  bytes = 0;
  service: Service | null = null;

  /** No answer comes any more; one that has begun keeps its status. */
  abandoned(code: AbortCode): void {
    if (this.status === 0) this.status = code === "SHUTTING_DOWN" ? CLOSING : CLIENT_LEFT;
  }

  record(id: string, params: Params | null, unsent: number, aborted: boolean): ExchangeRecord {
    const { status, service } = this;
    const duration = performance.now() - this.#begun;
    return { id, params, status, bytes: this.bytes - unsent, aborted, begun: Date.now() - duration, duration, service };
  }
}
