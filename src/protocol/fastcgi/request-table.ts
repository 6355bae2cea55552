/** The requests of one connection by their id: which are open, and how much of unfinished heads is held. */
import type { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import type { Params } from "../params.ts";
import { type HeadLimits, IncomingRequest } from "./incoming-request.ts";

export interface RequestTableLimits extends HeadLimits {
  /** Requests open at once; more ends the connection. */
  readonly maxIdsPerConnection: number;
  /** Bytes of PARAMS of all requests whose head is unfinished; more ends the connection. */
  readonly maxHeadersTotalConnection: number;
}

/** Ids that are remembered for each one that may be open. */
const REMEMBERED = 4;

export class RequestTable {
  readonly #limits: RequestTableLimits;
  /** Open requests, and closed ones: by them a record that comes late is told from one that never had its place. */
  readonly #byId = new Map<number, IncomingRequest>();
  /** What was found last: mostly it is asked for again, even by the next request, which has the same id. */
  #last: IncomingRequest | undefined;

  /** Requests that have begun and are not forgotten. */
  open = 0;
  /** Bytes held of unfinished heads. */
  headBytes = 0;

  constructor(limits: RequestTableLimits) {
    this.#limits = limits;
  }

  find(id: number): IncomingRequest | undefined {
    if (this.#last?.id !== id) this.#last = this.#byId.get(id);
    return this.#last;
  }

  /** @throws ProtocolError FCGI_REQUEST_ID_IN_USE, FCGI_TOO_MANY_REQUESTS. */
  begin(id: number, role: number): void {
    const { maxIdsPerConnection } = this.#limits;
    let request = this.find(id);
    if (request?.open === true) {
      throw new ProtocolError("FCGI_REQUEST_ID_IN_USE", `BEGIN_REQUEST for request id ${id}, which is open`);
    }
    if (this.open >= maxIdsPerConnection) {
      throw new ProtocolError("FCGI_TOO_MANY_REQUESTS", `more than ${maxIdsPerConnection} requests open at once`);
    }
    if (request === undefined) {
      if (this.#byId.size >= REMEMBERED * maxIdsPerConnection) this.#dropOldest();
      request = new IncomingRequest(id);
      this.#byId.set(id, request);
      this.#last = request;
    }
    request.begin(role);
    this.open++;
  }

  /**
   * Takes some PARAMS; `whole`: they are a record of their own.
   *
   * @throws ProtocolError FCGI_PARAMS_TOO_LARGE, FCGI_TOO_MANY_PARAMS, which concern this request alone;
   *   FCGI_HEADS_TOO_LARGE.
   */
  addToHead(request: IncomingRequest, chunk: Buffer, from: number, to: number, whole: boolean): void {
    const { maxHeadersTotalConnection } = this.#limits;
    this.headBytes += to - from;
    request.addToHead(chunk, from, to, whole, this.#limits);
    if (this.headBytes > maxHeadersTotalConnection) {
      const message = `more than ${maxHeadersTotalConnection} bytes of unfinished heads`;
      throw new ProtocolError("FCGI_HEADS_TOO_LARGE", message);
    }
  }

  /** @throws ProtocolError FCGI_BAD_PARAMS. */
  finishHead(request: IncomingRequest): Params {
    this.headBytes -= request.headLength;
    return request.finishHead(this.#limits);
  }

  /** What still comes of the request is of no use. */
  skipRest(request: IncomingRequest): void {
    this.headBytes -= request.headLength;
    request.skipped = true;
    request.dropHead();
  }

  forget(id: number): void {
    const request = this.find(id);
    if (request === undefined || !request.open) return;
    request.open = false;
    this.open--;
    this.skipRest(request);
  }

  /** An open request of which more is to come. */
  incomplete(): IncomingRequest | undefined {
    for (const request of this.#byId.values()) if (!request.skipped && !request.complete) return request;
    return undefined;
  }

  #dropOldest(): void {
    for (const [id, request] of this.#byId) {
      if (request.open) continue;
      this.#byId.delete(id);
      return;
    }
  }
}
