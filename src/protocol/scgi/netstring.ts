/** Netstrings: the length in digits, a colon, the bytes, a comma. */
import type { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";

const COLON = 0x3a;
const COMMA = 0x2c;
const ZERO = 0x30;
const MAX_DIGITS = 7;

/** Where the bytes of a netstring are: the comma is at `end`. */
export interface Netstring {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads the length and the colon of the netstring that `bytes` begins with, up to `to`; null if more bytes are needed.
 *
 * @throws ProtocolError SCGI_BAD_NETSTRING: no digit, a leading zero, more than seven digits.
 */
export function locateNetstring(bytes: Buffer, to: number): Netstring | null {
  let length = 0;
  for (let at = 0; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === COLON && at > 0) return { start: at + 1, end: at + 1 + length };
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9 || at === MAX_DIGITS || (at === 1 && length === 0)) {
      throw new ProtocolError("SCGI_BAD_NETSTRING", "the request does not begin with a length and a colon");
    }
    length = length * 10 + digit;
  }
  return null;
}

/** @throws ProtocolError SCGI_BAD_NETSTRING: the bytes are not followed by a comma. */
export function expectComma(bytes: Buffer, netstring: Netstring): void {
  if (bytes[netstring.end] !== COMMA) throw new ProtocolError("SCGI_BAD_NETSTRING", "no comma after the headers");
}
