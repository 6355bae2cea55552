/** FastCGI's part of an exchange: one request, its id always 1, as web servers do it. */
import { ProtocolError } from "../errors.ts";
import { FastCgiClientReader } from "../protocol/fastcgi/client-reader.ts";
import { FastCgiClientWriter } from "../protocol/fastcgi/client-writer.ts";
import {
  FCGI_CANT_MPX_CONN,
  FCGI_OVERLOADED,
  FCGI_RESPONDER,
  FCGI_UNKNOWN_ROLE,
} from "../protocol/fastcgi/constants.ts";
import type { AnswerBuilder, Ending } from "./answer.ts";
import type { Framing, RequestPart } from "./exchange.ts";
import type { FastCgiRequest } from "./request.ts";

const REQUEST_ID = 1;

const REFUSALS: Readonly<Record<number, string>> = {
  [FCGI_CANT_MPX_CONN]: "FCGI_CANT_MPX_CONN",
  [FCGI_OVERLOADED]: "FCGI_OVERLOADED",
  [FCGI_UNKNOWN_ROLE]: "FCGI_UNKNOWN_ROLE",
};

export class FastCgiFraming implements Framing {
  ending: Ending | null = null;
  readonly parts: readonly RequestPart[];

  readonly #request: FastCgiRequest;
  readonly #keepConn: boolean;
  readonly #reader: FastCgiClientReader;
  readonly #writer = new FastCgiClientWriter();

  /** @param reader the connection's: it may still have to skip padding of the answer before */
  constructor(request: FastCgiRequest, keepConn: boolean, reader: FastCgiClientReader = new FastCgiClientReader()) {
    this.#request = request;
    this.#keepConn = keepConn;
    this.#reader = reader;
    const stdin = this.#part(request.body, "stdin", "stdinEnd");
    this.parts = request.data === undefined ? [stdin] : [stdin, this.#part(request.data, "data", "dataEnd")];
  }

  head(): Uint8Array[] {
    const { role = FCGI_RESPONDER, params } = this.#request;
    this.#writer.send({ type: "beginRequest", requestId: REQUEST_ID, role, keepConn: this.#keepConn });
    this.#writer.send({ type: "params", requestId: REQUEST_ID, pairs: params });
    this.#writer.send({ type: "paramsEnd", requestId: REQUEST_ID });
    return this.#writer.take();
  }

  receive(chunk: Uint8Array, answer: AnswerBuilder): boolean {
    let wanted = true;
    this.#reader.receive(chunk);
    for (let event = this.#reader.nextEvent(); event !== null; event = this.#reader.nextEvent()) {
      if ("requestId" in event && (event.requestId !== REQUEST_ID || this.ending !== null)) {
        throw new ProtocolError("FCGI_BAD_RECORD", `${event.type} for request ${event.requestId}, which is not open`);
      }
      switch (event.type) {
        case "stdout":
          wanted = answer.stdout(event.content);
          break;
        case "stderr":
          answer.stderr(event.content);
          break;
        case "endRequest": {
          const { appStatus, protocolStatus } = event;
          const refusal = REFUSALS[protocolStatus];
          if (refusal !== undefined && !answer.begun) {
            throw new ProtocolError("CGI_BAD_RESPONSE", `the request was refused with ${refusal}`);
          }
          this.ending = { appStatus, protocolStatus };
          break;
        }
        case "stdoutEnd":
        case "stderrEnd":
        case "getValuesResult":
        case "unknownType":
          break;
      }
    }
    return wanted;
  }

  end(): void {
    throw new ProtocolError("FCGI_TRUNCATED", "the connection ended before FCGI_END_REQUEST");
  }

  #part(body: RequestPart["body"], chunk: "stdin" | "data", end: "stdinEnd" | "dataEnd"): RequestPart {
    return {
      body,
      chunk: (content) => {
        // An empty record would end the stream.
        if (content.byteLength > 0) this.#writer.send({ type: chunk, requestId: REQUEST_ID, content });
        return this.#writer.take();
      },
      end: () => {
        this.#writer.send({ type: end, requestId: REQUEST_ID });
        return this.#writer.take();
      },
    };
  }
}
