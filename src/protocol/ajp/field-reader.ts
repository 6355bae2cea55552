/** Reads the fields of one packet: bytes, integers and strings (ajpv13a, "Packet Types and Data Types"). */
import type { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import { NULL_STRING } from "./constants.ts";

/** Over the bytes of a packet that is whole. @throws ProtocolError AJP_BAD_PACKET for a field that reaches over its end. */
export class FieldReader {
  readonly #bytes: Buffer;
  #at: number;

  /** @param at where the first field begins; the packet ends with `bytes`. */
  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Bytes that were not read. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(what: string): number {
    return this.#bytes[this.#pass(1, what)]!;
  }

  int(what: string): number {
    return this.#bytes.readUInt16BE(this.#pass(2, what));
  }

  /** The next integer, which stays unread. */
  peekInt(what: string): number {
    const value = this.int(what);
    this.#at -= 2;
    return value;
  }

  /** Latin1; null is a value of its own. */
  string(what: string): string | null {
    const length = this.int(what);
    if (length === NULL_STRING) return null;
    const start = this.#pass(length + 1, what);
    const end = start + length;
    if (this.#bytes[end] !== 0) throw badPacket(`${what} is not ended by a NUL`);
    return this.#bytes.toString("latin1", start, end);
  }

  #pass(length: number, what: string): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw badPacket(`${what} reaches over the end of its packet`);
    this.#at = at + length;
    return at;
  }
}

export function badPacket(what: string): ProtocolError {
  return new ProtocolError("AJP_BAD_PACKET", what);
}
