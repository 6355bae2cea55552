/** Reads what a web server sends: FastCGI 1.0 records become request events. */
import { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import type { ParamsLimits } from "../params.ts";
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
import { decodePairs, decodeParams } from "./name-value.ts";

export interface FastCgiReaderLimits extends ParamsLimits {
  /** Bytes of PARAMS of one request; more is a requestError. */
  readonly maxParamsBytes: number;
  /** Requests open at once; more ends the connection. */
  readonly maxIdsPerConnection: number;
  /** Bytes of PARAMS of all requests whose head is unfinished; more ends the connection. */
  readonly maxHeadersTotalConnection: number;
}

/** FCGI_GET_VALUES with more content than this is ignored: there are three names to ask for. */
const MAX_MANAGEMENT_CONTENT = 4096;
const BEGIN_REQUEST_BODY = 8;
const EMPTY = Buffer.alloc(0);

/** One request between its BEGIN and the end of its streams. */
interface OpenRequest {
  readonly id: number;
  /** PARAMS received so far: a view on the received chunk while one record holds them all, else `length` bytes of a copy. */
  params: Buffer;
  length: number;
  /** True if `params` is our own copy, with room to grow. */
  owned: boolean;
  head: boolean;
  stdinEnded: boolean;
  dataEnded: boolean;
  /** The gateway is done with it, or it could not be served: what still comes is skipped. */
  forgotten: boolean;
}

/**
 * A machine without input or output: `receive(chunk)` stores, `nextEvent()` parses. A chunk belongs to the reader from
 * then on, since `stdin` and `data` events are views on it. All chunks must be consumed (until `nextEvent()` is null)
 * before the next is received.
 */
export class FastCgiReader {
  readonly #limits: FastCgiReaderLimits;
  readonly #requests = new Map<number, OpenRequest>();
  /** Requests that are not forgotten. */
  #open = 0;
  /** Bytes of unfinished heads. */
  #headBytes = 0;
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** A record's header, or a small record's content, that the last chunk ended in. */
  #carry = Buffer.allocUnsafe(FCGI_HEADER_LEN);
  #carried = 0;
  // The record that is being read; `#type` 0 between records.
  #type = 0;
  #id = 0;
  #contentLeft = 0;
  #paddingLeft = 0;
  #request: OpenRequest | undefined;
  /** Content of a BEGIN_REQUEST or GET_VALUES that is split over chunks. */
  #small: Buffer | null = null;
  #failure: ProtocolError | null = null;

  constructor(limits: FastCgiReaderLimits) {
    this.#limits = limits;
  }

  /** Requests that have begun and are not forgotten. */
  get open(): number {
    return this.#open;
  }

  /** Bytes held back until more arrive. */
  get buffered(): number {
    return this.#headBytes + this.#carried + (this.#small?.length ?? 0) + this.#chunk.length - this.#at;
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
      for (;;) {
        if (this.#type === 0) {
          if (this.#paddingLeft > 0 && !this.#skipPadding()) return null;
          if (!this.#readHeader()) return null;
        }
        const event = this.#readContent();
        if (event !== null) return event;
        if (this.#type !== 0) return null;
      }
    } catch (error) {
      this.#failure = error as ProtocolError;
      throw error;
    }
  }

  /** The gateway is done with this id: its later records are skipped, and it may be begun anew. */
  forget(requestId: number): void {
    const request = this.#requests.get(requestId);
    if (request === undefined) return;
    this.#abandon(request);
    if (request.head && request.stdinEnded) {
      this.#requests.delete(requestId);
    } else if (this.#requests.size - this.#open > this.#limits.maxIdsPerConnection) {
      // A web server that never ends its streams: the oldest of those is forgotten for good.
      for (const [id, other] of this.#requests) {
        if (!other.forgotten) continue;
        this.#requests.delete(id);
        break;
      }
    }
  }

  /** @throws ProtocolError FCGI_TRUNCATED: the connection ended inside a record or a request. */
  end(): void {
    const inside = this.#type !== 0 || this.#carried > 0;
    let unfinished = 0;
    for (const request of this.#requests.values()) if (!request.forgotten && !request.stdinEnded) unfinished++;
    if (!inside && unfinished === 0) return;
    const where = inside ? "inside a record" : `inside ${unfinished} unfinished request(s)`;
    throw new ProtocolError("FCGI_TRUNCATED", `the connection ended ${where}`);
  }

  #skipPadding(): boolean {
    const skip = Math.min(this.#paddingLeft, this.#chunk.length - this.#at);
    this.#paddingLeft -= skip;
    this.#at += skip;
    return this.#paddingLeft === 0;
  }

  #readHeader(): boolean {
    let bytes = this.#chunk;
    let at = this.#at;
    const available = bytes.length - at;
    if (this.#carried > 0 || available < FCGI_HEADER_LEN) {
      const take = Math.min(FCGI_HEADER_LEN - this.#carried, available);
      bytes.copy(this.#carry, this.#carried, at, at + take);
      this.#carried += take;
      this.#at += take;
      if (this.#carried < FCGI_HEADER_LEN) return false;
      this.#carried = 0;
      bytes = this.#carry;
      at = 0;
    } else {
      this.#at += FCGI_HEADER_LEN;
    }
    if (bytes[at] !== FCGI_VERSION_1) {
      throw new ProtocolError("FCGI_BAD_VERSION", `a record of version ${bytes[at]}, expected ${FCGI_VERSION_1}`);
    }
    // Type 0 is no type, but 0 says "between records" here: it is treated as any other unknown one.
    this.#type = bytes[at + 1]! || 255;
    this.#id = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    this.#contentLeft = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    this.#paddingLeft = bytes[at + 6]!;
    if (this.#request?.id !== this.#id) this.#request = this.#requests.get(this.#id);
    return true;
  }

  /** Reads what is there of the record's content. Null: nothing to tell; the record is over if `#type` is 0. */
  #readContent(): FastCgiRequestEvent | null {
    switch (this.#type) {
      case FCGI_PARAMS:
        return this.#id === FCGI_NULL_REQUEST_ID ? this.#skip("PARAMS with request id 0") : this.#readParams();
      case FCGI_STDIN:
      case FCGI_DATA:
        return this.#readStream();
      case FCGI_BEGIN_REQUEST:
        return this.#readBegin();
      case FCGI_ABORT_REQUEST:
        return this.#readAbort();
      case FCGI_GET_VALUES:
        return this.#readGetValues();
      default:
        return this.#readUnknown(this.#type);
    }
  }

  /** Skips the record; when it is over, tells `reason` as a badRecord unless it is empty. */
  #skip(reason: string): FastCgiRequestEvent | null {
    const skip = Math.min(this.#contentLeft, this.#chunk.length - this.#at);
    this.#at += skip;
    this.#contentLeft -= skip;
    if (this.#contentLeft > 0) return null;
    this.#type = 0;
    return reason === "" ? null : { type: "badRecord", reason };
  }

  /** The content of a small record as a whole, or null if more of it is to come. */
  #whole(): Buffer | null {
    const end = this.#at + this.#contentLeft;
    const start = this.#at;
    if (this.#small === null && end <= this.#chunk.length) {
      this.#at = end;
      this.#contentLeft = 0;
      this.#type = 0;
      return this.#chunk.subarray(start, end);
    }
    const take = Math.min(end, this.#chunk.length) - start;
    this.#small = Buffer.concat([this.#small ?? EMPTY, this.#chunk.subarray(start, start + take)]);
    this.#at += take;
    this.#contentLeft -= take;
    if (this.#contentLeft > 0) return null;
    const content = this.#small;
    this.#small = null;
    this.#type = 0;
    return content;
  }

  #readAbort(): FastCgiRequestEvent | null {
    const request = this.#request;
    if (request === undefined) return this.#skip(`ABORT_REQUEST for request id ${this.#id}, which is not open`);
    this.#skip("");
    return this.#contentLeft > 0 || request.forgotten ? null : { type: "abortRequest", requestId: request.id };
  }

  #readUnknown(recordType: number): FastCgiRequestEvent | null {
    if (this.#id !== FCGI_NULL_REQUEST_ID) return this.#skip(`a record of type ${recordType}`);
    this.#skip("");
    return this.#contentLeft > 0 || recordType === FCGI_UNKNOWN_TYPE ? null : { type: "unknownType", recordType };
  }

  #readBegin(): FastCgiRequestEvent | null {
    const id = this.#id;
    if (id === FCGI_NULL_REQUEST_ID) return this.#skip("BEGIN_REQUEST with request id 0");
    if (this.#small === null && this.#contentLeft !== BEGIN_REQUEST_BODY) {
      const message = `BEGIN_REQUEST with ${this.#contentLeft} bytes, expected ${BEGIN_REQUEST_BODY}`;
      throw new ProtocolError("FCGI_BAD_BEGIN_REQUEST", message);
    }
    if (this.#request !== undefined && !this.#request.forgotten) {
      throw new ProtocolError("FCGI_REQUEST_ID_IN_USE", `BEGIN_REQUEST for request id ${id}, which is open`);
    }
    if (this.#open >= this.#limits.maxIdsPerConnection) {
      const message = `more than ${this.#limits.maxIdsPerConnection} requests open at once`;
      throw new ProtocolError("FCGI_TOO_MANY_REQUESTS", message);
    }
    const body = this.#whole();
    if (body === null) return null;
    this.#request = {
      id,
      params: EMPTY,
      length: 0,
      owned: false,
      head: false,
      stdinEnded: false,
      dataEnded: false,
      forgotten: false,
    };
    this.#requests.delete(id);
    this.#requests.set(id, this.#request);
    this.#open++;
    const role = (body[0]! << 8) | body[1]!;
    return { type: "beginRequest", requestId: id, role, keepConn: (body[2]! & FCGI_KEEP_CONN) !== 0 };
  }

  #readParams(): FastCgiRequestEvent | null {
    const request = this.#request;
    if (request === undefined) return this.#skip(`PARAMS for request id ${this.#id}, which is not open`);
    if (request.forgotten) return this.#skip("");
    if (request.head) return this.#skip("PARAMS after their end");
    if (this.#contentLeft === 0) return this.#finishHead(request);

    const take = Math.min(this.#contentLeft, this.#chunk.length - this.#at);
    if (take === 0) return null;
    this.#contentLeft -= take;
    if (this.#contentLeft === 0) this.#type = 0;
    if (request.length + take > this.#limits.maxParamsBytes) {
      this.#at += take;
      const message = `more than ${this.#limits.maxParamsBytes} bytes of PARAMS (max_params_bytes)`;
      return this.#refuse(request, new ProtocolError("FCGI_PARAMS_TOO_LARGE", message, 431));
    }
    const piece = this.#chunk.subarray(this.#at, this.#at + take);
    this.#at += take;
    if (request.length === 0 && this.#contentLeft === 0) request.params = piece;
    else this.#append(request, piece);
    request.length += take;
    this.#headBytes += take;
    if (this.#headBytes > this.#limits.maxHeadersTotalConnection) {
      const message = `more than ${this.#limits.maxHeadersTotalConnection} bytes of unfinished heads`;
      throw new ProtocolError("FCGI_HEADS_TOO_LARGE", message);
    }
    return null;
  }

  #append(request: OpenRequest, piece: Buffer): void {
    const needed = request.length + piece.length;
    if (!request.owned || request.params.length < needed) {
      const grown = Buffer.allocUnsafe(Math.min(Math.max(2 * needed, 1024), this.#limits.maxParamsBytes));
      request.params.copy(grown, 0, 0, request.length);
      request.params = grown;
      request.owned = true;
    }
    piece.copy(request.params, request.length);
  }

  #finishHead(request: OpenRequest): FastCgiRequestEvent {
    this.#type = 0;
    try {
      const bytes = request.owned ? request.params.subarray(0, request.length) : request.params;
      const params = decodeParams(bytes, this.#limits);
      this.#closeHead(request);
      return { type: "params", requestId: request.id, params };
    } catch (error) {
      return this.#refuse(request, error as ProtocolError);
    }
  }

  #closeHead(request: OpenRequest): void {
    request.head = true;
    request.params = EMPTY;
    this.#headBytes -= request.length;
    request.length = 0;
  }

  #refuse(request: OpenRequest, error: ProtocolError): FastCgiRequestEvent {
    const requestId = request.id;
    this.#abandon(request);
    return { type: "requestError", requestId, error };
  }

  #abandon(request: OpenRequest): void {
    if (request.forgotten) return;
    request.forgotten = true;
    this.#open--;
    if (!request.head) this.#closeHead(request);
  }

  #readStream(): FastCgiRequestEvent | null {
    const request = this.#request;
    const stdin = this.#type === FCGI_STDIN;
    if (request === undefined) {
      // An empty STDIN may follow the answer: some web servers send it however the request has gone.
      if (this.#contentLeft === 0) return this.#skip("");
      return this.#skip(`${stdin ? "STDIN" : "DATA"} for request id ${this.#id}, which is not open`);
    }
    const ended = stdin ? request.stdinEnded : request.dataEnded;
    if (this.#contentLeft === 0) {
      this.#type = 0;
      if (stdin) request.stdinEnded = true;
      else request.dataEnded = true;
      if (request.forgotten) {
        if (stdin) this.#requests.delete(request.id);
        if (stdin) this.#request = undefined;
        return null;
      }
      if (ended) return null;
      return stdin ? { type: "stdinEnd", requestId: request.id } : { type: "dataEnd", requestId: request.id };
    }
    if (request.forgotten) return this.#skip("");
    if (ended) return this.#skip(`${stdin ? "STDIN" : "DATA"} after its end`);
    const take = Math.min(this.#contentLeft, this.#chunk.length - this.#at);
    if (take === 0) return null;
    const content = this.#chunk.subarray(this.#at, this.#at + take);
    this.#at += take;
    this.#contentLeft -= take;
    if (this.#contentLeft === 0) this.#type = 0;
    return { type: stdin ? "stdin" : "data", requestId: request.id, content };
  }

  #readGetValues(): FastCgiRequestEvent | null {
    if (this.#id !== FCGI_NULL_REQUEST_ID) return this.#skip(`GET_VALUES with request id ${this.#id}`);
    if (this.#small === null && this.#contentLeft > MAX_MANAGEMENT_CONTENT) {
      return this.#skip(`GET_VALUES of more than ${MAX_MANAGEMENT_CONTENT} bytes`);
    }
    const content = this.#whole();
    return content === null ? null : { type: "getValues", names: decodePairs(content).map(([name]) => name) };
  }
}
