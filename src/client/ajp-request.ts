/** One AJP13 request on a connection of its own. */
import { ProtocolError } from "../errors.ts";
import { AjpClientReader } from "../protocol/ajp/client-reader.ts";
import { encodeAjpRequest } from "../protocol/ajp/client-writer.ts";
import { AJP_BODY_OVERHEAD, AJP_PACKET_SIZE } from "../protocol/ajp/constants.ts";
import { forwardRequest } from "./ajp-fields.ts";
import { headText, type AnswerBuilder, type Answer, type Ending } from "./answer.ts";
import { Exchange, type Framing, type RequestPart } from "./exchange.ts";
import type { ClientRequest } from "./request.ts";
import { connect, type Target } from "./target.ts";

export interface AjpRequest extends ClientRequest {
  /** What the container wants to see. Default: none is sent. */
  readonly secret?: string | undefined;
}

/**
 * Connects, asks, closes. Resolves with the head of the answer. A body has the length of CONTENT_LENGTH in the params,
 * if that is there; a body without it is sent as one of unknown length.
 *
 * @throws RangeError if the head does not fit into a packet of 64 KiB; ProtocolError AJP_TRUNCATED, AJP_BAD_MAGIC,
 *   AJP_BAD_PACKET, AJP_UNEXPECTED_PACKET, AJP_BAD_CONTENT_LENGTH (the body has another length than was said),
 *   CGI_BAD_RESPONSE; the system's error; an error with code ETIMEDOUT; the signal's reason; what the body throws.
 */
export async function ajpRequest(target: Target, request: AjpRequest): Promise<Answer> {
  const framing = new AjpFraming(request);
  const socket = await connect(target, request);
  return new Exchange(socket, framing, request, false, () => {}).answer;
}

const LARGEST_PIECE = AJP_PACKET_SIZE - AJP_BODY_OVERHEAD;

class AjpFraming implements Framing {
  ending: Ending | null = null;
  readonly parts: readonly RequestPart[];

  readonly #request: AjpRequest;
  readonly #reader = new AjpClientReader();
  /** Body bytes that are announced and not sent; Infinity where nothing is announced. */
  #missing: number;
  /** What the container asked for and did not get; a body with a length begins unasked. */
  #asked: number[];
  #wanted: ((length: number) => void) | null = null;

  constructor(request: AjpRequest) {
    this.#request = request;
    const length = request.body === undefined ? "0" : request.params.find(([name]) => name === "CONTENT_LENGTH")?.[1];
    this.#missing = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
    this.#asked = length === undefined ? [] : [LARGEST_PIECE];
    this.parts = [
      {
        body: request.body,
        demand: async () => await this.#demand(),
        chunk: (content) => {
          this.#missing -= content.byteLength;
          if (this.#missing < 0) throw wrongLength("more");
          return encodeAjpRequest({ type: "body", content });
        },
        end: () => {
          if (this.#missing === Number.POSITIVE_INFINITY) {
            return encodeAjpRequest({ type: "body", content: new Uint8Array(0) });
          }
          if (this.#missing > 0) throw wrongLength("less");
          return [];
        },
      },
    ];
  }

  head(): Uint8Array[] {
    const { params, body, secret = null } = this.#request;
    return encodeAjpRequest({
      type: "forwardRequest",
      request: { ...forwardRequest(params, body !== undefined), secret },
    });
  }

  receive(chunk: Uint8Array, answer: AnswerBuilder): boolean {
    let wanted = true;
    this.#reader.receive(chunk);
    for (let event = this.#reader.nextEvent(); event !== null; event = this.#reader.nextEvent()) {
      if (this.ending !== null) throw new ProtocolError("AJP_UNEXPECTED_PACKET", `${event.type} after END_RESPONSE`);
      switch (event.type) {
        case "sendHeaders": {
          // What a client makes of an answer is the same for all protocols: a CGI document.
          answer.stdout(Buffer.from(headText(event), "latin1"));
          break;
        }
        case "sendBodyChunk":
          if (!answer.begun) throw new ProtocolError("CGI_BAD_RESPONSE", "a body without SEND_HEADERS");
          if (event.content.length > 0) wanted = answer.stdout(event.content);
          break;
        case "getBodyChunk":
          this.#ask(event.requested);
          break;
        case "endResponse":
          this.ending = { appStatus: 0, protocolStatus: 0 };
          break;
        case "cpong":
          throw new ProtocolError("AJP_UNEXPECTED_PACKET", "CPONG where no CPING was sent");
      }
    }
    return wanted;
  }

  end(): void {
    throw new ProtocolError("AJP_TRUNCATED", "the connection ended before END_RESPONSE");
  }

  #ask(requested: number): void {
    const wanted = this.#wanted;
    this.#wanted = null;
    if (wanted === null) this.#asked.push(requested);
    else wanted(Math.min(requested, LARGEST_PIECE));
  }

  async #demand(): Promise<number> {
    const asked = this.#asked.shift();
    if (asked !== undefined) return Math.min(asked, LARGEST_PIECE);
    return await new Promise((resolve) => (this.#wanted = resolve));
  }
}

function wrongLength(than: "more" | "less"): ProtocolError {
  return new ProtocolError("AJP_BAD_CONTENT_LENGTH", `the body has ${than} bytes than it was said to have`);
}
