/** Writes the fields of one packet (ajpv13a, "Packet Types and Data Types"). */
import { Buffer } from "node:buffer";

import { AJP_HEADER_LEN, NULL_STRING, SC_CODED } from "./constants.ts";

const FIRST_ROOM = 512;

export class FieldWriter {
  #bytes = Buffer.allocUnsafe(FIRST_ROOM);
  #length = AJP_HEADER_LEN;

  /** Of the whole packet, so far. */
  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  int(value: number): void {
    const at = this.#room(2);
    this.#bytes.writeUInt16BE(value, at);
  }

  /** A character for each byte. */
  string(text: string | null): void {
    if (text === null) return this.int(NULL_STRING);
    this.int(text.length);
    const at = this.#room(text.length + 1);
    this.#bytes.write(text, at, text.length, "latin1");
    this.#bytes[at + text.length] = 0;
  }

  /** A header, its name as a code where there is one. */
  header(name: string, code: number | undefined, value: string): void {
    if (code === undefined) this.string(name);
    else this.int((SC_CODED << 8) | code);
    this.string(value);
  }

  /** The packet, which begins with `magic` and its length. */
  finish(magic: number): Buffer {
    this.#bytes.writeUInt16BE(magic, 0);
    this.#bytes.writeUInt16BE(this.#length - AJP_HEADER_LEN, 2);
    return this.#bytes.subarray(0, this.#length);
  }

  /** Where `length` more bytes go, in what may be another buffer from then on. */
  #room(length: number): number {
    const at = this.#length;
    this.#length = at + length;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * this.#length);
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }
}
