/** The client's half of FastCGI: what a web server sends, and what it hears, as plain data. */
import type { FastCgiAnswerEvent } from "./events.ts";

/** From the client. Text is latin1. */
export type FastCgiClientRequest =
  | { readonly type: "beginRequest"; readonly requestId: number; readonly role: number; readonly keepConn: boolean }
  | { readonly type: "params"; readonly requestId: number; readonly pairs: readonly (readonly [string, string])[] }
  | { readonly type: "paramsEnd"; readonly requestId: number }
  | { readonly type: "stdin"; readonly requestId: number; readonly content: Uint8Array }
  | { readonly type: "stdinEnd"; readonly requestId: number }
  | { readonly type: "data"; readonly requestId: number; readonly content: Uint8Array }
  | { readonly type: "dataEnd"; readonly requestId: number }
  | { readonly type: "abortRequest"; readonly requestId: number }
  | { readonly type: "getValues"; readonly names: readonly string[] };

/** To the client. */
export type FastCgiClientEvent =
  | { readonly type: "stdout"; readonly requestId: number; readonly content: Uint8Array }
  | { readonly type: "stderr"; readonly requestId: number; readonly content: Uint8Array }
  | FastCgiAnswerEvent;
