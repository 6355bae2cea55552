/** Reads what an AJP13 container sends: packets become the client's events. */
import type { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import { ChunkQueue } from "../chunk-queue.ts";
import { responseHeaderOf } from "./code-tables.ts";
import {
  AJP_HEADER_LEN,
  AJP_TO_SERVER,
  JK_AJP13_CPONG_REPLY,
  JK_AJP13_END_RESPONSE,
  JK_AJP13_GET_BODY_CHUNK,
  JK_AJP13_SEND_BODY_CHUNK,
  JK_AJP13_SEND_HEADERS,
  SC_CODED,
} from "./constants.ts";
import type { AjpClientEvent } from "./events.ts";
import { badPacket, FieldReader } from "./field-reader.ts";

export class AjpClientReader {
  readonly #bytes = new ChunkQueue();
  /** The length of the packet that is awaited, -1 between packets. */
  #length = -1;
  #failure: ProtocolError | null = null;

  receive(chunk: Uint8Array): void {
    this.#bytes.append(chunk);
  }

  /**
   * The next event, or null if more bytes are needed.
   *
   * @throws ProtocolError AJP_BAD_MAGIC, AJP_BAD_PACKET, AJP_UNEXPECTED_PACKET. The same error ever after.
   */
  nextEvent(): AjpClientEvent | null {
    if (this.#failure !== null) throw this.#failure;
    try {
      return this.#next();
    } catch (error) {
      this.#failure = error as ProtocolError;
      throw error;
    }
  }

  /** @throws ProtocolError AJP_TRUNCATED: the connection ended inside a packet. */
  end(): void {
    if (this.#length !== -1 || this.#bytes.length > 0) {
      throw new ProtocolError("AJP_TRUNCATED", "the connection ended inside a packet");
    }
  }

  #next(): AjpClientEvent | null {
    if (this.#length === -1) {
      if (this.#bytes.length < AJP_HEADER_LEN) return null;
      const header = this.#bytes.take(AJP_HEADER_LEN);
      const magic = header.readUInt16BE(0);
      if (magic !== AJP_TO_SERVER) {
        throw new ProtocolError("AJP_BAD_MAGIC", `a packet starts 0x${magic.toString(16)}, expected 0x4142`);
      }
      this.#length = header.readUInt16BE(2);
    }
    if (this.#bytes.length < this.#length) return null;
    const packet = this.#bytes.take(this.#length);
    this.#length = -1;
    return decode(packet);
  }
}

function decode(packet: Buffer): AjpClientEvent {
  const fields = new FieldReader(packet, 0);
  const type = fields.byte("the type");
  const event = decodeType(type, fields, packet);
  if (event.type !== "sendBodyChunk" && fields.left > 0)
    throw badPacket(`${fields.left} bytes too many of type ${type}`);
  return event;
}

function decodeType(type: number, fields: FieldReader, packet: Buffer): AjpClientEvent {
  switch (type) {
    case JK_AJP13_SEND_HEADERS:
      return readHead(fields);
    case JK_AJP13_SEND_BODY_CHUNK: {
      const length = fields.int("the length of a chunk");
      if (fields.left !== length + 1) throw badPacket(`a chunk of ${length} bytes and its NUL in ${fields.left}`);
      return { type: "sendBodyChunk", content: packet.subarray(3, 3 + length) };
    }
    case JK_AJP13_END_RESPONSE:
      return { type: "endResponse", reuse: fields.byte("reuse") !== 0 };
    case JK_AJP13_GET_BODY_CHUNK:
      return { type: "getBodyChunk", requested: fields.int("the requested length") };
    case JK_AJP13_CPONG_REPLY:
      return { type: "cpong" };
    default:
      throw new ProtocolError("AJP_UNEXPECTED_PACKET", `a packet of type ${type} is no answer`);
  }
}

function readHead(fields: FieldReader): AjpClientEvent {
  const status = fields.int("the status");
  const reason = fields.string("the reason") ?? "";
  const count = fields.int("the number of headers");
  const headers: [string, string][] = [];
  for (let i = 0; i < count; i++) {
    const code = fields.peekInt("a header's name");
    const coded = code >> 8 === SC_CODED;
    const name = coded ? responseHeaderOf(fields.int("a header's name") & 0xff) : fields.string("a header's name");
    if (name === undefined || name === null) throw badPacket("a header without a name");
    headers.push([name, fields.string("a header's value") ?? ""]);
  }
  return { type: "sendHeaders", status, reason, headers };
}
