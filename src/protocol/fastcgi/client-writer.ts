/** Writes what a FastCGI client sends: its events become records. */
import { Buffer } from "node:buffer";

import type { FastCgiClientRequest } from "./client-events.ts";
import {
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_DATA,
  FCGI_GET_VALUES,
  FCGI_KEEP_CONN,
  FCGI_NULL_REQUEST_ID,
  FCGI_PARAMS,
  FCGI_STDIN,
} from "./constants.ts";
import { encodePairs } from "./name-value.ts";
import { RecordWriter } from "./record-writer.ts";

const NO_CONTENT = Buffer.alloc(0);

export class FastCgiClientWriter {
  readonly #records = new RecordWriter();

  send(event: FastCgiClientRequest): void {
    switch (event.type) {
      case "beginRequest": {
        const { role, keepConn } = event;
        const body = Buffer.from([role >> 8, role & 0xff, keepConn ? FCGI_KEEP_CONN : 0, 0, 0, 0, 0, 0]);
        this.#records.record(FCGI_BEGIN_REQUEST, event.requestId, body);
        return;
      }
      case "params":
        this.#records.stream(FCGI_PARAMS, event.requestId, encodePairs(event.pairs));
        return;
      case "paramsEnd":
        this.#records.streamEnd(FCGI_PARAMS, event.requestId);
        return;
      case "stdin":
        this.#records.stream(FCGI_STDIN, event.requestId, event.content);
        return;
      case "stdinEnd":
        this.#records.streamEnd(FCGI_STDIN, event.requestId);
        return;
      case "data":
        this.#records.stream(FCGI_DATA, event.requestId, event.content);
        return;
      case "dataEnd":
        this.#records.streamEnd(FCGI_DATA, event.requestId);
        return;
      case "abortRequest":
        this.#records.record(FCGI_ABORT_REQUEST, event.requestId, NO_CONTENT);
        return;
      case "getValues":
        this.#records.record(FCGI_GET_VALUES, FCGI_NULL_REQUEST_ID, encodePairs(event.names.map((name) => [name, ""])));
    }
  }

  /** The bytes to write, in order. */
  take(): Uint8Array[] {
    return this.#records.take();
  }
}
