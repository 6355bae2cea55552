/** The way out of one connection: its binding's output is written as it is made, and credited when it has left. */
import type { Socket } from "node:net";
import type { AbortCode } from "../errors.ts";
import type { Binding, Creditor, Setting } from "./bindings/binding.ts";
import { NEVER } from "./deadlines.ts";

/**
 * A slice is written when the one before it has left: only so can be seen that a slow reader has not stalled. Each one
 * has `writeStallTimeout` to leave. A reader that has been seen to read, since it was waited for or since it had an answer
 * and asked again, gets larger slices, which cost less: they have that time for every 256 KiB.
 */
const FIRST_SLICE = 256 * 1024;
const SLICE = 4 * FIRST_SLICE;
/** How much may leave without returning to the event loop when an app writes as fast as its reader reads. */
const BURST = 1024 * 1024;

const NOTHING = Buffer.alloc(0);
const NONE: Uint8Array[] = [];

/** The connection whose way out it is. */
export interface OutflowOwner {
  readonly setting: Setting;
  hold(): void;
  release(): void;
  /** All output has left. */
  rest(): void;
}

export class Outflow {
  readonly #owner: OutflowOwner;
  readonly #socket: Socket;
  readonly #binding: Binding;
  /** What is left of the last output that was taken, while it is written in slices. */
  #pieces = NONE;
  #next = 0;
  #writes = 0;
  /** Bytes of the slice that is on its way. */
  #slice = 0;
  /** The peer was waited for, and did read. */
  #reads = false;
  #onLeft: ((error?: Error | null) => void) | null = null;
  /** The exchanges that have bytes on their way. */
  #owed: Creditor | null = null;
  /** A flush is due in this tick. */
  #scheduled = false;
  /** Bytes that left outside the reading loop in this turn of the event loop. */
  #burst = 0;
  #closed = false;
  /** The peer does not read its answers, so no further requests are read from it. */
  #holds = false;
  /** How many requests were served when reading on was allowed in spite of too much output, for the rest of the next. */
  #spared = NEVER;

  /** Some bytes have not left; what is made meanwhile stays with the binding. */
  busy = false;
  /** When the peer must have taken some bytes, if any wait for it. */
  stallDeadline: number = NEVER;
  /** The last bytes to be written, after all output. */
  farewell: Uint8Array | null = null;

  constructor(owner: OutflowOwner, socket: Socket, binding: Binding) {
    this.#owner = owner;
    this.#socket = socket;
    this.#binding = binding;
  }

  owe(exchange: Creditor): void {
    exchange.nextOwed = this.#owed;
    this.#owed = exchange;
  }

  /** Writes at the end of this tick; later if that would go on for too long. */
  schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    if (this.#burst < BURST) {
      process.nextTick(flush, this);
    } else {
      this.#burst = 0;
      setImmediate(flush, this);
    }
  }

  /** Writes what the reading of a chunk has made. */
  flushRead(): void {
    this.#burst = 0;
    this.flush();
  }

  /** Writes all that there is, unless earlier output is still on its way. */
  flush(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    if (this.busy) return this.#limit();
    if (this.#binding.pending > 0 || this.farewell !== null) {
      const pieces = this.#binding.take();
      if (this.farewell !== null) pieces.push(this.farewell);
      this.farewell = null;
      for (const piece of pieces) this.#burst += piece.length;
      if (!this.#write(pieces)) return this.#wait();
      this.#settle(true);
    }
    if (this.#binding.pending === 0 && !this.#closed) this.#owner.rest();
  }

  /** The connection is gone. */
  close(code: AbortCode): void {
    this.#closed = true;
    this.stallDeadline = NEVER;
    for (let owed = this.#owed; owed !== null; owed = owed.nextOwed) owed.abandon(code);
    this.#owed = null;
  }

  /** True when all of `pieces` has left already. They are nobody else's from now on. */
  #write(pieces: Uint8Array[]): boolean {
    // A connection that answers once needs no TCP_NODELAY; from the second write on Nagle's algorithm would wait.
    if (this.#writes++ === 1) this.#socket.setNoDelay(true);
    this.#pieces = pieces;
    this.#next = 0;
    return this.#pump();
  }

  #pump(): boolean {
    const socket = this.#socket;
    const pieces = this.#pieces;
    while (this.#next < pieces.length) {
      this.#slice = 0;
      if (pieces.length - this.#next === 1) this.#writePiece();
      else this.#writeSlice();
      if (socket.writableLength > 0) {
        // Nothing, but its callback comes when all before it has left: writes that succeed at once cost no callback.
        socket.write(NOTHING, (this.#onLeft ??= (error) => this.#sliceLeft(error)));
        this.busy = true;
        return false;
      }
    }
    this.#pieces = NONE;
    this.busy = false;
    return true;
  }

  #writeSlice(): void {
    const limit = this.#reads || this.#binding.served > 0 ? SLICE : FIRST_SLICE;
    this.#socket.cork();
    while (this.#next < this.#pieces.length && this.#slice < limit) this.#writePiece();
    this.#socket.uncork();
  }

  #writePiece(): void {
    const piece = this.#pieces[this.#next]!;
    this.#pieces[this.#next++] = NOTHING;
    this.#slice += piece.length;
    this.#socket.write(piece);
  }

  /** Not all has left: the exchanges hear of it when it has. */
  #wait(): void {
    for (let owed = this.#owed; owed !== null; owed = owed.nextOwed) owed.handedOver();
    this.#expect();
    this.#limit();
  }

  #expect(): void {
    const { clock, options } = this.#owner.setting;
    this.stallDeadline = clock.in(options.writeStallTimeout * Math.ceil(this.#slice / FIRST_SLICE));
  }

  #sliceLeft(error?: Error | null): void {
    if (error || this.#closed) return;
    this.#reads = true;
    const { options } = this.#owner.setting;
    const done = this.#pump();
    if (done) this.stallDeadline = NEVER;
    else this.#expect();
    if (this.#holds && this.#unsent() <= options.writeHighWater / 2) {
      this.#holds = false;
      this.#owner.release();
    }
    if (!done) return;
    this.#spared = NEVER;
    this.#settle(false);
    this.flush();
  }

  /**
   * A peer that does not read its answers gets no further requests read. The rest of one request is no matter: a body
   * has a window of its own, and a peer may well send it whole before it reads.
   */
  #limit(): void {
    const { multiplexed, writeHighWater } = this.#owner.setting.options;
    const binding = this.#binding;
    if (this.#holds || this.#unsent() <= writeHighWater) return;
    if (!multiplexed && binding.awaitsInput) {
      if (this.#spared === NEVER) this.#spared = binding.served;
      if (this.#spared === binding.served) return;
    }
    this.#holds = true;
    this.#owner.hold();
  }

  #unsent(): number {
    let bytes = this.#socket.writableLength + this.#binding.pending;
    for (let i = this.#next; i < this.#pieces.length; i++) bytes += this.#pieces[i]!.length;
    return bytes;
  }

  /** Tells the exchanges what has left. They may make more output meanwhile. */
  #settle(all: boolean): void {
    let owed = this.#owed;
    this.#owed = null;
    while (owed !== null) {
      const next: Creditor | null = owed.nextOwed;
      owed.nextOwed = null;
      if (owed.left(all)) this.owe(owed);
      owed = next;
    }
  }
}

function flush(outflow: Outflow): void {
  outflow.flush();
}
