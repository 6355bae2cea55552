/** The way out of one connection: one write at a time, in slices, so that progress can be seen. */
import type { Socket } from "node:net";

/** A slice is written when the one before it has left; large enough to keep a fast reader busy. */
const SLICE = 256 * 1024;

const NOTHING = Buffer.alloc(0);
const NONE: readonly Uint8Array[] = [];

export class Outflow {
  readonly #socket: Socket;
  readonly #progress: (done: boolean) => void;
  #pieces: readonly Uint8Array[] = NONE;
  #next = 0;
  #writes = 0;
  #leftCallback: ((error?: Error | null) => void) | null = null;

  /** Some bytes have not left; nothing more is to be written before `progress(true)`. */
  busy = false;

  /** @param progress called each time when a slice has left that did not leave at once; `done` when it was the last. */
  constructor(socket: Socket, progress: (done: boolean) => void) {
    this.#socket = socket;
    this.#progress = progress;
  }

  /** Bytes given to the socket that have not left; what is still to be sliced comes on top. */
  get waiting(): number {
    let bytes = this.#socket.writableLength;
    for (let i = this.#next; i < this.#pieces.length; i++) bytes += this.#pieces[i]!.length;
    return bytes;
  }

  /** Writes `pieces`, which are nobody else's from now on. True when all of them have left already. */
  write(pieces: readonly Uint8Array[]): boolean {
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
      if (pieces.length - this.#next === 1) socket.write(pieces[this.#next++]!);
      else this.#writeSlice();
      if (socket.writableLength > 0) {
        // Nothing, but its callback comes when all before it has left: writes that succeed at once cost no callback.
        socket.write(NOTHING, (this.#leftCallback ??= (error) => this.#onLeft(error)));
        this.busy = true;
        return false;
      }
    }
    this.#pieces = NONE;
    this.busy = false;
    return true;
  }

  #writeSlice(): void {
    this.#socket.cork();
    for (let bytes = 0; this.#next < this.#pieces.length && bytes < SLICE;) {
      const piece = this.#pieces[this.#next++]!;
      bytes += piece.length;
      this.#socket.write(piece);
    }
    this.#socket.uncork();
  }

  #onLeft(error?: Error | null): void {
    if (!error) this.#progress(this.#pump());
  }
}
