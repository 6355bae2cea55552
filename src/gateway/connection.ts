/** One socket and one binding: bytes in, bytes out, back-pressure, timeouts. */
import { Socket } from "node:net";
import type { AbortCode } from "../errors.ts";
import type { RequestReport } from "../report.ts";
import type { Binding, Creditor, Setting, Wire } from "./bindings/binding.ts";
import { NEVER, type Timed } from "./deadlines.ts";
import { Outflow, type OutflowOwner } from "./outflow.ts";

/** What a gateway lends to its connections. */
export interface ConnectionOwner {
  readonly setting: Setting;
  bind(wire: Wire): Binding;
  /** The connection is gone. */
  forget(connection: Connection): void;
  clientError(error: Error, socket: Socket): void;
}

/** What the connection waits for while no request is open. */
type Waiting = "firstByte" | "head" | "request" | "peerToClose";

const CONNECTION = Symbol("connection");

const { push } = Socket.prototype;

interface ConnectedSocket extends Socket {
  [CONNECTION]: Connection;
}

export class Connection implements Wire, Timed, OutflowOwner {
  readonly setting: Setting;
  readonly overloaded: boolean;
  readonly socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #binding: Binding;
  readonly #outflow: Outflow;
  #waiting: Waiting = "firstByte";
  #deadline: number;
  /** Inside the loop over a received chunk: its output leaves at the end of it. */
  #reading = false;
  #gone = false;
  /** The peer has ended its sending side. */
  #ended = false;
  /** All that is left to do is to close: at once when the output has left, or after waiting for the peer to. */
  #closing: "no" | "now" | "afterPeer" = "no";
  #holds = 0;
  /** Requests served when the head that is waited for began. */
  #servedBefore = 0;
  /** Bytes read, and not looked at, after our end of the connection. */
  #drained = 0;

