/** What AJP13 packets say, as plain data: the words between a codec and whoever drives it. */
import type { ProtocolError } from "../../errors.ts";

/** The head of a request (ajpv13a, "Request Packet Structure"). Text is latin1. */
export interface AjpForwardRequest {
  readonly method: string;
  readonly protocol: string;
  /** The path alone: mod_proxy_ajp encodes it, lighttpd decodes it. The query is an attribute. */
  readonly reqUri: string;
  readonly remoteAddr: string;
  readonly remoteHost: string | null;
  readonly serverName: string;
  readonly serverPort: number;
  readonly isSsl: boolean;
  /** In their order; names that came as codes are in small letters. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** By SC_A_…, but for the stored method, the secret and the named ones. An integer is in digits. */
  readonly attributes: ReadonlyMap<number, string>;
  /** The named ones (SC_A_REQ_ATTRIBUTE), in their order. */
  readonly reqAttributes: readonly (readonly [name: string, value: string])[];
  readonly secret: string | null;
  /** Bytes of the body; null where only its end tells, and nothing comes unasked. */
  readonly contentLength: number | null;
}

/** From the web server. */
export type AjpRequestEvent =
  | { readonly type: "forwardRequest"; readonly request: AjpForwardRequest }
  /** Of the body, as it arrives: a view on the received chunk. */
  | { readonly type: "body"; readonly content: Uint8Array }
  | { readonly type: "bodyEnd" }
  | { readonly type: "cping" }
  /** Obsolete, and answered by nothing: SHUTDOWN, which anybody could send, and PING. */
  | { readonly type: "ignored"; readonly what: string }
  /** The request is whole, but over a limit: answer and close. */
  | { readonly type: "requestError"; readonly error: ProtocolError };

/** To the web server. Text is latin1. */
export type AjpResponseEvent =
  | AjpSendHeaders
  | { readonly type: "sendBodyChunk"; readonly content: Uint8Array }
  | { readonly type: "endResponse"; readonly reuse: boolean }
  | { readonly type: "getBodyChunk"; readonly requested: number }
  | { readonly type: "cpong" };

export interface AjpSendHeaders {
  readonly type: "sendHeaders";
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** From the client. */
export type AjpClientRequest =
  | { readonly type: "forwardRequest"; readonly request: Omit<AjpForwardRequest, "contentLength"> }
  /** One packet; empty content ends a body of unknown length. */
  | { readonly type: "body"; readonly content: Uint8Array }
  | { readonly type: "cping" };

/** To the client: content as it arrives, may be part of a packet. */
export type AjpClientEvent = AjpResponseEvent;
