/** Reads a CGI answer (RFC 3875 section 6) for the clients of either protocol: a header block, then the body. */
import { Buffer } from "node:buffer";

import { ProtocolError } from "../errors.ts";

export type CgiResponseEvent =
  | {
      readonly type: "head";
      readonly status: number;
      readonly reason: string;
      /** Without `Status`; names and order as sent, latin1. */
      readonly headers: [string, string][];
    }
  | { readonly type: "body"; readonly content: Uint8Array };

const MAX_HEAD = 256 * 1024;
const LF = 10;

export class CgiResponseReader {
  /** Bytes of the head so far; once the head is out, body bytes that were not asked for yet. */
  #head: Buffer = Buffer.alloc(0);
  #body: Uint8Array[] = [];
  #headDone = false;

  receive(chunk: Uint8Array): void {
    if (this.#headDone) this.#body.push(chunk);
    else this.#head = Buffer.concat([this.#head, chunk]);
  }

  /** @throws ProtocolError CGI_BAD_RESPONSE: no header block, or a bad `Status`. */
  nextEvent(): CgiResponseEvent | null {
    if (this.#headDone) {
      const content = this.#body.shift();
      return content === undefined ? null : { type: "body", content };
    }
    const end = endOfHead(this.#head);
    if (end === -1) {
      if (this.#head.length > MAX_HEAD)
        throw new ProtocolError("CGI_BAD_RESPONSE", `no end of the head in ${MAX_HEAD} bytes`);
      return null;
    }
    this.#headDone = true;
    const rest = this.#head.subarray(end);
    if (rest.length > 0) this.#body.push(rest);
    return parseHead(this.#head.toString("latin1", 0, end));
  }

  /** @throws ProtocolError CGI_BAD_RESPONSE: the answer ended without a head. */
  end(): void {
    if (!this.#headDone) throw new ProtocolError("CGI_BAD_RESPONSE", "the answer ended before its header block did");
  }
}

/** Where the body begins: after the first empty line. Lines end in LF or CRLF (section 6.1). */
function endOfHead(bytes: Buffer): number {
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

function parseHead(text: string): CgiResponseEvent {
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
  return { type: "head", status, reason, headers };
}
