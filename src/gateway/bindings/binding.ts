/** What a connection, its binding and its exchanges know of one another. Types only. */
import type { AbortCode } from "../../errors.ts";
import type { Dispatcher, ExchangeRecord, Role } from "../../exchange.ts";
import type { Logger } from "../../log.ts";
import type { RequestReport } from "../../report.ts";
import type { Counters } from "../counters.ts";
import type { Deadlines } from "../deadlines.ts";
import type { GatewayOptions } from "../options.ts";
import type { RequestIds } from "../request-ids.ts";

/** What all connections of a gateway share. */
export interface Setting {
  readonly dispatcher: Dispatcher;
  readonly options: GatewayOptions;
  readonly counters: Counters;
  readonly clock: Deadlines;
  readonly requestIds: RequestIds;
  readonly log: Logger;
  /** Hears of every exchange that is over; null costs nothing. */
  readonly accessLog: ((record: ExchangeRecord) => void) | null;
  /** Whether anybody answers requests of this role. */
  readonly serves: (role: Role) => boolean;
  /** What FCGI_GET_VALUES is answered, by name. */
  readonly values: Readonly<Record<string, string>>;
  /** The gateway closes: connections end with the requests that they have begun. */
  readonly draining: boolean;
  /** Another process takes the new connections: those that are kept are served until they are idle. */
  readonly retiring: boolean;
}

/** A connection as its binding sees it. */
export interface Wire {
  readonly setting: Setting;
  /** One connection too many: its requests are answered 503. */
  readonly overloaded: boolean;
  /** Nothing is being read, so that nobody can be blamed for not sending. */
  readonly paused: boolean;
  /** There is output to be taken. It leaves together with all that is made in the same tick. */
  touch(): void;
  /** Stops reading until as many calls of `release` have come. */
  hold(): void;
  release(): void;
  /** Wants to hear when the bytes that it has made have left. */
  owe(exchange: Creditor): void;
  /** Closes once all output has left. `consumed` says that nothing unread is left which a close would answer by a reset. */
  close(consumed: boolean): void;
  /** Ends the connection so that the answer on it cannot look complete: on a Unix socket with `farewell`, where given. */
  breakOff(farewell: Uint8Array | null): void;
  /** The peer broke the protocol (ProtocolError), or we have a bug: logs, counts and closes. */
  fault(error: Error): void;
}

/** Someone who waits for bytes to leave. The connection links those that wait into a list. */
export interface Creditor {
  nextOwed: Creditor | null;
  /** What was made so far has been handed to the socket. */
  handedOver(): void;
  /** What was handed over has left; `all` says that nothing waits. True if more is to be told later. */
  left(all: boolean): boolean;
  /** The connection is gone. */
  abandon(code: AbortCode): void;
}

/** Protocol events to exchange events, and back, for one connection. Never throws. */
export interface Binding {
  /** A request is open, or its end has not been written yet. */
  readonly busy: boolean;
  /** An open request has not been read to its end. */
  readonly awaitsInput: boolean;
  /** Requests whose end was written. */
  readonly served: number;
  /** Received bytes of what is not a whole record or head yet. */
  readonly buffered: number;
  /** Bytes of output that were not taken yet. */
  readonly pending: number;
  /** Of the open requests those that an app has or will get; at most one unless they are multiplexed. */
  readonly requests: readonly RequestReport[];
  receive(chunk: Uint8Array): void;
  take(): Uint8Array[];
  sweep(now: number): void;
  /** The peer has ended its sending side, which is how lighttpd ends its part of a tunnel. False where there is none. */
  endTunnel(): boolean;
  /** The gateway closes: the connection ends with the requests that are open. */
  drain(): void;
  /** The connection is gone. */
  abandon(code: AbortCode): void;
}
