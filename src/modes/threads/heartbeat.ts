/** What a worker thread tells of itself without a message, so that it can be read while the thread is blocked. */
import { monotonicNow, steadyTime } from "../../steady-clock.ts";

const PONG = 0;
const STARTED = 1;
const CLOSED = 2;
const PONG_AT = 2;
const HEAP = 3;
const EXTERNAL = 4;
/** Four 32-bit numbers, then three doubles. */
const SIZE = 16 + 3 * 8;

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

  /** When that was, by `steadyNow`. */
  get pongAt(): number {
    return steadyTime(this.#doubles[PONG_AT]!);
  }

  /** Bytes of the thread's JavaScript heap, and of buffers outside of it, at that time. */
  get heapUsed(): number {
    return this.#doubles[HEAP]!;
  }

  get external(): number {
    return this.#doubles[EXTERNAL]!;
  }

  /**
   * For the thread, before it begins with an exchange: false if it must not any more. For each exchange either this is
   * false or `close` tells of it, whichever comes first.
   */
  begin(exchange: number): boolean {
    if (Atomics.load(this.#integers, CLOSED) !== 0) return false;
    Atomics.store(this.#integers, STARTED, exchange);
    return Atomics.load(this.#integers, CLOSED) === 0;
  }

  /** Lets the thread begin with nothing more; gives the number of the last exchange that it may have begun with. */
  close(): number {
    Atomics.store(this.#integers, CLOSED, 1);
    return Atomics.load(this.#integers, STARTED);
  }

  answer(ping: number, heapUsed: number, external: number): void {
    this.#doubles[PONG_AT] = monotonicNow();
    this.#doubles[HEAP] = heapUsed;
    this.#doubles[EXTERNAL] = external;
    Atomics.store(this.#integers, PONG, ping);
  }
}
