/** One request as the reader knows it: which of its streams have ended, and its PARAMS until they have. */
import { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import { GrowingBuffer } from "../growing-buffer.ts";
import type { Params, ParamsLimits } from "../params.ts";
import { FCGI_AUTHORIZER, FCGI_FILTER } from "./constants.ts";
import { decodeParams, skipPairs } from "./name-value.ts";

export interface HeadLimits extends ParamsLimits {
  /** Bytes of PARAMS of one request; more is a requestError. */
  readonly maxParamsBytes: number;
}

const EMPTY = Buffer.alloc(0);

export class IncomingRequest {
  readonly id: number;
  role = 0;
  /** False once the gateway is done with it. */
  open = false;
  /** What still comes of it is skipped: the gateway is done with it, or it cannot be served. */
  skipped = false;
  paramsEnded = false;
  stdinEnded = false;
  dataEnded = false;
  /** PARAMS so far, while one record holds them all: `#chunk[#from]` to `#chunk[#to]`. */
  #chunk: Buffer = EMPTY;
  #from = 0;
  #to = 0;
  /** PARAMS so far, otherwise. */
  #copy: GrowingBuffer | null = null;
  /** Where in the copy the first pair begins that was not whole when last looked at. */
  #unchecked = 0;

  constructor(id: number) {
    this.id = id;
  }

  /** Begins it, the first time or anew. */
  begin(role: number): void {
    this.role = role;
    this.open = true;
    this.skipped = false;
    this.paramsEnded = false;
    this.stdinEnded = false;
    this.dataEnded = false;
    this.dropHead();
  }

  /** True if no stream of it is awaited any more; an authorizer's STDIN never is. */
  get complete(): boolean {
    return (
      this.paramsEnded &&
      (this.stdinEnded || this.role === FCGI_AUTHORIZER) &&
      (this.dataEnded || this.role !== FCGI_FILTER)
    );
  }

  /** Bytes of PARAMS held. */
  get headLength(): number {
    return this.#copy === null ? this.#to - this.#from : this.#copy.length;
  }

  /**
   * Takes PARAMS, which are `chunk[from]` to `chunk[to]`. If they are a whole record and the first, the chunk is kept,
   * else they are copied.
   *
   * @throws ProtocolError FCGI_PARAMS_TOO_LARGE (431).
   */
  addToHead(chunk: Buffer, from: number, to: number, whole: boolean, limits: HeadLimits): void {
    if (this.headLength + to - from > limits.maxParamsBytes) {
      const message = `more than ${limits.maxParamsBytes} bytes of PARAMS (max_params_bytes)`;
      throw new ProtocolError("FCGI_PARAMS_TOO_LARGE", message, 431);
    }
    if (whole && this.headLength === 0) {
      this.#chunk = chunk;
      this.#from = from;
      this.#to = to;
      return;
    }
    if (this.#copy === null) {
      this.#copy = new GrowingBuffer();
      this.#copy.append(this.#chunk, this.#from, this.#to);
      this.#chunk = EMPTY;
    }
    this.#copy.append(chunk, from, to);
  }

  /**
   * Looks at pairs that are not whole yet, so that one which claims too much is not waited for.
   *
   * @throws ProtocolError FCGI_PARAMS_TOO_LARGE (431).
   */
  checkHead(limits: HeadLimits): void {
    const copy = this.#copy;
    if (copy !== null) this.#unchecked = skipPairs(copy.room, this.#unchecked, copy.length, limits);
  }

  /** The PARAMS, all of which have come. @throws ProtocolError as `decodeParams`. */
  finishHead(limits: HeadLimits): Params {
    const copy = this.#copy;
    const chunk = this.#chunk;
    const from = this.#from;
    const to = this.#to;
    this.paramsEnded = true;
    this.dropHead();
    return copy === null ? decodeParams(chunk, from, to, limits) : decodeParams(copy.room, 0, copy.length, limits);
  }

  dropHead(): void {
    this.#chunk = EMPTY;
    this.#from = 0;
    this.#to = 0;
    this.#copy = null;
    this.#unchecked = 0;
  }
}
