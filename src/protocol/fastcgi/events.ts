/** What FastCGI records say, as plain data: the words between a codec and whoever drives it. */
import type { ProtocolError } from "../../errors.ts";
import type { Params } from "../params.ts";

/** From the web server (sections 5 and 6). */
export type FastCgiRequestEvent =
  | { readonly type: "beginRequest"; readonly requestId: number; readonly role: number; readonly keepConn: boolean }
  /** All of them, once the stream has ended. */
  | { readonly type: "params"; readonly requestId: number; readonly params: Params }
  /** As it arrives, may be part of a record: a view on the received chunk. */
  | { readonly type: "stdin"; readonly requestId: number; readonly content: Uint8Array }
  | { readonly type: "stdinEnd"; readonly requestId: number }
  | { readonly type: "data"; readonly requestId: number; readonly content: Uint8Array }
  | { readonly type: "dataEnd"; readonly requestId: number }
  | { readonly type: "abortRequest"; readonly requestId: number }
  | { readonly type: "getValues"; readonly names: readonly string[] }
  /** A management record of a type we do not know: FCGI_UNKNOWN_TYPE is the answer (section 4.2). */
  | { readonly type: "unknownType"; readonly recordType: number }
  /** This request cannot be served; the rest of its records is skipped, the connection is sound. */
  | { readonly type: "requestError"; readonly requestId: number; readonly error: ProtocolError }
  /** A record that was ignored. */
  | { readonly type: "badRecord"; readonly reason: string };

/** What both ends say alike of an answer, to the web server and at it. */
export type FastCgiAnswerEvent =
  | { readonly type: "stdoutEnd"; readonly requestId: number }
  | { readonly type: "stderrEnd"; readonly requestId: number }
  | {
      readonly type: "endRequest";
      readonly requestId: number;
      readonly appStatus: number;
      readonly protocolStatus: number;
    }
  | { readonly type: "getValuesResult"; readonly values: readonly (readonly [string, string])[] }
  | { readonly type: "unknownType"; readonly recordType: number };

/** To the web server. Text is latin1. */
export type FastCgiResponseEvent =
  | { readonly type: "stdout"; readonly requestId: number; readonly content: Uint8Array | string }
  | { readonly type: "stderr"; readonly requestId: number; readonly content: Uint8Array | string }
  | FastCgiAnswerEvent;
