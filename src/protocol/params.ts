/** The name-value pairs of one request, as a latin1 block and offsets into it: no string is made until it is asked for. */

/** Pair `i` has its name at `offsets[base + 4i] .. [+1]` and its value at `[+2] .. [+3]` of `block`. */
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

const SLAB_LENGTH = 16384;

/**
 * Where offsets are written. One slab serves many requests one after the other, since a typed array of its own for each
 * request costs more than all of its contents; a full slab is left to the requests that still look into it.
 */
let slab = new Uint32Array(SLAB_LENGTH);
let used = 0;

/** Collects the offsets of one request. Only one is being filled at a time: nothing else runs in between. */
export class ParamsBuilder {
  #base = 0;
  #count = 0;

  /** Begins a request of at most `maxParams` pairs. */
  begin(maxParams: number): void {
    if (used + 4 * maxParams > slab.length) {
      slab = new Uint32Array(Math.max(SLAB_LENGTH, 4 * maxParams));
      used = 0;
    }
    this.#base = used;
    this.#count = 0;
  }

  get count(): number {
    return this.#count;
  }

  add(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const at = this.#base + 4 * this.#count++;
    slab[at] = nameStart;
    slab[at + 1] = nameEnd;
    slab[at + 2] = valueStart;
    slab[at + 3] = valueEnd;
  }

  finish(block: string): Params {
    used = this.#base + 4 * this.#count;
    return { block, offsets: slab, base: this.#base, count: this.#count };
  }
}
