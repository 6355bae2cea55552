/** One FastCGI request: its role, its records, its end. */
import type { ProtocolError } from "../../errors.ts";
import type { Role } from "../../exchange.ts";
import {
  FCGI_AUTHORIZER,
  FCGI_FILTER,
  FCGI_OVERLOADED,
  FCGI_REQUEST_COMPLETE,
  FCGI_RESPONDER,
  FCGI_UNKNOWN_ROLE,
} from "../../protocol/fastcgi/constants.ts";
import type { FastCgiWriter } from "../../protocol/fastcgi/writer.ts";
import type { Params } from "../../protocol/params.ts";
import type { Wire } from "./binding.ts";
import { ExchangeLine } from "./exchange-line.ts";

/** The connection's binding, as its requests see it. */
export interface FastCgiLine {
  readonly wire: Wire;
  readonly writer: FastCgiWriter;
  /** The end of `exchange` is written. `consumed`: nothing of it is under way to us any more. */
  finished(exchange: FastCgiExchange, consumed: boolean): void;
  /** The answer to `exchange` must not look complete. */
  broken(exchange: FastCgiExchange): void;
  /** The connection ends with the requests that are open. */
  drain(): void;
}

const ROLES: Readonly<Record<number, Role | undefined>> = {
  [FCGI_RESPONDER]: "responder",
  [FCGI_AUTHORIZER]: "authorizer",
  [FCGI_FILTER]: "filter",
};

export class FastCgiExchange extends ExchangeLine {
  readonly requestId: number;
  readonly keepConn: boolean;
  readonly #binding: FastCgiLine;
  readonly #role: number;
  #protocolStatus = FCGI_REQUEST_COMPLETE;
  #stderrUsed = false;

  constructor(binding: FastCgiLine, requestId: number, role: number, keepConn: boolean) {
    super(binding.wire);
    const { clock, options } = binding.wire.setting;
    this.requestId = requestId;
    this.keepConn = keepConn;
    this.#binding = binding;
    this.#role = role;
    this.inputDeadline = clock.in(options.headerTimeout);
  }

  begin(params: Params): void {
    if (this.answered) return;
    const { setting } = this.wire;
    const role = ROLES[this.#role];
    if (role === undefined || !setting.serves(role)) {
      this.params = params;
      this.#protocolStatus = FCGI_UNKNOWN_ROLE;
      this.refuse(500);
    } else {
      this.dispatch("fastcgi", role, params, setting.options.multiplexed);
    }
  }

  abortByWebServer(): void {
    this.abandon("ABORTED_BY_WEB_SERVER");
    this.#protocolStatus = FCGI_REQUEST_COMPLETE;
    this.overloaded = false;
    this.writeEnd();
  }

  /** The variables cannot be used. The reader goes on behind the request, of which it tells nothing more. */
  unreadable(error: ProtocolError): void {
    this.wire.setting.log.info(`refused a request: ${error.message}`);
    if (!this.answered) this.refuse(error.statusHint);
    this.complete();
  }

  override sweep(now: number): void {
    if (this.params !== null || this.answered) return super.sweep(now);
    if (now < this.inputDeadline) return;
    this.wire.setting.counters.headerTimeouts++;
    this.#binding.drain();
    this.refuse(408);
    this.complete();
  }

  /**
   * What comes are more records of STDIN: lighttpd defers its end where it can go on (mod_fastcgi.c). Other web servers send
   * it right behind the request, some of them a moment later: those are known by name (`mayUpgrade`).
   */
  protected override startTunnel(): boolean {
    return !this.inputDone;
  }

  protected writeHead(block: string): void {
    this.#binding.writer.send({ type: "stdout", requestId: this.requestId, content: block });
  }

  protected writeBody(chunk: Uint8Array): void {
    this.#binding.writer.send({ type: "stdout", requestId: this.requestId, content: chunk });
  }

  protected writeError(chunk: Uint8Array): void {
    this.#stderrUsed = true;
    this.#binding.writer.send({ type: "stderr", requestId: this.requestId, content: chunk });
  }

  protected writeEnd(): void {
    const { writer } = this.#binding;
    const { requestId, appStatus } = this;
    const protocolStatus = this.overloaded ? FCGI_OVERLOADED : this.#protocolStatus;
    if (this.#stderrUsed) writer.send({ type: "stderrEnd", requestId });
    writer.send({ type: "stdoutEnd", requestId });
    writer.send({ type: "endRequest", requestId, appStatus, protocolStatus });
    // An authorizer's body is over before it has come, if it comes at all.
    this.#binding.finished(this, this.inputDone && this.#role !== FCGI_AUTHORIZER);
    this.wire.touch();
  }

  protected breakOff(): void {
    this.#binding.broken(this);
  }
}
