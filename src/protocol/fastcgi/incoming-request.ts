/** One request as the reader knows it: which of its streams have ended, and its PARAMS until they have. */
import { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import { GrowingBuffer } from "../growing-buffer.ts";
import type { Params, ParamsLimits } from "../params.ts";
import { FCGI_AUTHORIZER, FCGI_FILTER } from "./constants.ts";
import { type CheckedPairs, checkPairs, decodeParams } from "./name-value.ts";

export interface HeadLimits extends ParamsLimits {
  /** Bytes of PARAMS of one request; more is a requestError. */
  readonly maxParamsBytes: number;
}

const NO_PARAMS: Params = { block: "", offsets: new Uint32Array(0), base: 0, count: 0 };

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
  /** Bytes of PARAMS held. */
  headLength = 0;
  /** PARAMS so far, while one record holds them all and no pair is cut. */
  #params: Params = NO_PARAMS;
  /** PARAMS so far, otherwise. */
  #copy: GrowingBuffer | null = null;
  #checked: CheckedPairs | null = null;

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

  /**
   * Takes PARAMS, which are `chunk[from]` to `chunk[to]`. If they are a whole record and the first, they are most likely
   * all, and decoded where they are; else they are copied. What is over a limit is not waited for.
   *
   * @throws ProtocolError FCGI_PARAMS_TOO_LARGE, FCGI_TOO_MANY_PARAMS (431).
   */
  addToHead(chunk: Buffer, from: number, to: number, whole: boolean, limits: HeadLimits): void {
    const first = this.headLength === 0;
    this.headLength += to - from;
    if (this.headLength > limits.maxParamsBytes) {
      const message = `more than ${limits.maxParamsBytes} bytes of PARAMS (max_params_bytes)`;
      throw new ProtocolError("FCGI_PARAMS_TOO_LARGE", message, 431);
    }
    if (first && whole) {
      const params = decodeParams(chunk, from, to, limits);
      if (params !== null) {
        this.#params = params;
        return;
      }
    }
    const copy = this.#copy ?? this.#startCopy();
    copy.append(chunk, from, to);
    this.#checked ??= { end: 0, count: 0 };
    checkPairs(copy.room, this.headLength, this.#checked, limits);
  }

  /**
   * The PARAMS, all of which have come.
   *
   * @throws ProtocolError FCGI_BAD_PARAMS: the last pair is cut off.
   */
  finishHead(limits: HeadLimits): Params {
    const length = this.headLength;
    const params = this.#copy === null ? this.#params : decodeParams(this.#copy.room, 0, length, limits);
    this.paramsEnded = true;
    this.dropHead();
    if (params !== null) return params;
    throw new ProtocolError("FCGI_BAD_PARAMS", `a pair reaches over the end of the ${length} bytes of PARAMS`, 400);
  }

  dropHead(): void {
    this.headLength = 0;
    this.#params = NO_PARAMS;
    this.#copy = null;
    this.#checked = null;
  }

  #startCopy(): GrowingBuffer {
    const block = Buffer.from(this.#params.block, "latin1");
    this.#params = NO_PARAMS;
    this.#copy = new GrowingBuffer();
    this.#copy.append(block, 0, block.length);
    return this.#copy;
  }
}
