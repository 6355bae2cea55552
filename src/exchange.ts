/**
 * The neutral vocabulary: one request and its answer, free of any protocol. Types only.
 *
 * A gateway binding makes a `RequestHead` and hands it to a `Dispatcher` with the end of the answer's line; it gets the
 * end of the request's line back. From then on each side only sends events, which are plain data: a thread boundary is
 * `postMessage(event)` and no second vocabulary.
 *
 *     web server -> binding -> Dispatcher.dispatch(head, responseSink) -> app
 *                   binding -> RequestSink.send(RequestEvent)          -> app
 *                   binding <- ResponseSink.send(ResponseEvent)        <- app
 *
 * Demand travels as credit. The sender of body bytes counts what it sent less what was credited, and holds back at its
 * window: the binding stops reading from the web server, the app's `res.write` returns false.
 *
 * An upgrade needs no events of its own. Where the head says `tunnel`, the app may answer 101: from then on the bodies of
 * both directions are the tunnel. The request's own body, which is empty, has had its `bodyEnd`; a second one is the end
 * of what the web server sends. The app's `end` ends it all.
 */
import type { AbortCode } from "./errors.ts";

/**
 * The name-value pairs that the web server sent. `block` holds them one character for each byte (latin1), `offsets` has
 * four numbers a pair (name start, name end, value start, value end), of which the first belongs to the pair at `base`.
 * Pair `i` of `count` therefore begins at `offsets[base + 4 * i]`. `offsets` may be shared with other requests.
 */
export interface Params {
  readonly block: string;
  readonly offsets: Uint32Array;
  readonly base: number;
  readonly count: number;
}

/** The role the web server asks for (FastCGI 1.0 section 6). SCGI and AJP know only the responder. */
export type Role = "responder" | "authorizer" | "filter";

/** Something for each role that has it. The responder's stands in for what is not there. */
export type ByRole<T> = { readonly responder: T } & { readonly [Name in Exclude<Role, "responder">]?: T | undefined };

export type ProtocolName = "fastcgi" | "scgi" | "ajp";

/** What is known when a request begins: all of its variables, none of its body. */
export interface RequestHead {
  /** Of this request in logs: no other one has it, whatever process or server. */
  readonly id: string;
  readonly protocol: ProtocolName;
  readonly role: Role;
  readonly params: Params;
  /** True where other requests share the connection right now or may do so. */
  readonly multiplexed: boolean;
  /** The request asks for an upgrade, and the web server can carry it. Default false. */
  readonly tunnel?: boolean;
}

/** From the web server to the app. */
export type RequestEvent =
  /** Body bytes (FCGI_STDIN). The receiver owns `chunk` and returns its length as credit once the app has taken it. */
  | { readonly type: "body"; readonly chunk: Uint8Array }
  /** The body is complete. */
  | { readonly type: "bodyEnd" }
  /** The filter role's file (FCGI_DATA), with the same rule of credit. */
  | { readonly type: "data"; readonly chunk: Uint8Array }
  | { readonly type: "dataEnd" }
  /** So many bytes of the answer's body have left for the web server. */
  | { readonly type: "credit"; readonly bytes: number }
  /** The exchange is over before its time; nothing follows, and nothing sent back is heard. */
  | { readonly type: "abort"; readonly code: AbortCode };

/** From the app to the web server. */
export type ResponseEvent =
  /**
   * A finished CGI header block in latin1, `Status` line first, blank line last (RFC 3875 6.2). The head, once; before it
   * any number of interim ones (1xx, but for a 101), where the web server passes them on.
   */
  | { readonly type: "head"; readonly status: number; readonly block: string }
  /** Body bytes. The sender does not touch `chunk` again. */
  | { readonly type: "body"; readonly chunk: Uint8Array }
  /** Text for the web server's error log, where the protocol has a way to carry it. */
  | { readonly type: "stderr"; readonly chunk: Uint8Array }
  /** The app has taken so many bytes of the request's body (and data). */
  | { readonly type: "credit"; readonly bytes: number }
  /** The answer is complete; nothing follows but credit for a body that is still read. `appStatus` is FastCGI's (section 5.5), 0 for success. */
  | { readonly type: "end"; readonly appStatus: number }
  /**
   * No answer, or none that can be completed, comes from the app. Before the head the gateway answers with `status` in
   * its own name (503 also says when to try again); after it the answer must not look complete. Nothing follows.
   */
  | { readonly type: "fail"; readonly status: FailStatus };

/** The app failed, nobody has room for the request, or its worker does not answer. */
export type FailStatus = 500 | 503 | 504;

/** The far end of the request's line. `send` never throws. */
export interface RequestSink {
  send(event: RequestEvent): void;
  /** Who has the exchange, where a mode has several workers; complete when the exchange is over. */
  readonly service?: Service | null;
}

/** A worker's id, and the milliseconds that the exchange waited for it. */
export interface Service {
  readonly worker: number;
  readonly waited: number;
}

/** An exchange that is over, for an access log. */
export interface ExchangeRecord {
  /** "" for a request that no app got to see. */
  readonly id: string;
  /** Null where the variables could not be read. */
  readonly params: Params | null;
  /** Of the answer; 499 where the web server left before there was one. */
  readonly status: number;
  /** Of the answer's body, as far as they have left. */
  readonly bytes: number;
  /** The answer did not come to its end, or not all of it has left. */
  readonly aborted: boolean;
  /** Milliseconds since 1970. */
  readonly begun: number;
  /** Milliseconds, with a fraction, until the last byte has left. */
  readonly duration: number;
  readonly service: Service | null;
}

/** The far end of the answer's line. `send` never throws, may be called before `dispatch` has returned. */
export interface ResponseSink {
  send(event: ResponseEvent): void;
}

/** A mode's face: takes exchanges to an app. `dispatch` never throws. */
export interface Dispatcher {
  dispatch(head: RequestHead, response: ResponseSink): RequestSink;
}
