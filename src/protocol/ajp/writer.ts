/** Writes what the gateway sends to a web server: response events become AJP13 packets. */
import { Buffer } from "node:buffer";

import { responseHeaderCode } from "./code-tables.ts";
import {
  AJP_CHUNK_OVERHEAD,
  AJP_HEADER_LEN,
  AJP_TO_SERVER,
  JK_AJP13_CPONG_REPLY,
  JK_AJP13_END_RESPONSE,
  JK_AJP13_GET_BODY_CHUNK,
  JK_AJP13_SEND_BODY_CHUNK,
  JK_AJP13_SEND_HEADERS,
} from "./constants.ts";
import type { AjpResponseEvent, AjpSendHeaders } from "./events.ts";
import { FieldWriter } from "./field-writer.ts";

/** Pieces up to this size together are copied into one, which makes one write of them. */
const COALESCED = 16 * 1024;
/** What stands in front of a packet's content; its NUL stands behind it. */
const CHUNK_HEADER = AJP_CHUNK_OVERHEAD - 1;

/** `send` collects, `take` gives away; content belongs to the writer from `send` on. */
export class AjpWriter {
  readonly #packetSize: number;
  #pieces: Uint8Array[] = [];
  /** Encoded bytes that were not taken yet. */
  pending = 0;

  /** @param packetSize that of the web server, header included: it takes no larger packet. */
  constructor(packetSize: number) {
    this.#packetSize = packetSize;
  }

  /** Whether the head can be sent: AJP13 has no second packet for what is left of one. */
  fits(head: AjpSendHeaders): boolean {
    return headLength(head) <= this.#packetSize;
  }

  /** @throws RangeError for a head that does not fit. */
  send(event: AjpResponseEvent): void {
    switch (event.type) {
      case "sendHeaders": {
        if (!this.fits(event)) throw new RangeError(`a head of ${headLength(event)} bytes`);
        return this.#push(encodeHead(event));
      }
      case "sendBodyChunk":
        return this.#sendBody(event.content);
      case "getBodyChunk":
        return this.#push(packet([JK_AJP13_GET_BODY_CHUNK, event.requested >> 8, event.requested & 0xff]));
      case "endResponse":
        return this.#push(packet([JK_AJP13_END_RESPONSE, event.reuse ? 1 : 0]));
      case "cpong":
        return this.#push(packet([JK_AJP13_CPONG_REPLY]));
    }
  }

  /** The bytes to write, in order, in as few buffers as can be. */
  take(): Uint8Array[] {
    const pieces = this.#pieces;
    const bytes = this.pending;
    this.#pieces = [];
    this.pending = 0;
    return pieces.length > 1 && bytes <= COALESCED ? [Buffer.concat(pieces, bytes)] : pieces;
  }

  #sendBody(content: Uint8Array): void {
    const room = this.#packetSize - AJP_CHUNK_OVERHEAD;
    const { length } = content;
    const frames = frame(length, room);
    for (let from = 0, at = 0; from < length; from += room, at += AJP_CHUNK_OVERHEAD) {
      // The NUL of the packet before this one stands in front of its header.
      this.#push(frames.subarray(at === 0 ? 0 : at - 1, at + CHUNK_HEADER));
      this.#push(content.subarray(from, from + room));
    }
    if (length > 0) this.#push(frames.subarray(-1));
  }

  #push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.pending += piece.length;
  }
}

/** Of its packet, which may be longer than any can be. */
function headLength({ reason, headers }: AjpSendHeaders): number {
  let length = AJP_HEADER_LEN + 1 + 2 + lengthOf(reason) + 2;
  for (const [name, value] of headers) {
    length += (responseHeaderCode.has(name.toLowerCase()) ? 2 : lengthOf(name)) + lengthOf(value);
  }
  return length;
}

/** With its length before it and its NUL behind. */
function lengthOf(text: string): number {
  return 2 + text.length + 1;
}

function encodeHead({ status, reason, headers }: AjpSendHeaders): Buffer {
  const fields = new FieldWriter();
  fields.byte(JK_AJP13_SEND_HEADERS);
  fields.int(status);
  fields.string(reason);
  fields.int(headers.length);
  for (const { name, code, value } of inOrder(headers)) fields.header(name, code, value);
  return fields.finish(AJP_TO_SERVER);
}

interface CodedHeader {
  readonly name: string;
  readonly code: number | undefined;
  readonly value: string;
}

/**
 * lighttpd (1.4.69, and later) looks for the number of headers where the first one's name begins, and reads no more of
 * them than what stands there: a code, which is a large number, or the length of the name. So a code comes first, or
 * else the longest name. Headers of one name keep their order.
 */
function inOrder(headers: AjpSendHeaders["headers"]): CodedHeader[] {
  const all = headers.map(([name, value]) => ({ name, code: responseHeaderCode.get(name.toLowerCase()), value }));
  let first = all.findIndex(({ code }) => code !== undefined);
  if (first === -1) {
    first = 0;
    for (const [i, { name }] of all.entries()) if (name.length > all[first]!.name.length) first = i;
  }
  return [...all.splice(first, 1), ...all];
}

/** The headers and the NULs of the packets for `length` bytes, without their content: mod_proxy_ajp insists on the NULs. */
function frame(length: number, room: number): Buffer {
  const bytes = Buffer.allocUnsafe(Math.ceil(length / room) * AJP_CHUNK_OVERHEAD);
  for (let from = 0, at = 0; from < length; from += room, at += AJP_CHUNK_OVERHEAD) {
    const part = Math.min(room, length - from);
    bytes.writeUInt16BE(AJP_TO_SERVER, at);
    bytes.writeUInt16BE(part + AJP_CHUNK_OVERHEAD - AJP_HEADER_LEN, at + 2);
    bytes[at + 4] = JK_AJP13_SEND_BODY_CHUNK;
    bytes.writeUInt16BE(part, at + 5);
    bytes[at + CHUNK_HEADER] = 0;
  }
  return bytes;
}

/** A short one, by the bytes of its payload. */
function packet(payload: readonly number[]): Buffer {
  return Buffer.from([AJP_TO_SERVER >> 8, AJP_TO_SERVER & 0xff, 0, payload.length, ...payload]);
}
