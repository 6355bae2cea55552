/** Reads what a web server sends: an SCGI request becomes request events. */
import type { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import { ChunkQueue } from "../chunk-queue.ts";
import { type Params, ParamsBuilder, type ParamsLimits } from "../params.ts";
import type { ScgiRequestEvent } from "./events.ts";
import { takeLength } from "./netstring.ts";

export interface ScgiReaderLimits extends ParamsLimits {
  /** Bytes of the header netstring. */
  readonly maxHeaderNetstring: number;
}

const COMMA = 0x2c;
const CONTENT_LENGTH = /^(?:0|[1-9]\d{0,15})$/;
const builder = new ParamsBuilder();

/** One reader for each connection: SCGI has one request on each. */
export class ScgiReader {
  readonly #limits: ScgiReaderLimits;
  readonly #bytes = new ChunkQueue();
  #state: "length" | "headers" | "body" | "over" = "length";
  #headerLength = 0;
  #bodyLeft = 0;
  #failure: ProtocolError | null = null;

  constructor(limits: ScgiReaderLimits) {
    this.#limits = limits;
  }

  /** Bytes held back until more arrive. */
  get buffered(): number {
    return this.#bytes.length;
  }

  receive(chunk: Uint8Array): void {
    this.#bytes.append(chunk);
  }

  /**
   * The next event, or null if more bytes are needed.
   *
   * @throws ProtocolError SCGI_BAD_NETSTRING, SCGI_HEADERS_TOO_LARGE, SCGI_BAD_HEADERS, SCGI_BAD_CONTENT_LENGTH: close
   *   the connection. The same error ever after.
   */
  nextEvent(): ScgiRequestEvent | null {
    if (this.#failure !== null) throw this.#failure;
    try {
      return this.#next();
    } catch (error) {
      this.#failure = error as ProtocolError;
      throw error;
    }
  }

  /** @throws ProtocolError SCGI_TRUNCATED: the connection ended before the request did. */
  end(): void {
    if (this.#state === "over" || (this.#state === "length" && this.#bytes.length === 0)) return;
    throw new ProtocolError("SCGI_TRUNCATED", "the connection ended before the request did");
  }

  #next(): ScgiRequestEvent | null {
    if (this.#state === "length") {
      const length = takeLength(this.#bytes);
      if (length === undefined) return null;
      if (length > this.#limits.maxHeaderNetstring) {
        const message = `${length} bytes of headers, max_header_netstring is ${this.#limits.maxHeaderNetstring}`;
        throw new ProtocolError("SCGI_HEADERS_TOO_LARGE", message, 431);
      }
      this.#headerLength = length;
      this.#state = "headers";
    }
    if (this.#state === "headers") {
      if (this.#bytes.length < this.#headerLength + 1) return null;
      const block = this.#bytes.take(this.#headerLength);
      if (this.#bytes.take(1)[0] !== COMMA) throw new ProtocolError("SCGI_BAD_NETSTRING", "no comma after the headers");
      return this.#readHeaders(block);
    }
    if (this.#state === "body") {
      if (this.#bodyLeft === 0) {
        this.#state = "over";
        return { type: "bodyEnd" };
      }
      const content = this.#bytes.takeSome(this.#bodyLeft);
      if (content.length === 0) return null;
      this.#bodyLeft -= content.length;
      return { type: "body", content };
    }
    const extra = this.#bytes.length;
    if (extra === 0) return null;
    this.#bytes.take(extra);
    return { type: "extraData", bytes: extra };
  }

  #readHeaders(block: Buffer): ScgiRequestEvent {
    try {
      const { params, contentLength } = decodeHeaders(block, this.#limits);
      this.#bodyLeft = contentLength;
      this.#state = "body";
      return { type: "headers", params, contentLength };
    } catch (error) {
      if ((error as ProtocolError).code !== "SCGI_TOO_MANY_HEADERS") throw error;
      this.#state = "over";
      return { type: "requestError", error: error as ProtocolError };
    }
  }
}

/** Names and values, each one ended by a NUL; the strict CONTENT_LENGTH and `SCGI` = `1` among them. */
function decodeHeaders(block: Buffer, limits: ScgiReaderLimits): { params: Params; contentLength: number } {
  if (block.length === 0 || block[block.length - 1] !== 0) {
    throw new ProtocolError("SCGI_BAD_HEADERS", "the headers do not end in a NUL");
  }
  const text = block.toString("latin1");
  let contentLength: string | undefined;
  let scgi = false;
  builder.begin(limits.maxParams);
  for (let at = 0; at < text.length;) {
    const nameEnd = text.indexOf("\0", at);
    const valueEnd = text.indexOf("\0", nameEnd + 1);
    if (valueEnd === -1) throw new ProtocolError("SCGI_BAD_HEADERS", "a name without a value");
    if (nameEnd === at) throw new ProtocolError("SCGI_BAD_HEADERS", "an empty name");
    if (builder.count === limits.maxParams) throw tooMany(`more than ${limits.maxParams} headers`);
    if (nameEnd - at > limits.maxParamName) throw tooMany(`a name of ${nameEnd - at} bytes`);
    if (valueEnd - nameEnd - 1 > limits.maxParamValue) throw tooMany(`a value of ${valueEnd - nameEnd - 1} bytes`);
    const nameLength = nameEnd - at;
    if (nameLength === 14 && text.startsWith("CONTENT_LENGTH", at)) {
      const value = text.slice(nameEnd + 1, valueEnd);
      if (contentLength !== undefined && contentLength !== value) {
        throw new ProtocolError("SCGI_BAD_CONTENT_LENGTH", "two different CONTENT_LENGTHs");
      }
      contentLength = value;
    } else if (nameLength === 4 && text.startsWith("SCGI\x001\0", at)) {
      scgi = true;
    }
    builder.add(at, nameEnd, nameEnd + 1, valueEnd);
    at = valueEnd + 1;
  }
  if (contentLength === undefined || !CONTENT_LENGTH.test(contentLength)) {
    throw new ProtocolError("SCGI_BAD_CONTENT_LENGTH", "CONTENT_LENGTH is missing or no number");
  }
  if (!scgi) throw new ProtocolError("SCGI_BAD_HEADERS", "SCGI=1 is missing");
  return { params: builder.finish(text), contentLength: Number(contentLength) };
}

function tooMany(what: string): ProtocolError {
  return new ProtocolError("SCGI_TOO_MANY_HEADERS", what, 431);
}
