/** Reads what a FastCGI application sends: records become the client's events. */
import { ProtocolError } from "../../errors.ts";
import { ChunkQueue } from "../chunk-queue.ts";
import type { FastCgiClientEvent } from "./client-events.ts";
import {
  FCGI_END_REQUEST,
  FCGI_GET_VALUES_RESULT,
  FCGI_HEADER_LEN,
  FCGI_STDERR,
  FCGI_STDOUT,
  FCGI_UNKNOWN_TYPE,
  FCGI_VERSION_1,
} from "./constants.ts";
import { decodePairs } from "./name-value.ts";

interface RecordHeader {
  readonly type: number;
  readonly requestId: number;
  readonly length: number;
  readonly padding: number;
}

const RESULT_BODY = 8;

export class FastCgiClientReader {
  readonly #bytes = new ChunkQueue();
  #header: RecordHeader | null = null;
  #contentLeft = 0;
  #paddingLeft = 0;
  #failure: ProtocolError | null = null;

  receive(chunk: Uint8Array): void {
    this.#bytes.append(chunk);
  }

  /**
   * The next event, or null if more bytes are needed.
   *
   * @throws ProtocolError FCGI_BAD_VERSION, FCGI_BAD_RECORD. The same error ever after.
   */
  nextEvent(): FastCgiClientEvent | null {
    if (this.#failure !== null) throw this.#failure;
    try {
      return this.#next();
    } catch (error) {
      this.#failure = error as ProtocolError;
      throw error;
    }
  }

  /** @throws ProtocolError FCGI_TRUNCATED: the connection ended inside a record. */
  end(): void {
    if (this.#header !== null || this.#paddingLeft > 0 || this.#bytes.length > 0) {
      throw new ProtocolError("FCGI_TRUNCATED", "the connection ended inside a record");
    }
  }

  #next(): FastCgiClientEvent | null {
    for (;;) {
      if (this.#header === null) {
        if (this.#paddingLeft > 0) {
          this.#paddingLeft -= this.#bytes.takeSome(this.#paddingLeft).length;
          if (this.#bytes.length === 0) return null;
          continue;
        }
        if (this.#bytes.length < FCGI_HEADER_LEN) return null;
        this.#header = this.#readHeader();
        this.#contentLeft = this.#header.length;
        this.#paddingLeft = this.#header.padding;
      }
      const header: RecordHeader = this.#header;
      const stream = header.type === FCGI_STDOUT || header.type === FCGI_STDERR;
      if (stream && header.length > 0) {
        const content = this.#bytes.takeSome(this.#contentLeft);
        if (content.length === 0) return null;
        this.#contentLeft -= content.length;
        if (this.#contentLeft === 0) this.#header = null;
        return { type: header.type === FCGI_STDOUT ? "stdout" : "stderr", requestId: header.requestId, content };
      }
      if (this.#bytes.length < header.length) return null;
      this.#header = null;
      return this.#readWhole(header);
    }
  }

  #readHeader(): RecordHeader {
    const bytes = this.#bytes.take(FCGI_HEADER_LEN);
    if (bytes[0] !== FCGI_VERSION_1) {
      throw new ProtocolError("FCGI_BAD_VERSION", `a record of version ${bytes[0]}, expected ${FCGI_VERSION_1}`);
    }
    return {
      type: bytes[1]!,
      requestId: bytes.readUInt16BE(2),
      length: bytes.readUInt16BE(4),
      padding: bytes[6]!,
    };
  }

  #readWhole({ type, requestId, length }: RecordHeader): FastCgiClientEvent {
    const content = this.#bytes.take(length);
    switch (type) {
      case FCGI_STDOUT:
        return { type: "stdoutEnd", requestId };
      case FCGI_STDERR:
        return { type: "stderrEnd", requestId };
      case FCGI_END_REQUEST:
        if (length !== RESULT_BODY) break;
        return { type: "endRequest", requestId, appStatus: content.readUInt32BE(0), protocolStatus: content[4]! };
      case FCGI_GET_VALUES_RESULT:
        return { type: "getValuesResult", values: decodePairs(content) };
      case FCGI_UNKNOWN_TYPE:
        if (length !== RESULT_BODY) break;
        return { type: "unknownType", recordType: content[0]! };
    }
    throw new ProtocolError("FCGI_BAD_RECORD", `a record of type ${type} with ${length} bytes is no answer`);
  }
}
