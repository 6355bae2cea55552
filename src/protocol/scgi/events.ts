/** What an SCGI request says, as plain data. */
import type { ProtocolError } from "../../errors.ts";
import type { Params } from "../params.ts";

export type ScgiRequestEvent =
  | { readonly type: "headers"; readonly params: Params; readonly contentLength: number }
  /** As it arrives: a view on the received chunk. */
  | { readonly type: "body"; readonly content: Uint8Array }
  | { readonly type: "bodyEnd" }
  /** Bytes after the body, which SCGI has none of. */
  | { readonly type: "extraData"; readonly bytes: number }
  /** The headers are whole, but over a limit: answer and close. */
  | { readonly type: "requestError"; readonly error: ProtocolError };
