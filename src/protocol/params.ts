/** The name-value pairs of one request, as a latin1 block and offsets into it: no string is made until it is asked for. */

/** Pair `i` of `count` has its name and value at `offsets[base + 4 * i] .. [+1]` and `[+2] .. [+3]` of `block`. */
export interface Params {
  readonly block: string;
  readonly offsets: Uint32Array;
  readonly base: number;
  readonly count: number;
}

/** How large a request's variables may be. Bytes, but for `maxParams`. */
export interface ParamsLimits {
  readonly maxParams: number;
  readonly maxParamName: number;
  readonly maxParamValue: number;
}

/** Numbers in one slab: some 150 usual requests. */
const SLAB_LENGTH = 16384;

/**
 * Where offsets are written, one request after the other. One slab serves many requests, since a typed array of its own
 * for each costs more than all of its contents; a full slab is left to the requests that still look into it.
 */
export class ParamsSlab {
  offsets: Uint32Array = new Uint32Array(SLAB_LENGTH);
  #base = 0;

  /** Begins a request of at most `pairs` pairs; the answer is where its first number goes in `offsets`. */
  begin(pairs: number): number {
    if (this.#base + 4 * pairs > this.offsets.length) {
      this.offsets = new Uint32Array(Math.max(SLAB_LENGTH, 4 * pairs));
      this.#base = 0;
    }
    return this.#base;
  }

  /** The request whose numbers end before `end`. One that was begun and is not finished is written over by the next. */
  finish(block: string, end: number): Params {
    const base = this.#base;
    this.#base = end;
    return { block, offsets: this.offsets, base, count: (end - base) >> 2 };
  }
}