  constructor(owner: ConnectionOwner, socket: Socket, overloaded: boolean) {
    this.setting = owner.setting;
    this.overloaded = overloaded;
    this.socket = socket;
    this.#owner = owner;
    this.#binding = owner.bind(this);
    this.#outflow = new Outflow(this, socket, this.#binding);
    this.#deadline = this.setting.clock.in(this.setting.options.firstByteTimeout);
    if (this.setting.draining) this.drain();
    (socket as ConnectedSocket)[CONNECTION] = this;
    socket.push = onPush;
    socket.on("data", onData);
    socket.on("end", onEnd);
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  /** No request is open on it. */
  get idle(): boolean {
    return !this.#binding.busy && this.#closing === "no" && this.#waiting !== "head";
  }

  // For the gateway.

  /** Closes after the open requests, or after the next one. */
  endWithAnswer(): void {
    this.#binding.drain();
  }

  /** Lets the open requests finish and closes then. Where there are none one may be on its way, which is the last. */
  drain(): void {
    this.#binding.drain();
    this.retire();
  }

  /** Goes on as long as requests come. */
  retire(): void {
    if (this.idle && (this.#waiting === "request" || this.#waiting === "firstByte")) {
      this.#waiting = "request";
      this.#deadline = this.setting.clock.in(this.setting.options.retireIdle);
    }
  }

  get requests(): readonly RequestReport[] {
    return this.#binding.requests;
  }

  /** Ends our side and waits for the peer's end, so that nothing that is under way is answered by a reset. */
  shut(): void {
    this.close(false);
    this.#outflow.flush();
  }

  /** Ends the connection with all that is open on it. */
  destroy(code: AbortCode): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#deadline = NEVER;
    this.#binding.abandon(code);
    this.#outflow.close(code);
    this.socket.destroy();
    this.#owner.forget(this);
  }

  sweep(now: number): void {
    const { counters } = this.setting;
    if (now >= this.#outflow.stallDeadline) {
      counters.writeStalls++;
      return this.destroy("WRITE_STALLED");
    }
    this.#binding.sweep(now);
    if (now < this.#deadline || this.#gone || this.#outflow.busy) return;
    this.#deadline = NEVER;
    switch (this.#waiting) {
      case "firstByte":
        counters.firstByteTimeouts++;
        return this.destroy("CONNECTION_LOST");
      case "head":
        counters.headerTimeouts++;
        return this.destroy("CONNECTION_LOST");
      case "request":
        counters.keepaliveTimeouts++;
        return this.shut();
      case "peerToClose":
        return this.destroy("CONNECTION_LOST");
    }
  }

  // For the binding: Wire.

  get paused(): boolean {
    return this.#holds > 0;
  }

  touch(): void {
    if (!this.#reading) this.#outflow.schedule();
  }

  hold(): void {
    if (this.#holds++ === 0 && this.#waiting !== "peerToClose") this.socket.pause();
  }

  release(): void {
    if (--this.#holds === 0 && !this.#gone) this.socket.resume();
  }

  owe(exchange: Creditor): void {
    this.#outflow.owe(exchange);
  }

  close(consumed: boolean): void {
    if (this.#closing === "afterPeer") return;
    this.#closing = consumed ? "now" : "afterPeer";
    this.touch();
  }

  breakOff(farewell: Uint8Array | null): void {
    // Only a TCP socket has a port of its own, and only there a reset exists.
    if (farewell !== null && this.socket.localPort === undefined) {
      this.#outflow.farewell = farewell;
      this.close(true);
    } else {
      if (this.socket.localPort !== undefined) this.socket.resetAndDestroy();
      this.destroy("CONNECTION_LOST");
    }
  }

  fault(error: Error): void {
    const { counters, log } = this.setting;
    counters.protocolErrors++;
    log.warn(`closed the connection from ${this.socket.remoteAddress ?? "a Unix socket"}: ${error.message}`);
    try {
      this.#owner.clientError(error, this.socket);
    } finally {
      this.destroy("CONNECTION_LOST");
    }
  }

  // For the socket.

  receive(chunk: Uint8Array): void {
    if (this.#waiting === "peerToClose") {
      this.#drained += chunk.length;
      if (this.#drained > this.setting.options.drainAfterResponseBytes) this.destroy("CONNECTION_LOST");
      return;
    }
    this.#reading = true;
    this.#binding.receive(chunk);
    this.#reading = false;
    this.#outflow.flushRead();
  }

  /** The peer has ended its sending side. To us that looks the same whether it has left or only has no more to say. */
  end(): void {
    this.#ended = true;
    const binding = this.#binding;
    if (this.#waiting !== "peerToClose" && binding.endTunnel()) return;
    const stays = binding.busy && !binding.awaitsInput && this.setting.options.halfClose;
    if (this.#waiting === "peerToClose" || (binding.busy && !stays)) return this.destroy("CONNECTION_LOST");
    if (binding.busy) return;
    this.#closing = "now";
    this.#outflow.flush();
  }

  /** All output has left: closes, or waits for whatever comes next. */
  rest(): void {
    const { clock, options, draining, retiring } = this.setting;
    if (this.#binding.busy) {
      this.#waiting = "request";
      this.#deadline = NEVER;
    } else if (this.#closing === "now" || this.#ended) {
      this.destroy("CONNECTION_LOST");
    } else if (this.#closing === "afterPeer") {
      if (this.#waiting === "peerToClose") return;
      this.#waiting = "peerToClose";
      this.#deadline = clock.in(options.drainAfterResponseTime);
      this.socket.end();
      if (this.#holds > 0) this.socket.resume();
    } else if (this.#binding.buffered > 0) {
      if (this.#waiting === "head" && this.#servedBefore === this.#binding.served) return;
      this.#waiting = "head";
      this.#servedBefore = this.#binding.served;
      this.#deadline = clock.in(options.headerTimeout);
    } else {
      this.#waiting = "request";
      this.#deadline = clock.in(draining || retiring ? options.retireIdle : options.keepaliveTimeout);
    }
  }
}

// Shared by all sockets: a connection that lasts for one request should not cost four closures.

/**
 * What a socket has read it pushes, and what it pushes the connection gets at once while nothing waits before it and
 * nobody else listens: the way through the stream's own queue and a 'data' event costs a microsecond.
 */
function onPush(this: Socket, chunk: unknown, encoding?: BufferEncoding): boolean {
  const direct = this.readableFlowing === true && this.readableLength === 0 && this.listenerCount("data") === 1;
  if (chunk === null || !direct) return push.call(this, chunk, encoding);
  (this as ConnectedSocket)[CONNECTION].receive(chunk as Uint8Array);
  return true;
}

function onData(this: Socket, chunk: Uint8Array): void {
  (this as ConnectedSocket)[CONNECTION].receive(chunk);
}

function onEnd(this: Socket): void {
  (this as ConnectedSocket)[CONNECTION].end();
}

/** A peer that leaves is no fault of ours: 'close' follows. */
function onError(): void {}

function onClose(this: Socket): void {
  (this as ConnectedSocket)[CONNECTION].destroy("CONNECTION_LOST");
}
