/** Reads what a web server sends: an SCGI request becomes request events. */
import { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import { GrowingBuffer } from "../growing-buffer.ts";
import type { ParamsLimits } from "../params.ts";
import type { ScgiRequestEvent } from "./events.ts";
import { decodeHeaders } from "./headers.ts";
import { expectComma, locateNetstring, type Netstring } from "./netstring.ts";

export interface ScgiReaderLimits extends ParamsLimits {
  /** Bytes of the header netstring. */
  readonly maxHeaderNetstring: number;
}

const EMPTY = Buffer.alloc(0);

/**
 * One reader for each connection: SCGI has one request on each. A chunk belongs to the reader from `receive` on, since
 * `body` events are views on it.
 */
export class ScgiReader {
  readonly #limits: ScgiReaderLimits;
  #state: "headers" | "body" | "over" | "tunnel" = "headers";
  /** Received and not read. */
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** The begin of headers that no single chunk holds. */
  #head: GrowingBuffer | null = null;
  #netstring: Netstring | null = null;
  #bodyLeft = 0;
  #failure: ProtocolError | null = null;

  constructor(limits: ScgiReaderLimits) {
    this.#limits = limits;
  }

  /** Bytes held back until more arrive. */
  get buffered(): number {
    return (this.#head?.length ?? 0) + this.#chunk.length - this.#at;
  }

  receive(chunk: Uint8Array): void {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#chunk = this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), bytes]) : bytes;
    this.#at = 0;
  }

  /** The request's body, which is empty or has been read, is followed by a tunnel: `body` events without an end. */
  startTunnel(): void {
    this.#state = "tunnel";
  }

  /**
   * The next event, or null if more bytes are needed.
   *
   * @throws ProtocolError SCGI_BAD_NETSTRING, SCGI_HEADERS_TOO_LARGE, SCGI_BAD_HEADERS, SCGI_BAD_CONTENT_LENGTH: close
   *   the connection. The same error ever after.
   */
  nextEvent(): ScgiRequestEvent | null {
    if (this.#failure !== null) throw this.#failure;
    switch (this.#state) {
      case "headers":
        try {
          return this.#readHeaders();
        } catch (error) {
          this.#failure = error as ProtocolError;
          throw error;
        }
      case "body":
        return this.#readBody();
      case "tunnel": {
        const content = this.#chunk.subarray(this.#at);
        this.#pass(this.#chunk.length);
        return content.length === 0 ? null : { type: "body", content };
      }
      case "over": {
        const extra = this.#chunk.length - this.#at;
        this.#pass(this.#chunk.length);
        return extra === 0 ? null : { type: "extraData", bytes: extra };
      }
    }
  }

  /** @throws ProtocolError SCGI_TRUNCATED: the connection ended before the request did. */
  end(): void {
    if (this.#state === "over" || this.#state === "tunnel" || (this.#state === "headers" && this.buffered === 0))
      return;
    throw new ProtocolError("SCGI_TRUNCATED", "the connection ended before the request did");
  }

  #readHeaders(): ScgiRequestEvent | null {
    const chunk = this.#chunk;
    if (chunk.length === 0) return null;
    if (this.#head === null) {
      const netstring = this.#locate(chunk, chunk.length);
      if (netstring !== null && netstring.end < chunk.length) {
        this.#pass(netstring.end + 1);
        return this.#decode(chunk, netstring);
      }
      this.#head = new GrowingBuffer();
    }
    const head = this.#head;
    for (let at = this.#at; at < chunk.length;) {
      // To the comma and not beyond it; as long as that is unknown, byte by byte.
      const missing = this.#netstring === null ? 1 : this.#netstring.end + 1 - head.length;
      const from = at;
      at = Math.min(at + missing, chunk.length);
      head.append(chunk, from, at);
      this.#pass(at);
      this.#netstring ??= this.#locate(head.room, head.length);
      if (this.#netstring === null || head.length <= this.#netstring.end) continue;
      this.#head = null;
      return this.#decode(head.room, this.#netstring);
    }
    return null;
  }

  #locate(bytes: Buffer, to: number): Netstring | null {
    const netstring = locateNetstring(bytes, to);
    const { maxHeaderNetstring } = this.#limits;
    if (netstring !== null && netstring.end - netstring.start > maxHeaderNetstring) {
      const message = `${netstring.end - netstring.start} bytes of headers, max_header_netstring is ${maxHeaderNetstring}`;
      throw new ProtocolError("SCGI_HEADERS_TOO_LARGE", message, 431);
    }
    return netstring;
  }

  #decode(bytes: Buffer, netstring: Netstring): ScgiRequestEvent {
    expectComma(bytes, netstring);
    try {
      const { params, contentLength } = decodeHeaders(bytes, netstring.start, netstring.end, this.#limits);
      this.#bodyLeft = contentLength;
      this.#state = "body";
      return { type: "headers", params, contentLength };
    } catch (error) {
      if ((error as ProtocolError).code !== "SCGI_TOO_MANY_HEADERS") throw error;
      this.#state = "over";
      return { type: "requestError", error: error as ProtocolError };
    }
  }

  #readBody(): ScgiRequestEvent | null {
    if (this.#bodyLeft === 0) {
      this.#state = "over";
      return { type: "bodyEnd" };
    }
    const from = this.#at;
    const to = Math.min(from + this.#bodyLeft, this.#chunk.length);
    const chunk = this.#chunk;
    this.#bodyLeft -= to - from;
    this.#pass(to);
    return to === from ? null : { type: "body", content: chunk.subarray(from, to) };
  }

  /** The chunk is read up to `to`; one that is read to its end is not to be kept alive. */
  #pass(to: number): void {
    const read = to === this.#chunk.length;
    this.#at = read ? 0 : to;
    if (read) this.#chunk = EMPTY;
  }
}
