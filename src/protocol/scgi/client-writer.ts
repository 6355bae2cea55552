/** Writes what an SCGI client sends before the body. */
import { Buffer } from "node:buffer";

/**
 * The header netstring: CONTENT_LENGTH first, then `SCGI` = `1`, then `pairs` in their order (latin1 text), without a
 * CONTENT_LENGTH or SCGI of their own. The body of exactly `contentLength` bytes follows.
 */
export function encodeScgiRequest(pairs: readonly (readonly [string, string])[], contentLength: number): Uint8Array {
  let text = `CONTENT_LENGTH\0${contentLength}\0SCGI\x001\0`;
  for (const [name, value] of pairs) {
    if (name !== "CONTENT_LENGTH" && name !== "SCGI") text += `${name}\0${value}\0`;
  }
  return Buffer.from(`${text.length}:${text},`, "latin1");
}
