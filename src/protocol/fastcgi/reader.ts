/** Reads what a web server sends: FastCGI 1.0 records become request events. */
import { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import {
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_DATA,
  FCGI_GET_VALUES,
  FCGI_HEADER_LEN,
  FCGI_KEEP_CONN,
  FCGI_NULL_REQUEST_ID,
  FCGI_PARAMS,
  FCGI_STDIN,
  FCGI_UNKNOWN_TYPE,
  FCGI_VERSION_1,
} from "./constants.ts";
import type { FastCgiRequestEvent } from "./events.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import { decodePairs } from "./name-value.ts";
import { RequestTable, type RequestTableLimits } from "./request-table.ts";

export type FastCgiReaderLimits = RequestTableLimits;

/** FCGI_GET_VALUES with more content than this is ignored: there are three names to ask for. */
const MAX_MANAGEMENT_CONTENT = 4096;
const BEGIN_REQUEST_BODY = 8;
const BETWEEN_RECORDS = -1;
const EMPTY = Buffer.alloc(0);

/**
 * A machine without input or output: `receive(chunk)` stores, `nextEvent()` parses. A chunk belongs to the reader from
 * then on, since `stdin` and `data` events are views on it. Best called until `nextEvent()` is null before the next
 * chunk is received: what is left over is copied.
 */
export class FastCgiReader {
  readonly #requests: RequestTable;
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** The begin of a record's header, which the last chunk ended in. */
  #carry: Buffer = EMPTY;
  #carried = 0;
  // The record that is being read.
  #type = BETWEEN_RECORDS;
  #id = 0;
  #length = 0;
  #contentLeft = 0;
  #paddingLeft = 0;
  #request: IncomingRequest | undefined;
  /** Content of a BEGIN_REQUEST or GET_VALUES that is split over chunks. */
  #split: Buffer = EMPTY;
  #failure: ProtocolError | null = null;

  constructor(limits: FastCgiReaderLimits) {
    this.#requests = new RequestTable(limits);
  }

  /** Requests that have begun and that the gateway has not done with. */
  get open(): number {
    return this.#requests.open;
  }

  /** Bytes held back until more arrive. */
  get buffered(): number {
    return this.#requests.headBytes + this.#carried + this.#split.length + this.#chunk.length - this.#at;
  }

  receive(chunk: Uint8Array): void {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#chunk = this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), bytes]) : bytes;
    this.#at = 0;
  }

  /**
   * The next event, or null if more bytes are needed.
   *
   * @throws ProtocolError FCGI_BAD_VERSION, FCGI_BAD_BEGIN_REQUEST, FCGI_REQUEST_ID_IN_USE, FCGI_TOO_MANY_REQUESTS,
   *   FCGI_HEADS_TOO_LARGE: the connection cannot be followed or trusted any more. The same error ever after.
   */
  nextEvent(): FastCgiRequestEvent | null {
    if (this.#failure !== null) throw this.#failure;
    try {
      while (this.#type !== BETWEEN_RECORDS || this.#readHeader()) {
        const event = this.#readContent();
        if (event !== null) return event;
        if (this.#type !== BETWEEN_RECORDS) break;
      }
    } catch (error) {
      this.#failure = error as ProtocolError;
      throw error;
    }
    // All of it is read: it is not to be kept alive while the connection is idle.
    this.#chunk = EMPTY;
    this.#at = 0;
    return null;
  }

  /** The gateway is done with this id: its later records are skipped, and it may be begun anew. */
  forget(requestId: number): void {
    this.#requests.forget(requestId);
  }

  /** @throws ProtocolError FCGI_TRUNCATED: the connection ended inside a record or a request. */
  end(): void {
    const inside = this.#type !== BETWEEN_RECORDS || this.#carried > 0 || this.#paddingLeft > 0;
    if (inside) throw new ProtocolError("FCGI_TRUNCATED", "the connection ended inside a record");
    const request = this.#requests.incomplete();
    if (request !== undefined) {
      throw new ProtocolError("FCGI_TRUNCATED", `the connection ended inside the request with id ${request.id}`);
    }
  }

  /** Reads a record's header, past the padding of the record before it. False: more bytes are needed. */
  #readHeader(): boolean {
    let bytes = this.#chunk;
    if (this.#paddingLeft > 0) {
      const skip = Math.min(this.#paddingLeft, bytes.length - this.#at);
      this.#paddingLeft -= skip;
      this.#at += skip;
    }
    let at = this.#at;
    const available = bytes.length - at;
    if (available === 0) return false;
    if (this.#carried > 0 || available < FCGI_HEADER_LEN) {
      if (this.#carry === EMPTY) this.#carry = Buffer.alloc(FCGI_HEADER_LEN);
      const take = Math.min(FCGI_HEADER_LEN - this.#carried, available);
      bytes.copy(this.#carry, this.#carried, at, at + take);
      this.#carried += take;
      this.#at += take;
      if (this.#carried < FCGI_HEADER_LEN) return false;
      this.#carried = 0;
      bytes = this.#carry;
      at = 0;
    } else {
      this.#at = at + FCGI_HEADER_LEN;
    }
    if (bytes[at] !== FCGI_VERSION_1) {
      throw new ProtocolError("FCGI_BAD_VERSION", `a record of version ${bytes[at]}, expected ${FCGI_VERSION_1}`);
    }
    this.#type = bytes[at + 1]!;
    this.#id = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    this.#length = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    this.#contentLeft = this.#length;
    this.#paddingLeft = bytes[at + 6]!;
    this.#request = this.#requests.find(this.#id);
    return true;
  }

  /** Reads what is there of the record's content. Null: nothing to tell; the record is over if `#type` says so. */
  #readContent(): FastCgiRequestEvent | null {
    switch (this.#type) {
      case FCGI_PARAMS:
        return this.#readParams();
      case FCGI_STDIN:
      case FCGI_DATA:
        return this.#contentLeft === 0 ? this.#endStream() : this.#readStream();
      case FCGI_BEGIN_REQUEST:
        return this.#readBegin();
      case FCGI_ABORT_REQUEST:
        return this.#readAbort();
      case FCGI_GET_VALUES:
        return this.#readGetValues();
      default:
        return this.#readUnknown();
    }
  }

  #readBegin(): FastCgiRequestEvent | null {
    if (this.#id === FCGI_NULL_REQUEST_ID) return this.#ignore("BEGIN_REQUEST");
    const length = this.#length;
    if (length !== BEGIN_REQUEST_BODY) {
      const message = `BEGIN_REQUEST with ${length} bytes, expected ${BEGIN_REQUEST_BODY}`;
      throw new ProtocolError("FCGI_BAD_BEGIN_REQUEST", message);
    }
    const at = this.#at;
    if (this.#contentLeft === length && at + length <= this.#chunk.length) {
      this.#skip();
      return this.#begin(this.#chunk, at);
    }
    const body = this.#collect();
    return body === null ? null : this.#begin(body, 0);
  }

  #begin(body: Buffer, at: number): FastCgiRequestEvent {
    const requestId = this.#id;
    const role = (body[at]! << 8) | body[at + 1]!;
    this.#requests.begin(requestId, role);
    return { type: "beginRequest", requestId, role, keepConn: (body[at + 2]! & FCGI_KEEP_CONN) !== 0 };
  }

  #readParams(): FastCgiRequestEvent | null {
    const request = this.#request;
    if (request === undefined || request.paramsEnded) return this.#ignore("PARAMS");
    if (request.skipped) {
      if (this.#contentLeft === 0) request.paramsEnded = true;
      return this.#skip();
    }
    const from = this.#at;
    const left = this.#contentLeft;
    this.#skip();
    try {
      if (left === 0) return { type: "params", requestId: request.id, params: this.#requests.finishHead(request) };
      if (this.#at > from) this.#requests.addToHead(request, this.#chunk, from, this.#at, left === this.#at - from);
      return null;
    } catch (error) {
      return this.#refuse(request, error as ProtocolError);
    }
  }

  #readStream(): FastCgiRequestEvent | null {
    const request = this.#request;
    const stdin = this.#type === FCGI_STDIN;
    if (request === undefined || (stdin ? request.stdinEnded : request.dataEnded)) {
      return this.#ignore(stdin ? "STDIN" : "DATA");
    }
    if (request.skipped) return this.#skip();
    if (!request.paramsEnded) return this.#refuse(request, tooEarly());
    const from = this.#at;
    this.#skip();
    if (this.#at === from) return null;
    return { type: stdin ? "stdin" : "data", requestId: request.id, content: this.#chunk.subarray(from, this.#at) };
  }

  #endStream(): FastCgiRequestEvent | null {
    const request = this.#request;
    const stdin = this.#type === FCGI_STDIN;
    this.#type = BETWEEN_RECORDS;
    // The end may come twice, or after the gateway's own: some web servers send it however the request has gone.
    if (request === undefined || (stdin ? request.stdinEnded : request.dataEnded)) return null;
    if (stdin) request.stdinEnded = true;
    else request.dataEnded = true;
    if (request.skipped) return null;
    if (!request.paramsEnded) return this.#refuse(request, tooEarly());
    return { type: stdin ? "stdinEnd" : "dataEnd", requestId: request.id };
  }

  #readAbort(): FastCgiRequestEvent | null {
    const request = this.#request;
    if (request === undefined) return this.#ignore("ABORT_REQUEST");
    this.#skip();
    if (this.#type !== BETWEEN_RECORDS || request.skipped) return null;
    return { type: "abortRequest", requestId: request.id };
  }

  #readGetValues(): FastCgiRequestEvent | null {
    if (this.#id !== FCGI_NULL_REQUEST_ID || this.#length > MAX_MANAGEMENT_CONTENT) {
      return this.#ignore("GET_VALUES");
    }
    const content = this.#collect();
    return content === null ? null : { type: "getValues", names: decodePairs(content).map(([name]) => name) };
  }

  /** Only a management record is answered, and only where its type is none of the specification's (section 4.2). */
  #readUnknown(): FastCgiRequestEvent | null {
    const recordType = this.#type;
    const known = recordType > 0 && recordType <= FCGI_UNKNOWN_TYPE;
    if (known || this.#id !== FCGI_NULL_REQUEST_ID) return this.#ignore(`a record of type ${recordType}`);
    this.#skip();
    return this.#type === BETWEEN_RECORDS ? { type: "unknownType", recordType } : null;
  }

  /** Passes over what is there of the record's content, which ends the record if it is all of it. */
  #skip(): null {
    const skip = Math.min(this.#contentLeft, this.#chunk.length - this.#at);
    this.#at += skip;
    this.#contentLeft -= skip;
    if (this.#contentLeft === 0) this.#type = BETWEEN_RECORDS;
    return null;
  }

  /** Skips the record, and tells so once it is over. */
  #ignore(what: string): FastCgiRequestEvent | null {
    this.#skip();
    if (this.#type !== BETWEEN_RECORDS) return null;
    return { type: "badRecord", reason: `${what} out of place, with request id ${this.#id}` };
  }

  /** The request cannot be served; the rest of it is skipped. */
  #refuse(request: IncomingRequest, error: ProtocolError): FastCgiRequestEvent {
    if (error.code === "FCGI_HEADS_TOO_LARGE") throw error;
    this.#requests.skipRest(request);
    return { type: "requestError", requestId: request.id, error };
  }

  /** A copy of the record's content, or null if more of it is to come. */
  #collect(): Buffer | null {
    const from = this.#at;
    this.#skip();
    this.#split = Buffer.concat([this.#split, this.#chunk.subarray(from, this.#at)]);
    if (this.#type !== BETWEEN_RECORDS) return null;
    const content = this.#split;
    this.#split = EMPTY;
    return content;
  }
}

function tooEarly(): ProtocolError {
  return new ProtocolError("FCGI_BAD_PARAMS", "STDIN or DATA before the end of PARAMS");
}
