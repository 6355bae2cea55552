/** What a client is asked to send, in the words of all protocols. */
import type { AnswerHead } from "./answer.ts";
import type { ConnectOptions } from "./target.ts";

/** A body in one piece, or as it comes. */
export type Body = Uint8Array | AsyncIterable<Uint8Array>;

export interface ClientTimeouts {
  /**
   * Milliseconds until the answer's head, counted anew with every piece of the body that leaves; 0 = no limit.
   * Default 60,000. The error has the code ETIMEDOUT.
   */
  readonly headTimeout?: number | undefined;
  /** Milliseconds that the answer's body may pause, while somebody reads it; 0 (the default) = no limit. */
  readonly bodyTimeout?: number | undefined;
}

export interface ClientRequest extends ConnectOptions, ClientTimeouts {
  /** The variables in their order, one character for each byte (latin1). Nothing is added but what the protocol needs. */
  readonly params: readonly (readonly [name: string, value: string])[];
  /** Default: none. The iterator is returned early when the answer does not wait for it. */
  readonly body?: Body | undefined;
  /** Hears of heads of 1xx that come before the answer. What it throws ends the request. Default: nobody does. */
  readonly informed?: ((head: AnswerHead) => void) | undefined;
  /** Ends request and answer at any time by closing the connection. */
  readonly signal?: AbortSignal | undefined;
}

export interface FastCgiRequest extends ClientRequest {
  /** FCGI_RESPONDER (the default), FCGI_AUTHORIZER or FCGI_FILTER. */
  readonly role?: number | undefined;
  /** The filter's file, sent after the body (FCGI_DATA). */
  readonly data?: Body | undefined;
}

/** A body as an iterator, whichever form it has. */
export function iterate(body: Body | undefined): AsyncIterator<Uint8Array> | undefined {
  if (body === undefined) return undefined;
  return body instanceof Uint8Array ? once(body) : body[Symbol.asyncIterator]();
}

// oxlint-disable-next-line require-await -- an async generator, so that both forms of a body are one
async function* once(body: Uint8Array): AsyncGenerator<Uint8Array, undefined> {
  yield body;
}
