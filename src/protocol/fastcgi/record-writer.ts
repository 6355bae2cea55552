/** Encodes records (FastCGI 1.0 section 3.3): small ones together in one buffer, large content as it is. */
import { Buffer } from "node:buffer";

import { FCGI_HEADER_LEN, FCGI_VERSION_1, MAX_RECORD_CONTENT } from "./constants.ts";

/** Content up to this size is copied, so that an answer leaves as one buffer; larger content is not. */
const COPY_LIMIT = 8192;
const SLAB_SIZE = 32 * 1024;
/** A slab with less room than this is not lent again. */
const SMALLEST_REST = 2048;
const MAX_SPARES = 64;
/** Output longer than this is not moved to a larger slab any more: it is cut there. */
const LONGEST_BUFFER = 64 * 1024;
/** What a record needs beside its content: its header, the padding of the record before it, and its own. */
const OVERHEAD = FCGI_HEADER_LEN + 7 + 7;
/** Up to so many bytes a loop is faster than a call. */
const LOOP_LIMIT = 32;
const NO_RECORD = -1;

/**
 * Slabs to write into, each with how far it is used. One is lent to a writer from its first byte to its `take()`, so that
 * a connection without output has no memory of its own. What was taken is never written to again.
 */
const spares: Buffer[] = [];
const used: number[] = [];

const NO_SLAB = Buffer.alloc(0);

/**
 * Neighbouring content of one stream shares a record; every record is padded to 8 bytes.
 */
export class RecordWriter {
  /** Finished output before that of the slab. */
  #pieces: Uint8Array[] = [];
  #piecesLength = 0;
  #slab: Buffer = NO_SLAB;
  /** Output in the slab that is in no piece yet. */
  #start = 0;
  #at = 0;
  /** The header of the last record, as long as content may be added to it. */
  #record = NO_RECORD;
  #type = 0;
  #requestId = 0;

  /** Encoded bytes that were not taken yet. */
  get pending(): number {
    return this.#piecesLength + this.#at - this.#start;
  }

  /** Adds to a stream; records are cut and joined as is best. Text is latin1. Empty content adds nothing. */
  stream(type: number, requestId: number, content: Uint8Array | string): void {
    const { length } = content;
    if (length === 0) return;
    if (length > COPY_LIMIT) {
      const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
      this.#large(type, requestId, bytes);
      return;
    }
    this.#reserve(length + OVERHEAD);
    if (!this.#continues(type, requestId, length)) this.#open(type, requestId);
    if (typeof content === "string") this.#at += this.#slab.write(content, this.#at, length, "latin1");
    else this.#copy(content);
  }

  /** Ends a stream: a record without content. */
  streamEnd(type: number, requestId: number): void {
    this.#reserve(OVERHEAD);
    this.#open(type, requestId);
    this.#close();
  }

  /** Adds one record of its own; `content` of at most 65535 bytes. */
  record(type: number, requestId: number, content: Uint8Array): void {
    this.#reserve(content.length + OVERHEAD);
    this.#open(type, requestId);
    this.#copy(content);
    this.#close();
  }

  /** All bytes since the last call, in as few buffers as can be. They are the caller's from then on. */
  take(): Uint8Array[] {
    this.#close();
    this.#cut();
    const pieces = this.#pieces;
    if (this.#slab.length - this.#at >= SMALLEST_REST && spares.length < MAX_SPARES) {
      spares.push(this.#slab);
      used.push(this.#at);
    }
    this.#slab = NO_SLAB;
    this.#start = 0;
    this.#at = 0;
    this.#pieces = [];
    this.#piecesLength = 0;
    return pieces;
  }

  /** Sees to it that `length` more bytes have room. */
  #reserve(length: number): void {
    if (this.#at + length <= this.#slab.length) return;
    if (this.#slab === NO_SLAB && this.#borrow(length)) return;
    if (this.#at - this.#start > LONGEST_BUFFER) {
      this.#close();
      this.#cut();
    }
    const start = this.#start;
    const kept = this.#at - start;
    const slab = Buffer.allocUnsafeSlow(Math.max(SLAB_SIZE, 2 * (kept + length)));
    this.#slab.copy(slab, 0, start, this.#at);
    if (this.#record !== NO_RECORD) this.#record -= start;
    this.#slab = slab;
    this.#start = 0;
    this.#at = kept;
  }

  #borrow(length: number): boolean {
    const slab = spares.pop();
    const at = used.pop();
    if (slab === undefined || at === undefined || at + length > slab.length) return false;
    this.#slab = slab;
    this.#start = at;
    this.#at = at;
    return true;
  }

  /** Makes a piece of the output in the slab. */
  #cut(): void {
    if (this.#at > this.#start) this.#push(this.#slab.subarray(this.#start, this.#at));
    this.#start = this.#at;
  }

  #push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#piecesLength += piece.length;
  }

  /** True if the last record takes `length` bytes more of this stream. */
  #continues(type: number, requestId: number, length: number): boolean {
    return (
      this.#record !== NO_RECORD &&
      this.#type === type &&
      this.#requestId === requestId &&
      this.#at - this.#record - FCGI_HEADER_LEN + length <= MAX_RECORD_CONTENT
    );
  }

  #open(type: number, requestId: number): void {
    this.#close();
    const slab = this.#slab;
    const at = this.#at;
    slab[at] = FCGI_VERSION_1;
    slab[at + 1] = type;
    slab[at + 2] = requestId >> 8;
    slab[at + 3] = requestId & 0xff;
    slab[at + 7] = 0;
    this.#record = at;
    this.#type = type;
    this.#requestId = requestId;
    this.#at = at + FCGI_HEADER_LEN;
  }

  /** Writes what only the end of a record tells: its length, and the padding. */
  #close(): void {
    if (this.#record !== NO_RECORD) this.#finish(this.#at - this.#record - FCGI_HEADER_LEN);
  }

  #finish(length: number): void {
    const slab = this.#slab;
    const record = this.#record;
    const padding = -length & 7;
    slab[record + 4] = length >> 8;
    slab[record + 5] = length & 0xff;
    slab[record + 6] = padding;
    const end = this.#at + padding;
    for (let at = this.#at; at < end; at++) slab[at] = 0;
    this.#at = end;
    this.#record = NO_RECORD;
  }

  #copy(content: Uint8Array): void {
    const { length } = content;
    if (length > LOOP_LIMIT) this.#slab.set(content, this.#at);
    else for (let i = 0, at = this.#at; i < length; i++) this.#slab[at++] = content[i]!;
    this.#at += length;
  }

  /** Headers and padding go to the slab, the content between them is not copied, but for a small rest. */
  #large(type: number, requestId: number, content: Uint8Array): void {
    for (let from = 0; from < content.length; from += MAX_RECORD_CONTENT) {
      const part = content.subarray(from, from + MAX_RECORD_CONTENT);
      if (part.length <= COPY_LIMIT) return this.stream(type, requestId, part);
      this.#reserve(OVERHEAD);
      this.#open(type, requestId);
      this.#cut();
      this.#push(part);
      this.#finish(part.length);
    }
  }
}
