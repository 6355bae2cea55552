/** One AJP13 request: its packets, the demand for its body, its end. */
import { type HeadFields, headFields } from "../../cgi/head-fields.ts";
import { isInterim } from "../../cgi/response-head.ts";
import type { AbortCode } from "../../errors.ts";
import type { ResponseEvent } from "../../exchange.ts";
import { AJP_MAX_REQUESTED } from "../../protocol/ajp/constants.ts";
import type { AjpReader } from "../../protocol/ajp/reader.ts";
import type { AjpWriter } from "../../protocol/ajp/writer.ts";
import type { Params } from "../../protocol/params.ts";
import type { Wire } from "./binding.ts";
import { ExchangeLine } from "./exchange-line.ts";

/** The connection's binding, as its requests see it. */
export interface AjpLine {
  readonly wire: Wire;
  readonly reader: AjpReader;
  readonly writer: AjpWriter;
  /** The answer is over. `consumed`: so is the request, and nothing of it is under way to us any more. */
  finished(consumed: boolean): void;
  /** The answer must not look complete. */
  broken(): void;
}

export class AjpExchange extends ExchangeLine {
  readonly #binding: AjpLine;
  /** The app has taken bytes of the body before its answer was complete, and has not failed: it goes on reading. */
  #reads = false;
  /** The head did not fit: nothing more is heard of this answer. */
  #refused = false;

  constructor(binding: AjpLine) {
    super(binding.wire);
    this.#binding = binding;
  }

  begin(params: Params): void {
    this.dispatch("ajp", "responder", params, false);
    this.proceed();
  }

  /** The request cannot be used, and what follows is not read: the connection ends with this answer. */
  reject(status: number): void {
    this.refuse(status);
    this.complete();
  }

  /**
   * Asks for more of the body once the app has taken all that has come: while mod_proxy_ajp waits for the client's next
   * bytes it passes on no answer, so that nothing is asked for before it is wanted.
   */
  proceed(): void {
    const { reader, writer } = this.#binding;
    if (this.over || this.inputDone || reader.awaitsBody) return;
    if (this.unread === 0 && (!this.answered || this.#reads)) {
      const requested = Math.min(AJP_MAX_REQUESTED, reader.bodyLeft, this.wire.setting.options.bodyHighWater);
      reader.asked(requested);
      writer.send({ type: "getBodyChunk", requested });
      this.wire.touch();
    } else if (this.answered && !this.#reads) {
      this.complete();
    }
  }

  override send(event: ResponseEvent): void {
    if (this.#refused && event.type !== "credit") return;
    if (event.type === "head" && !this.answered && !this.#fits(event.block)) {
      if (!isInterim(event.status)) this.#refuseHead(event.block.length);
      return;
    }
    if (event.type === "fail") this.#reads = false;
    super.send(event);
    if (event.type !== "credit") return;
    this.#reads ||= !this.answered;
    this.proceed();
  }

  override abort(code: AbortCode, status: number): void {
    this.#reads = false;
    super.abort(code, status);
  }

  protected writeHead(block: string): void {
    this.#binding.writer.send({ type: "sendHeaders", ...headFields(block) });
  }

  protected writeBody(chunk: Uint8Array): void {
    this.#binding.writer.send({ type: "sendBodyChunk", content: chunk });
  }

  /** The protocol has no way to carry it. */
  protected writeError(chunk: Uint8Array): void {
    this.wire.setting.log.warn(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString("utf8"));
  }

  /** What comes by itself or was asked for; more only to an app that goes on reading. */
  protected override get restComes(): boolean {
    return this.#reads || this.#binding.reader.awaitsBody;
  }

  protected override readonly restCode = "BODY_UNREAD";

  /** What a short body lacks may still come: two NULs that lighttpd passes on look like the end of one. */
  protected writeEnd(): void {
    this.#binding.finished(this.inputDone && this.#binding.reader.bodyLeft === 0);
    this.wire.touch();
  }

  protected breakOff(): void {
    this.#binding.broken();
  }

  #fits(block: string): boolean {
    const fields: HeadFields = headFields(block);
    return this.#binding.writer.fits({ type: "sendHeaders", ...fields });
  }

  /** Not at once: the app may be in the midst of being called. */
  #refuseHead(bytes: number): void {
    const { packetSize } = this.wire.setting.options;
    this.wire.setting.log.error(
      `answered 500: a head of ${bytes} bytes does not fit into a packet of ${packetSize} (packet_size)`,
    );
    this.#refused = true;
    process.nextTick(() => this.abort("HEAD_LIMIT", 500));
  }
}
