/**
 * Exchange events on their way between a gateway's thread and a worker thread, many in one message.
 *
 * A message costs far more than what is in it, so that all events of one turn of the event loop travel together: their
 * numbers in one array, their texts in another, short chunks one behind the other in one block. A longer chunk gets a
 * buffer of its own, which is moved and not cloned. It is a copy, always: the chunk may be a part of what a socket has
 * read, or the app's own memory, and what is moved is gone where it was.
 */
import { markAsUntransferable } from "node:worker_threads";

import type { AbortCode } from "../../errors.ts";
import { ERROR_CODES } from "../../errors.ts";
import type { FailStatus, ProtocolName, RequestEvent, RequestHead, ResponseEvent, Role } from "../../exchange.ts";

/** Many events. Plain data, for `postMessage`. */
export interface Batch {
  readonly numbers: Int32Array;
  readonly texts: readonly string[];
  /** The short chunks, one behind the other. */
  readonly bytes: Uint8Array;
  /** The longer ones; to be transferred. */
  readonly moved: readonly ArrayBuffer[];
}

/**
 * An answer with so many bytes at most is credited by the thread itself once it has left there: it need not be kept for
 * another turn, and no message goes back. Bytes.
 */
export const SETTLED_AT_ONCE: number = 64 * 1024;

/** Chunks from this length on are moved. */
const MOVED_FROM = 4096;
const FIRST_NUMBERS = 1024;
const FIRST_BYTES = 8192;

/** What an event is: the first of its numbers. The second is the exchange's. A body's third is its length. */
const REQUEST = 0;
const BODY = 1;
const BODY_END = 2;
const DATA = 3;
const DATA_END = 4;
const CREDIT = 5;
const ABORT = 6;
const HEAD = 7;
const STDERR = 8;
const END = 9;
const FAIL = 10;

/** Of a request's head. */
const MULTIPLEXED = 1;
const TUNNEL = 2;

const PROTOCOLS: readonly ProtocolName[] = ["fastcgi", "scgi", "ajp"];
const ROLES: readonly Role[] = ["responder", "authorizer", "filter"];
const ABORT_CODES = Object.keys(ERROR_CODES.abort) as readonly AbortCode[];

/** Collects events until they are taken as one batch. */
export class BatchWriter {
  #numbers = new Int32Array(FIRST_NUMBERS);
  #count = 0;
  #texts: string[] = [];
  #bytes = new Uint8Array(FIRST_BYTES);
  #used = 0;
  #moved: ArrayBuffer[] = [];

  /** Bytes of chunks and characters of texts that wait; 0 where there is nothing but numbers. */
  size = 0;

  get empty(): boolean {
    return this.#count === 0;
  }

  request(exchange: number, { id, protocol, role, params, multiplexed, tunnel }: RequestHead): void {
    const { block, offsets, base, count } = params;
    const length = 4 * count;
    this.#reserve(6 + length);
    const numbers = this.#numbers;
    let at = this.#count;
    numbers[at++] = REQUEST;
    numbers[at++] = exchange;
    numbers[at++] = PROTOCOLS.indexOf(protocol);
    numbers[at++] = ROLES.indexOf(role);
    numbers[at++] = (multiplexed ? MULTIPLEXED : 0) | (tunnel === true ? TUNNEL : 0);
    numbers[at++] = count;
    for (let i = 0; i < length; i++) numbers[at++] = offsets[base + i]!;
    this.#count = at;
    this.#texts.push(id, block);
    this.size += block.length;
  }

  requestEvent(exchange: number, event: RequestEvent): void {
    switch (event.type) {
      case "body":
        return this.#chunk(BODY, exchange, event.chunk);
      case "bodyEnd":
        return this.#add(BODY_END, exchange, 0);
      case "data":
        return this.#chunk(DATA, exchange, event.chunk);
      case "dataEnd":
        return this.#add(DATA_END, exchange, 0);
      case "credit":
        return this.#add(CREDIT, exchange, event.bytes);
      case "abort":
        return this.#add(ABORT, exchange, ABORT_CODES.indexOf(event.code));
    }
  }

  responseEvent(exchange: number, event: ResponseEvent): void {
    switch (event.type) {
      case "head":
        this.#texts.push(event.block);
        this.size += event.block.length;
        return this.#add(HEAD, exchange, event.status);
      case "body":
        return this.#chunk(BODY, exchange, event.chunk);
      case "stderr":
        return this.#chunk(STDERR, exchange, event.chunk);
      case "credit":
        return this.#add(CREDIT, exchange, event.bytes);
      case "end":
        return this.#add(END, exchange, event.appStatus);
      case "fail":
        return this.#add(FAIL, exchange, event.status);
    }
  }

  /** What has come together; the writer is empty again. `moved` of it goes into the list of transfers. */
  take(): Batch {
    const batch: Batch = {
      numbers: this.#numbers.slice(0, this.#count),
      texts: this.#texts,
      bytes: this.#bytes.slice(0, this.#used),
      moved: this.#moved,
    };
    this.#count = this.#used = this.size = 0;
    this.#texts = [];
    this.#moved = [];
    return batch;
  }

