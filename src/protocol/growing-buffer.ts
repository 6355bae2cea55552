/** Bytes that have to be whole before they can be read, collected from as many chunks as they come in. */
import { Buffer } from "node:buffer";

const EMPTY = Buffer.alloc(0);
const SMALLEST = 1024;
/** Up to so many bytes a loop is faster than a call. */
const LOOP_LIMIT = 64;

/** Holds a copy, in a buffer of at most twice the length that it had at most. */
export class GrowingBuffer {
  #room: Buffer = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was collected is its first `length` bytes, which later ones do not change. */
  get room(): Buffer {
    return this.#room;
  }

  /** Forgets the first `count` bytes. */
  consume(count: number): void {
    this.#room = this.#room.subarray(count);
    this.#length -= count;
  }

  /** Appends `chunk[from]` to `chunk[to]`. */
  append(chunk: Uint8Array, from: number, to: number): void {
    const length = this.#length + to - from;
    let room = this.#room;
    if (room.length < length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * length, SMALLEST));
      room.copy(larger, 0, 0, this.#length);
      room = larger;
      this.#room = larger;
    }
    if (to - from > LOOP_LIMIT) room.set(chunk.subarray(from, to), this.#length);
    else for (let i = from, at = this.#length; i < to;) room[at++] = chunk[i++]!;
    this.#length = length;
  }
}
