/** Encodes records (FastCGI 1.0 section 3.3): small ones together in one buffer, large content as it is. */
import { Buffer } from "node:buffer";

import { FCGI_HEADER_LEN, FCGI_VERSION_1, MAX_RECORD_CONTENT } from "./constants.ts";

/** Content up to this size is copied, so that an answer leaves as one buffer; larger content is not. */
const COPY_LIMIT = 8192;
/** A header and padding. */
const RECORD_OVERHEAD = FCGI_HEADER_LEN + 7;

interface Entry {
  readonly type: number;
  readonly requestId: number;
  readonly content: Uint8Array | string;
}

const EMPTY = Buffer.alloc(0);

/**
 * Entries are kept until `take()`, which knows then how much room they need. Neighbouring entries of one stream share a
 * record; every record is padded to 8 bytes.
 */
export class RecordWriter {
  #entries: Entry[] = [];
  /** Room that the entries to be copied need at most. */
  #room = 0;
  #pending = 0;
  // The buffer that `take()` is filling.
  #buffer: Buffer = EMPTY;
  #start = 0;
  #at = 0;
  #recordAt = -1;

  /** Encoded bytes that were not taken yet, more or less: padding and headers are counted at their most. */
  get pending(): number {
    return this.#pending;
  }

  /** Adds to a stream; records are cut and joined as is best. Text is latin1. Empty content adds nothing. */
  stream(type: number, requestId: number, content: Uint8Array | string): void {
    const { length } = content;
    if (length === 0) return;
    if (length <= COPY_LIMIT || typeof content === "string") this.#room += length;
    const records = Math.ceil(length / MAX_RECORD_CONTENT);
    this.#room += (records + 1) * RECORD_OVERHEAD;
    this.#pending += length + RECORD_OVERHEAD;
    this.#entries.push({ type, requestId, content });
  }

  /** Ends a stream: a record without content. */
  streamEnd(type: number, requestId: number): void {
    this.#room += RECORD_OVERHEAD;
    this.#pending += FCGI_HEADER_LEN;
    this.#entries.push({ type, requestId, content: "" });
  }

  /** Adds one record of its own; `content` of at most 65535 bytes. */
  record(type: number, requestId: number, content: Uint8Array): void {
    this.#room += content.length + RECORD_OVERHEAD;
    this.#pending += content.length + RECORD_OVERHEAD;
    this.#entries.push({ type: -type, requestId, content });
  }

  /** All bytes since the last call, in as few buffers as can be. They are the caller's from then on. */
  take(): Uint8Array[] {
    const entries = this.#entries;
    if (entries.length === 0) return [];
    const pieces: Uint8Array[] = [];
    this.#buffer = Buffer.allocUnsafe(this.#room);
    this.#start = 0;
    this.#at = 0;
    let openType = 0;
    let openId = 0;
    for (const { type, requestId, content } of entries) {
      const { length } = content;
      if (type < 0 || length === 0) {
        this.#closeRecord();
        this.#openRecord(Math.abs(type), requestId);
        this.#copy(content, 0, length);
        this.#closeRecord();
        openType = 0;
        continue;
      }
      if (length > COPY_LIMIT && typeof content !== "string") {
        this.#closeRecord();
        openType = 0;
        this.#largeContent(type, requestId, content, pieces);
        continue;
      }
      if (openType !== type || openId !== requestId) {
        this.#closeRecord();
        this.#openRecord(type, requestId);
        openType = type;
        openId = requestId;
      }
      for (let at = 0; at < length;) {
        const room = MAX_RECORD_CONTENT - (this.#at - this.#recordAt - FCGI_HEADER_LEN);
        if (room === 0) {
          this.#closeRecord();
          this.#openRecord(type, requestId);
          continue;
        }
        const take = Math.min(room, length - at);
        this.#copy(content, at, at + take);
        at += take;
      }
    }
    this.#closeRecord();
    if (this.#at > this.#start) pieces.push(this.#buffer.subarray(this.#start, this.#at));
    this.#buffer = EMPTY;
    this.#entries = [];
    this.#room = 0;
    this.#pending = 0;
    return pieces;
  }

  #openRecord(type: number, requestId: number): void {
    const buffer = this.#buffer;
    const at = this.#at;
    buffer[at] = FCGI_VERSION_1;
    buffer[at + 1] = type;
    buffer[at + 2] = requestId >> 8;
    buffer[at + 3] = requestId & 0xff;
    buffer[at + 7] = 0;
    this.#recordAt = at;
    this.#at = at + FCGI_HEADER_LEN;
  }

  #closeRecord(): void {
    const record = this.#recordAt;
    if (record < 0) return;
    this.#recordAt = -1;
    this.#finishRecord(record, this.#at - record - FCGI_HEADER_LEN);
  }

  /** Writes the lengths into the header at `record`, and the padding at `#at`. */
  #finishRecord(record: number, length: number): void {
    const buffer = this.#buffer;
    const padding = -length & 7;
    buffer[record + 4] = length >> 8;
    buffer[record + 5] = length & 0xff;
    buffer[record + 6] = padding;
    for (let i = 0; i < padding; i++) buffer[this.#at++] = 0;
  }

  #copy(content: Uint8Array | string, from: number, to: number): void {
    if (to === from) return;
    if (typeof content === "string") {
      const text = from === 0 && to === content.length ? content : content.slice(from, to);
      this.#buffer.write(text, this.#at, "latin1");
    } else {
      this.#buffer.set(from === 0 && to === content.length ? content : content.subarray(from, to), this.#at);
    }
    this.#at += to - from;
  }

  /** Header, the content itself, padding together with the next header: nothing of the content is copied. */
  #largeContent(type: number, requestId: number, content: Uint8Array, pieces: Uint8Array[]): void {
    for (let at = 0; at < content.length; at += MAX_RECORD_CONTENT) {
      const part = content.subarray(at, at + MAX_RECORD_CONTENT);
      this.#openRecord(type, requestId);
      const record = this.#recordAt;
      this.#recordAt = -1;
      const padding = -part.length & 7;
      this.#buffer[record + 4] = part.length >> 8;
      this.#buffer[record + 5] = part.length & 0xff;
      this.#buffer[record + 6] = padding;
      pieces.push(this.#buffer.subarray(this.#start, this.#at), part);
      this.#start = this.#at;
      for (let i = 0; i < padding; i++) this.#buffer[this.#at++] = 0;
    }
  }
}
