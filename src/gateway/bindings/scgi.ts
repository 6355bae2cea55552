/** SCGI events to exchange events and back, for one connection, which is one request. */
import type { AbortCode } from "../../errors.ts";
import type { Params } from "../../protocol/params.ts";
import type { ScgiRequestEvent } from "../../protocol/scgi/events.ts";
import { ScgiReader } from "../../protocol/scgi/reader.ts";
import type { RequestReport } from "../../report.ts";
import type { Binding, Wire } from "./binding.ts";
import { ExchangeLine } from "./exchange-line.ts";

/** Pieces up to this size together are copied into one, which makes one write of them. */
const COALESCED = 16 * 1024;
/** Larger pieces are cut, so that the connection can see them leave. */
const LARGEST = 64 * 1024;

export class ScgiBinding implements Binding {
  readonly wire: Wire;
  readonly #reader: ScgiReader;
  #exchange: ScgiExchange | null = null;
  #output: (string | Uint8Array)[] = [];
  #closed = false;
  #extra = false;

  pending = 0;
  served = 0;

  constructor(wire: Wire) {
    this.wire = wire;
    this.#reader = new ScgiReader(wire.setting.options);
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
    return this.#reader.buffered;
  }

  receive(chunk: Uint8Array): void {
    try {
      this.#reader.receive(chunk);
      for (let event = this.#reader.nextEvent(); event !== null; event = this.#reader.nextEvent()) this.#on(event);
    } catch (error) {
      this.wire.fault(error as Error);
    }
  }

  /** Appends output: text is latin1. */
  write(piece: string | Uint8Array): void {
    this.pending += piece.length;
    if (typeof piece === "string" || piece.length <= LARGEST) {
      this.#output.push(piece);
      return;
    }
    for (let at = 0; at < piece.length; at += LARGEST) this.#output.push(piece.subarray(at, at + LARGEST));
  }

  take(): Uint8Array[] {
    const output = this.#output;
    const bytes = this.pending;
    this.#output = [];
    this.pending = 0;
    if (bytes > COALESCED) return output.map(encoded);
    const whole = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const piece of output) {
      if (typeof piece === "string") whole.write(piece, at, "latin1");
      else whole.set(piece, at);
      at += piece.length;
    }
    return [whole];
  }

  sweep(now: number): void {
    this.#exchange?.sweep(now);
  }

  endTunnel(): boolean {
    return this.#exchange?.endTunnel() ?? false;
  }

  /** All that comes is the tunnel's. False where something had come too early. */
  startTunnel(): boolean {
    if (this.#extra) return false;
    this.#reader.startTunnel();
    return true;
  }

  /** Nothing to do: the connection ends with its request anyway. */
  drain(): void {}

  abandon(code: AbortCode): void {
    this.#closed = true;
    this.#exchange?.abandon(code);
    this.#exchange = null;
  }

  finished(consumed: boolean): void {
    this.served = 1;
    this.#exchange = null;
    this.#closed = true;
    this.wire.close(consumed && !this.#extra);
  }

  broken(): void {
    this.#exchange = null;
    this.#closed = true;
    this.wire.breakOff(null);
  }

  #on(event: ScgiRequestEvent): void {
    switch (event.type) {
      case "headers":
        this.#exchange = new ScgiExchange(this);
        return this.#exchange.begin(event.params);
      case "body":
        return this.#exchange?.receive("body", event.content);
      case "bodyEnd":
        return this.#exchange?.endStream("body");
      case "extraData":
        this.wire.setting.counters.extraBytes += event.bytes;
        this.#extra = true;
        if (this.#closed) this.wire.close(false);
        return;
      case "requestError":
        this.wire.setting.log.info(`refused a request: ${event.error.message}`);
        this.#exchange = new ScgiExchange(this);
        return this.#exchange.unreadable(event.error.statusHint);
    }
  }
}

class ScgiExchange extends ExchangeLine {
  readonly #binding: ScgiBinding;

  constructor(binding: ScgiBinding) {
    super(binding.wire);
    this.#binding = binding;
  }

  begin(params: Params): void {
    this.dispatch("scgi", "responder", params, false);
  }

  /** The variables cannot be used, so nobody knows where the request ends. */
  unreadable(status: number): void {
    this.refuse(status);
    this.complete();
  }

  /**
   * After the 101 nginx and lighttpd send what comes as it is (`ngx_http_upstream_upgrade`; gw_backend.c,
   * `gw_set_transparent`).
   */
  protected override startTunnel(): boolean {
    return this.#binding.startTunnel();
  }

  protected writeHead(block: string): void {
    this.#binding.write(block);
  }

  protected writeBody(chunk: Uint8Array): void {
    this.#binding.write(chunk);
  }

  /** The protocol has no way to carry it. */
  protected writeError(chunk: Uint8Array): void {
    this.wire.setting.log.warn(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString("utf8"));
  }

  protected writeEnd(): void {
    this.#binding.finished(this.inputDone);
    this.wire.touch();
  }

  /** On a Unix socket a broken answer without a length cannot be told from a whole one: SCGI has no end of its own. */
  protected breakOff(): void {
    this.#binding.broken();
  }
}

function encoded(piece: string | Uint8Array): Uint8Array {
  return typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
}
