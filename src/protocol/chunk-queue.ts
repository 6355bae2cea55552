/** Received bytes in the order of their arrival: append, look, take; taking from one chunk copies nothing. */
import { Buffer } from "node:buffer";

export class ChunkQueue {
  #chunks: Buffer[] = [];
  /** Bytes of the first chunk that were taken. */
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

  /** The byte at `index` from the front; undefined beyond what is held. */
  at(index: number): number | undefined {
    let position = index + this.#offset;
    for (const chunk of this.#chunks) {
      if (position < chunk.length) return chunk[position];
      position -= chunk.length;
    }
    return undefined;
  }

  /** Takes exactly `length` bytes, which must be there. A view where one chunk holds them, else a copy. */
  take(length: number): Buffer {
    const first = this.#chunks[0];
    if (length === 0 || first === undefined) return Buffer.alloc(0);
    if (this.#offset + length > first.length) {
      const copy = Buffer.allocUnsafe(length);
      for (let at = 0; at < length;) at += this.takeSome(length - at).copy(copy, at);
      return copy;
    }
    return this.takeSome(length);
  }

  /** Takes what the first chunk has, at most `limit` bytes: a view, empty if nothing is held. */
  takeSome(limit: number): Buffer {
    const first = this.#chunks[0];
    if (first === undefined || limit === 0) return Buffer.alloc(0);
    const end = Math.min(this.#offset + limit, first.length);
    const part = first.subarray(this.#offset, end);
    this.#length -= part.length;
    if (end === first.length) {
      this.#chunks.shift();
      this.#offset = 0;
    } else {
      this.#offset = end;
    }
    return part;
  }
}
