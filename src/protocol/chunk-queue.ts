/** Received bytes in the order of their arrival: append and take; what one chunk holds is taken without a copy. */
import { Buffer } from "node:buffer";

const EMPTY = Buffer.alloc(0);
/** So many chunks may be taken before those behind them move up. */
const MOVE_UP = 64;

export class ChunkQueue {
  readonly #chunks: Buffer[] = [];
  /** The chunk to take from, and its bytes that were taken. */
  #first = 0;
  #offset = 0;
  #length = 0;

  /** Bytes held. */
  get length(): number {
    return this.#length;
  }

  append(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#length += chunk.length;
  }

  /** Takes exactly `length` bytes, which must be there. A view where one chunk holds them, else a copy. */
  take(length: number): Buffer {
    if (length > this.#length) throw new RangeError(`${length} bytes wanted of ${this.#length}`);
    const first = this.takeSome(length);
    if (first.length === length) return first;
    const copy = Buffer.allocUnsafe(length);
    for (let at = first.copy(copy); at < length;) at += this.takeSome(length - at).copy(copy, at);
    return copy;
  }

  /** Takes what the first chunk has, at most `limit` bytes: a view, empty if nothing is held. */
  takeSome(limit: number): Buffer {
    const chunk = this.#chunks[this.#first];
    if (chunk === undefined || limit === 0) return EMPTY;
    const end = Math.min(this.#offset + limit, chunk.length);
    const part = chunk.subarray(this.#offset, end);
    this.#length -= part.length;
    this.#offset = end;
    if (end === chunk.length) this.#next();
    return part;
  }

  #next(): void {
    this.#offset = 0;
    this.#first++;
    if (this.#first < MOVE_UP && this.#first < this.#chunks.length) return;
    this.#chunks.splice(0, this.#first);
    this.#first = 0;
  }
}
