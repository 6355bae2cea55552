/** Reads what a web server sends: AJP13 packets become request events. */
import { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import { GrowingBuffer } from "../growing-buffer.ts";
import type { ParamsLimits } from "../params.ts";
import {
  AJP_BODY_OVERHEAD,
  AJP_HEADER_LEN,
  AJP_MAX_PACKET_SIZE,
  AJP_TO_CONTAINER,
  JK_AJP13_CPING_REQUEST,
  JK_AJP13_FORWARD_REQUEST,
  JK_AJP13_PING,
  JK_AJP13_SHUTDOWN,
} from "./constants.ts";
import type { AjpRequestEvent } from "./events.ts";
import { badPacket } from "./field-reader.ts";
import { decodeForwardRequest } from "./forward-request.ts";

const EMPTY = Buffer.alloc(0);
const MAX_LENGTH = AJP_MAX_PACKET_SIZE - AJP_HEADER_LEN;
const LENGTH_OF_BODY = 2;

/**
 * A body packet has no type: whether a packet is one can only be known by what was asked for. So whoever drives the
 * reader tells it of each GET_BODY_CHUNK (`asked`) and of END_RESPONSE (`answered`).
 *
 * lighttpd leaves out the length inside of a body packet. Its first packet shows it, since the two lengths do not fit
 * together; one body in 65,536 begins with bytes that do, loses them, and is refused as short of its Content-Length.
 */
export class AjpReader {
  readonly #limits: ParamsLimits;
  /** Received and not read. */
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** The begin of a packet that no single chunk holds. */
  #partial: GrowingBuffer | null = null;
  #state: "idle" | "body" | "complete" | "over" = "idle";
  /** Bytes of body that are announced and have not come; Infinity where nothing is announced. */
  #bodyLeft = 0;
  /** Bytes of the body packet that is being read. */
  #packetLeft = 0;
  /** Body packets without the inner length; null until one was seen. */
  #bare: boolean | null = null;
  /** Packets that are to come: the first one of an announced body, and what was asked for. */
  #due = 0;
  /** Bytes that were asked for: lighttpd sends them in as many packets as it takes. */
  #requested = 0;
  /** lighttpd sends an empty packet after a request without a body. */
  #mayStray = false;
  #failure: ProtocolError | null = null;

  constructor(limits: ParamsLimits) {
    this.#limits = limits;
  }

  /** Bytes held back until more arrive. */
  get buffered(): number {
    return (this.#partial?.length ?? 0) + this.#chunk.length - this.#at;
  }

  /** Something of the body, or its end, comes without being asked for any more. */
  get awaitsBody(): boolean {
    return this.#state === "body" && (this.#due > 0 || this.#packetLeft > 0 || this.#bodyLeft === 0);
  }

  /** Bytes of body that may be asked for. Of a body that is over: those that it was short of. */
  get bodyLeft(): number {
    return this.#bodyLeft;
  }

  receive(chunk: Uint8Array): void {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#chunk = this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), bytes]) : bytes;
    this.#at = 0;
  }

  /** GET_BODY_CHUNK was sent. */
  asked(requested: number): void {
    this.#due++;
    this.#requested += requested;
  }

  /** END_RESPONSE was sent: the next packet is another request, or whatever comes is passed over. */
  answered(reuse: boolean): void {
    this.#state = reuse ? "idle" : "over";
  }

  /**
   * The next event, or null if more bytes are needed.
   *
   * @throws ProtocolError AJP_BAD_MAGIC, AJP_PACKET_TOO_LARGE, AJP_BAD_PACKET, AJP_UNEXPECTED_PACKET,
   *   AJP_BAD_CONTENT_LENGTH: close the connection. The same error ever after.
   */
  nextEvent(): AjpRequestEvent | null {
    if (this.#failure !== null) throw this.#failure;
    try {
      for (;;) {
        const event = this.#next();
        if (event !== "again") return event;
      }
    } catch (error) {
      this.#failure = error as ProtocolError;
      throw error;
    }
  }

  /** @throws ProtocolError AJP_TRUNCATED: the connection ended inside a packet or a request. */
  end(): void {
    const between = this.#state === "idle" || this.#state === "complete";
    if (this.#state === "over" || (between && this.buffered === 0)) return;
    throw new ProtocolError("AJP_TRUNCATED", "the connection ended inside a packet or a body");
  }

  #next(): AjpRequestEvent | "again" | null {
    if (this.#state === "over") {
      this.#partial = null;
      this.#pass(this.#chunk.length);
      return null;
    }
    if (this.#packetLeft > 0) return this.#readBody();
    if (this.#state === "body" && this.#bodyLeft === 0) {
      this.#state = "complete";
      return { type: "bodyEnd" };
    }
    const header = this.#gather(AJP_HEADER_LEN);
    if (header === null) return null;
    const magic = header.readUInt16BE(0);
    if (magic !== AJP_TO_CONTAINER) {
      throw new ProtocolError("AJP_BAD_MAGIC", `a packet starts 0x${hex(magic)}, expected 0x${hex(AJP_TO_CONTAINER)}`);
    }
    const length = header.readUInt16BE(2);
    if (length > MAX_LENGTH) {
      const message = `a packet of ${length + AJP_HEADER_LEN} bytes, expected at most ${AJP_MAX_PACKET_SIZE}`;
      throw new ProtocolError("AJP_PACKET_TOO_LARGE", message);
    }
    const body = this.#state === "body" && (this.#due > 0 || this.#bare === true);
    if (body) return this.#startBody(length);
    const stray = this.#mayStray && (length === 0 || length === LENGTH_OF_BODY);
    if (this.#state !== "idle" && !stray) throw unexpected(`a packet of ${length} bytes before the answer`);
    return this.#readPacket(length);
  }

  /** A packet with a type. */
  #readPacket(length: number): AjpRequestEvent | "again" | null {
    const packet = this.#gather(AJP_HEADER_LEN + length);
    if (packet === null) return null;
    if (this.#mayStray && isEmpty(packet)) {
      this.#mayStray = false;
      this.#consume(packet.length);
      return "again";
    }
    const type = packet[AJP_HEADER_LEN];
    if (this.#state !== "idle" || type === undefined) throw unexpected(`a packet of ${length} bytes`);
    this.#consume(packet.length);
    if (type === JK_AJP13_FORWARD_REQUEST) return this.#begin(packet);
    if (length > 1) throw badPacket(`${length} bytes in a packet of type ${type}`);
    switch (type) {
      case JK_AJP13_CPING_REQUEST:
        return { type: "cping" };
      case JK_AJP13_PING:
        return { type: "ignored", what: "PING" };
      case JK_AJP13_SHUTDOWN:
        return { type: "ignored", what: "SHUTDOWN" };
      default:
        throw new ProtocolError("AJP_UNEXPECTED_PACKET", `a packet of type ${type}`);
    }
  }

  #begin(packet: Buffer): AjpRequestEvent {
    try {
      const request = decodeForwardRequest(packet, this.#limits);
      const { contentLength } = request;
      this.#state = "body";
      this.#bodyLeft = contentLength ?? Number.POSITIVE_INFINITY;
      this.#due = this.#bodyLeft > 0 && contentLength !== null ? 1 : 0;
      this.#packetLeft = 0;
      this.#requested = 0;
      this.#bare = null;
      this.#mayStray = contentLength === 0;
      return { type: "forwardRequest", request };
    } catch (error) {
      if ((error as ProtocolError).code !== "AJP_TOO_MANY_HEADERS") throw error;
      this.#state = "over";
      return { type: "requestError", error: error as ProtocolError };
    }
  }

  #startBody(length: number): AjpRequestEvent | "again" | null {
    const start = this.#gather(AJP_HEADER_LEN + Math.min(length, LENGTH_OF_BODY));
    if (start === null) return null;
    const inner = length < LENGTH_OF_BODY ? 0 : start.readUInt16BE(AJP_HEADER_LEN);
    const framed = length === 0 || inner + LENGTH_OF_BODY === length;
    if (length > 0) this.#bare ??= !framed;
    if (this.#bare === false && !framed) throw badPacket(`${inner} bytes of body in a packet of ${length}`);
    const content = this.#bare === true ? length : inner;
    if (content > this.#bodyLeft) throw badPacket(`${content} bytes of body where ${this.#bodyLeft} are left`);
    this.#consume(start.length);
    this.#packetLeft = content;
    if (content > 0) return this.#bare === true ? this.#take(start.subarray(AJP_HEADER_LEN)) : "again";
    // The web server has no more (ajpv13a, "Get Body Chunk"), be that what was announced or not.
    this.#due = 0;
    this.#state = "complete";
    if (this.#bodyLeft === Number.POSITIVE_INFINITY) this.#bodyLeft = 0;
    return { type: "bodyEnd" };
  }

  #readBody(): AjpRequestEvent | null {
    const from = this.#at;
    const to = Math.min(from + this.#packetLeft, this.#chunk.length);
    if (to === from) return null;
    const content = this.#chunk.subarray(from, to);
    this.#pass(to);
    return this.#take(content);
  }

  #take(content: Buffer): AjpRequestEvent {
    const { length } = content;
    this.#packetLeft -= length;
    this.#bodyLeft -= length;
    this.#requested -= length;
    if (this.#packetLeft === 0) {
      if (this.#bare === false) this.#due--;
      else if (this.#requested <= 0) this.#due = this.#requested = 0;
    }
    return { type: "body", content };
  }

  /** The next `length` bytes, which stay unread; null if more are needed. */
  #gather(length: number): Buffer | null {
    const chunk = this.#chunk;
    const from = this.#at;
    if (this.#partial === null) {
      if (chunk.length - from >= length) return chunk.subarray(from, from + length);
      if (chunk.length === from) return null;
      this.#partial = new GrowingBuffer();
    }
    const partial = this.#partial;
    const to = Math.min(from + Math.max(0, length - partial.length), chunk.length);
    partial.append(chunk, from, to);
    this.#pass(to);
    return partial.length < length ? null : partial.room.subarray(0, length);
  }

  /** Goes on behind what was gathered last, which is `length` bytes. */
  #consume(length: number): void {
    if (this.#partial === null) this.#pass(this.#at + length);
    else this.#partial = null;
  }

  /** The chunk is read up to `to`; one that is read to its end is not to be kept alive. */
  #pass(to: number): void {
    const read = to === this.#chunk.length;
    this.#at = read ? 0 : to;
    if (read) this.#chunk = EMPTY;
  }
}

/** What lighttpd sends in place of a body, and how the specification writes it. */
function isEmpty(packet: Buffer): boolean {
  const { length } = packet;
  return length === AJP_HEADER_LEN || (length === AJP_BODY_OVERHEAD && packet.readUInt16BE(AJP_HEADER_LEN) === 0);
}

function unexpected(what: string): ProtocolError {
  return new ProtocolError("AJP_UNEXPECTED_PACKET", `${what} that nobody has asked for`);
}

function hex(value: number): string {
  return value.toString(16).padStart(4, "0");
}
