/** Writes what the gateway sends to a web server: response events become FastCGI 1.0 records. */
import { Buffer } from "node:buffer";

import {
  FCGI_END_REQUEST,
  FCGI_GET_VALUES_RESULT,
  FCGI_NULL_REQUEST_ID,
  FCGI_STDERR,
  FCGI_STDOUT,
  FCGI_UNKNOWN_TYPE,
} from "./constants.ts";
import type { FastCgiResponseEvent } from "./events.ts";
import { encodePairs } from "./name-value.ts";
import { RecordWriter } from "./record-writer.ts";

/** `send` collects, `take` encodes; content belongs to the writer from `send` on. */
export class FastCgiWriter {
  readonly #records = new RecordWriter();

  /** Encoded bytes that were not taken yet. */
  get pending(): number {
    return this.#records.pending;
  }

  send(event: FastCgiResponseEvent): void {
    switch (event.type) {
      case "stdout":
        this.#records.stream(FCGI_STDOUT, event.requestId, event.content);
        return;
      case "stderr":
        this.#records.stream(FCGI_STDERR, event.requestId, event.content);
        return;
      case "stdoutEnd":
        this.#records.streamEnd(FCGI_STDOUT, event.requestId);
        return;
      case "stderrEnd":
        this.#records.streamEnd(FCGI_STDERR, event.requestId);
        return;
      case "endRequest":
        this.#records.record(FCGI_END_REQUEST, event.requestId, endRequestBody(event.appStatus, event.protocolStatus));
        return;
      case "getValuesResult":
        this.#records.record(FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, encodePairs(event.values));
        return;
      case "unknownType":
        this.#records.record(
          FCGI_UNKNOWN_TYPE,
          FCGI_NULL_REQUEST_ID,
          Buffer.from([event.recordType, 0, 0, 0, 0, 0, 0, 0]),
        );
    }
  }

  /** The bytes to write, in order, in as few buffers as can be; large content is not copied. */
  take(): Uint8Array[] {
    return this.#records.take();
  }
}

/** What nearly every request ends with; it is only ever copied from. */
const COMPLETE = endRequestBytes(0, 0);

function endRequestBody(appStatus: number, protocolStatus: number): Buffer {
  return appStatus === 0 && protocolStatus === 0 ? COMPLETE : endRequestBytes(appStatus, protocolStatus);
}

function endRequestBytes(appStatus: number, protocolStatus: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32BE(appStatus >>> 0, 0);
  body[4] = protocolStatus;
  return body;
}