  #add(kind: number, exchange: number, value: number): void {
    this.#reserve(3);
    this.#numbers[this.#count++] = kind;
    this.#numbers[this.#count++] = exchange;
    this.#numbers[this.#count++] = value;
  }

  #chunk(kind: number, exchange: number, chunk: Uint8Array): void {
    const { length } = chunk;
    this.#add(kind, exchange, length);
    this.size += length;
    if (length >= MOVED_FROM) {
      const own = Buffer.allocUnsafeSlow(length);
      own.set(chunk);
      this.#moved.push(own.buffer);
      return;
    }
    if (this.#used + length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#used + length));
      larger.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#used);
    this.#used += length;
  }

  #reserve(more: number): void {
    if (this.#count + more <= this.#numbers.length) return;
    const larger = new Int32Array(Math.max(2 * this.#numbers.length, this.#count + more));
    larger.set(this.#numbers);
    this.#numbers = larger;
  }
}

/** Who hears what a gateway's thread has sent. */
export interface RequestListener {
  request(exchange: number, head: RequestHead): void;
  event(exchange: number, event: RequestEvent): void;
}

/** Tells a batch of requests and their events, in their order. */
export function readRequests(batch: Batch, listener: RequestListener): void {
  const { numbers } = batch;
  // Short chunks of several requests lie in it: an app that posts its own elsewhere must not take the others away.
  if (batch.bytes.length > 0) markAsUntransferable(batch.bytes.buffer);
  const reader = new BatchReader(batch);
  while (reader.at < numbers.length) {
    const kind = numbers[reader.at++]!;
    const exchange = numbers[reader.at++]!;
    if (kind === REQUEST) listener.request(exchange, readHead(numbers, reader));
    else listener.event(exchange, readRequestEvent(kind, reader));
  }
}

/** Tells a batch of answers' events, in their order. */
export function readResponses(batch: Batch, listener: (exchange: number, event: ResponseEvent) => void): void {
  const { numbers } = batch;
  const reader = new BatchReader(batch);
  while (reader.at < numbers.length) {
    const kind = numbers[reader.at++]!;
    const exchange = numbers[reader.at++]!;
    listener(exchange, readResponseEvent(kind, reader));
  }
}

/** Where the reading of a batch is. */
class BatchReader {
  at = 0;
  readonly #batch: Batch;
  #text = 0;
  #byte = 0;
  #nextMoved = 0;

  constructor(batch: Batch) {
    this.#batch = batch;
  }

  number(): number {
    return this.#batch.numbers[this.at++]!;
  }

  text(): string {
    return this.#batch.texts[this.#text++]!;
  }

  chunk(): Buffer {
    const length = this.number();
    if (length >= MOVED_FROM) return Buffer.from(this.#batch.moved[this.#nextMoved++]!);
    const { bytes } = this.#batch;
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset + this.#byte, length);
    this.#byte += length;
    return chunk;
  }
}

function readHead(numbers: Int32Array, reader: BatchReader): RequestHead {
  const protocol = PROTOCOLS[reader.number()]!;
  const role = ROLES[reader.number()]!;
  const flags = reader.number();
  const multiplexed = (flags & MULTIPLEXED) !== 0;
  const count = reader.number();
  const base = reader.at;
  reader.at += 4 * count;
  const id = reader.text();
  const offsets = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  const head = { id, protocol, role, params: { block: reader.text(), offsets, base, count }, multiplexed };
  return (flags & TUNNEL) === 0 ? head : { ...head, tunnel: true };
}

function readRequestEvent(kind: number, reader: BatchReader): RequestEvent {
  switch (kind) {
    case BODY:
      return { type: "body", chunk: reader.chunk() };
    case DATA:
      return { type: "data", chunk: reader.chunk() };
    case CREDIT:
      return { type: "credit", bytes: reader.number() };
    case ABORT:
      return { type: "abort", code: ABORT_CODES[reader.number()]! };
    case BODY_END:
      reader.at++;
      return { type: "bodyEnd" };
    case DATA_END:
      reader.at++;
      return { type: "dataEnd" };
    default:
      throw new RangeError(`a batch has an event of kind ${kind}`);
  }
}

function readResponseEvent(kind: number, reader: BatchReader): ResponseEvent {
  switch (kind) {
    case HEAD:
      return { type: "head", status: reader.number(), block: reader.text() };
    case BODY:
      return { type: "body", chunk: reader.chunk() };
    case STDERR:
      return { type: "stderr", chunk: reader.chunk() };
    case CREDIT:
      return { type: "credit", bytes: reader.number() };
    case END:
      return { type: "end", appStatus: reader.number() };
    case FAIL:
      return { type: "fail", status: reader.number() as FailStatus };
    default:
      throw new RangeError(`a batch has an event of kind ${kind}`);
  }
}
