/** Reads a CGI answer (RFC 3875 section 6) for the clients of either protocol: a header block, then the body. */
import { ProtocolError } from "../errors.ts";
import { GrowingBuffer } from "./growing-buffer.ts";

export interface CgiResponseHead {
  readonly status: number;
  /** As the answer has it; "" without one. */
  readonly reason: string;
  /** In their order, one character for each byte (latin1); without `Status`. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export type CgiResponseEvent =
  /** "interim": a status of 1xx, but for 101; the head is still to come. */
  (CgiResponseHead & { readonly type: "interim" | "head" }) | { readonly type: "body"; readonly content: Uint8Array };

const MAX_HEAD = 256 * 1024;
const SWITCHING_PROTOCOLS = 101;
const LF = 10;
const CR = 13;

export class CgiResponseReader {
  /** The head so far, and what came with its end. */
  #head: GrowingBuffer | null = new GrowingBuffer();
  /** Where the last line of the head begins that was not whole when last looked at. */
  #line = 0;
  /** Body bytes that were not asked for yet. */
  #body: Uint8Array[] = [];

  receive(chunk: Uint8Array): void {
    if (this.#head === null) this.#body.push(chunk);
    else this.#head.append(chunk, 0, chunk.length);
  }

  /** @throws ProtocolError CGI_BAD_RESPONSE: no header block, or a bad `Status`. */
  nextEvent(): CgiResponseEvent | null {
    const head = this.#head;
    if (head === null) {
      const content = this.#body.shift();
      return content === undefined ? null : { type: "body", content };
    }
    const end = this.#endOfHead(head);
    if ((end === -1 ? head.length : end) > MAX_HEAD) {
      throw new ProtocolError("CGI_BAD_RESPONSE", `no end of the head in ${MAX_HEAD} bytes`);
    }
    if (end === -1) return null;
    const parsed = parseHead(head.room.toString("latin1", 0, end));
    if (parsed.status < 200 && parsed.status !== SWITCHING_PROTOCOLS) {
      head.consume(end);
      this.#line = 0;
      return { type: "interim", ...parsed };
    }
    this.#head = null;
    if (end < head.length) this.#body.push(head.room.subarray(end, head.length));
    return { type: "head", ...parsed };
  }

  /** @throws ProtocolError CGI_BAD_RESPONSE: the answer ended without a head. */
  end(): void {
    if (this.#head !== null)
      throw new ProtocolError("CGI_BAD_RESPONSE", "the answer ended before its header block did");
  }

  /** Where the body begins: after the first empty line, which is LF or CRLF (section 6.1). -1: not yet. */
  #endOfHead({ room, length }: GrowingBuffer): number {
    for (;;) {
      const end = room.subarray(0, length).indexOf(LF, this.#line);
      if (end === -1) return -1;
      const empty = end === this.#line || (end === this.#line + 1 && room[this.#line] === CR);
      if (empty && this.#line > 0) return end + 1;
      this.#line = end + 1;
    }
  }
}

function parseHead(text: string): CgiResponseHead {
  const headers: [string, string][] = [];
  let status = 200;
  let reason = "";
  for (const line of text.split(/\r?\n/)) {
    if (line === "") continue;
    const colon = line.indexOf(":");
    if (colon < 1) throw new ProtocolError("CGI_BAD_RESPONSE", "a line of the head has no colon");
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    if (name.toLowerCase() !== "status") {
      headers.push([name, value]);
      continue;
    }
    const match = /^(\d{3})(?: (.*))?$/.exec(value);
    if (match === null) throw new ProtocolError("CGI_BAD_RESPONSE", "the Status line has no status of three digits");
    status = Number(match[1]);
    reason = match[2] ?? "";
  }
  // A Location without a Status is a redirect (section 6.2.3).
  if (!/^status:/im.test(text) && headers.some(([name]) => name.toLowerCase() === "location")) status = 302;
  return { status, reason, headers };
}
