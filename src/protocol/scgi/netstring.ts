/** Netstrings: the length in digits, a colon, the bytes, a comma. */
import { ProtocolError } from "../../errors.ts";
import type { ChunkQueue } from "../chunk-queue.ts";

const COLON = 0x3a;
const ZERO = 0x30;
const MAX_DIGITS = 7;

/**
 * Reads a length and its colon off the front of `bytes`; undefined if more bytes are needed.
 *
 * @throws ProtocolError SCGI_BAD_NETSTRING: no digit, a leading zero, more than seven digits.
 */
export function takeLength(bytes: ChunkQueue): number | undefined {
  let length = 0;
  for (let i = 0; ; i++) {
    const byte = bytes.at(i);
    if (byte === undefined) return undefined;
    if (byte === COLON && i > 0) {
      bytes.take(i + 1);
      return length;
    }
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9 || i === MAX_DIGITS || (i === 1 && length === 0)) {
      throw new ProtocolError("SCGI_BAD_NETSTRING", "the request does not begin with a length and a colon");
    }
    length = length * 10 + digit;
  }
}
