/** What a worker thread tells of itself without a message, so that it can be read while the thread is blocked. */

const PONG = 0;
const STARTED = 1;
const PONG_AT = 1;
const HEAP = 2;
const EXTERNAL = 3;
/** Two 32-bit numbers, then three doubles. */
const SIZE = 8 + 3 * 8;

export class Heartbeat {
  readonly shared: SharedArrayBuffer;
  readonly #integers: Int32Array;
  readonly #doubles: Float64Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(SIZE)) {
    this.shared = shared;
    this.#integers = new Int32Array(shared);
    this.#doubles = new Float64Array(shared);
  }

  /** The number of the last ping that the thread has seen. */
  get pong(): number {
    return Atomics.load(this.#integers, PONG);
  }

  /** When that was: milliseconds since 1970. */
  get pongAt(): number {
    return this.#doubles[PONG_AT]!;
  }

  /** Bytes of the thread's JavaScript heap, and of buffers outside of it, at that time. */
  get heapUsed(): number {
    return this.#doubles[HEAP]!;
  }

  get external(): number {
    return this.#doubles[EXTERNAL]!;
  }

  /** The number of the last exchange that the thread has begun with; those of later ones it has not seen. */
  get started(): number {
    return Atomics.load(this.#integers, STARTED);
  }

  set started(exchange: number) {
    Atomics.store(this.#integers, STARTED, exchange);
  }

  answer(ping: number, heapUsed: number, external: number): void {
    this.#doubles[PONG_AT] = Date.now();
    this.#doubles[HEAP] = heapUsed;
    this.#doubles[EXTERNAL] = external;
    Atomics.store(this.#integers, PONG, ping);
  }
}
