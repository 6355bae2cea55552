/** One SCGI request on a connection of its own, as the protocol has it. */
import { ProtocolError } from "../errors.ts";
import { encodeScgiRequest } from "../protocol/scgi/client-writer.ts";
import type { Answer, AnswerBuilder, Ending } from "./answer.ts";
import { Exchange, type Framing, type RequestPart } from "./exchange.ts";
import type { ClientRequest } from "./request.ts";
import { connect, type Target } from "./target.ts";

/**
 * Connects, asks, closes. Resolves with the head of the answer. SCGI sends the length before the body: for a body that
 * is not in one piece it is taken from CONTENT_LENGTH in the params. The end of the answer is the end of the connection,
 * so one that breaks off without a reset looks complete.
 *
 * @throws TypeError if the length is not known; ProtocolError CGI_BAD_RESPONSE, SCGI_BAD_CONTENT_LENGTH (the body has
 *   another length than was said); the system's error; an error with code ETIMEDOUT; the signal's reason; what the body throws.
 */
export async function scgiRequest(target: Target, request: ClientRequest): Promise<Answer> {
  const framing = new ScgiFraming(request);
  const socket = await connect(target, request);
  return new Exchange(socket, framing, request, false, () => {}).answer;
}

class ScgiFraming implements Framing {
  ending: Ending | null = null;
  readonly parts: readonly RequestPart[];

  readonly #request: ClientRequest;
  readonly #length: number;
  /** Body bytes that are still to be sent. */
  #missing: number;

  constructor(request: ClientRequest) {
    this.#request = request;
    this.#length = this.#missing = bodyLength(request);
    this.parts = [
      {
        body: request.body,
        chunk: (content) => {
          this.#missing -= content.byteLength;
          if (this.#missing < 0) throw this.#wrongLength("more");
          return [content];
        },
        end: () => {
          if (this.#missing > 0) throw this.#wrongLength("less");
          return [];
        },
      },
    ];
  }

  head(): Uint8Array[] {
    return [encodeScgiRequest(this.#request.params, this.#length)];
  }

  receive(chunk: Uint8Array, answer: AnswerBuilder): boolean {
    return answer.stdout(chunk);
  }

  end(): void {
    this.ending = { appStatus: 0, protocolStatus: 0 };
  }

  #wrongLength(than: "more" | "less"): ProtocolError {
    return new ProtocolError(
      "SCGI_BAD_CONTENT_LENGTH",
      `the body has ${than} than the ${this.#length} bytes it was said to have`,
    );
  }
}

function bodyLength({ body, params }: ClientRequest): number {
  if (body === undefined) return 0;
  if (body instanceof Uint8Array) return body.byteLength;
  const told = params.find(([name]) => name === "CONTENT_LENGTH")?.[1] ?? "";
  if (!/^\d{1,15}$/.test(told))
    throw new TypeError("an SCGI body that is not in one piece needs CONTENT_LENGTH in its params");
  return Number(told);
}
