/** Connections that are kept busy while something goes wrong beside them, and what they saw of it. */
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { Exchange } from "../../dist/client/exchange.js";
import { FastCgiFraming } from "../../dist/client/fastcgi-framing.js";
import { ajpRequest } from "../../dist/client/ajp-request.js";
import { scgiRequest } from "../../dist/client/scgi-request.js";
import { connect } from "../../dist/client/target.js";
import { FastCgiClientReader } from "../../dist/protocol/fastcgi/client-reader.js";
import { type Protocol, type Target, variables } from "./supervised.ts";

/** One request that was not answered 200 in full. */
export interface Failure {
  readonly at: number;
  /** The status, or the code of an error. */
  readonly what: number | string;
  /** Who had answered on this connection last: "pid thread". */
  readonly on: string;
}

export class BusyConnections {
  answered = 0;
  readonly failures: Failure[] = [];
  /** Kept connections that were closed on us, with an answer outstanding or without. */
  closed = 0;
  readonly #target: Target;
  readonly #paths: readonly string[];
  readonly #pause: number;
  readonly #loops: Promise<void>[] = [];
  #running = true;

  /**
   * FastCGI connections are kept for `perConnection` requests; SCGI has one for each. Each asks for `paths` in turn, and
   * rests for `pause` milliseconds between two: the machine has other things to do for a test.
   */
  constructor(
    target: Target,
    protocol: Protocol,
    { count = 16, paths = ["/wait?n=20"], perConnection = Number.POSITIVE_INFINITY, pause = 25 } = {},
  ) {
    this.#target = target;
    this.#pause = pause;
    this.#paths = paths;
    for (let i = 0; i < count; i++)
      this.#loops.push(protocol === "fastcgi" ? this.#kept(i, perConnection) : this.#single(i, protocol));
  }

  /** Lets the requests that are open end. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }

  #request(turn: number): { params: [string, string][]; headTimeout: number; body?: Uint8Array } {
    const path = this.#paths[turn % this.#paths.length]!;
    if (!path.startsWith("/upload")) return { params: variables(path), headTimeout: 30_000 };
    const body = Buffer.alloc(10_000, "u");
    return { params: variables(path, "POST", body.length), headTimeout: 30_000, body };
  }

  async #kept(first: number, perConnection: number): Promise<void> {
    let socket: Socket | null = null;
    let reader = new FastCgiClientReader();
    let on = "";
    let left = perConnection;
    for (let turn = first; this.#running; turn++) {
      let reusable = false;
      try {
        if (socket === null) {
          on = "";
          left = perConnection;
          socket = await connect(this.#target);
          reader = new FastCgiClientReader();
        }
        const request = this.#request(turn);
        const exchange = new Exchange(socket, new FastCgiFraming(request, true, reader), request, true, (kept) => {
          reusable = kept;
        });
        const answer = await exchange.answer;
        const body = await text(answer.body);
        await answer.ended;
        on = body.trim().slice(0, 40);
        this.#count(answer.status, body, on);
      } catch (error) {
        this.#fail(error, on);
      }
      if (!reusable) {
        if (this.#running) this.closed++;
        socket = null;
      } else if (--left === 0) {
        socket?.destroy();
        socket = null;
      }
      await sleep(this.#pause);
      if (socket?.destroyed === true || socket?.readableEnded === true) {
        if (this.#running) this.closed++;
        socket = null;
      }
    }
    socket?.destroy();
  }

  async #single(first: number, protocol: Protocol): Promise<void> {
    const send = protocol === "ajp" ? ajpRequest : scgiRequest;
    for (let turn = first; this.#running; turn++) {
      try {
        const answer = await send(this.#target, this.#request(turn));
        this.#count(answer.status, await text(answer.body), "");
      } catch (error) {
        this.#fail(error, "");
      }
      await sleep(this.#pause);
    }
  }

  #count(status: number, body: string, on: string): void {
    if (status === 200 && body !== "") this.answered++;
    else this.failures.push({ at: Date.now(), what: status, on });
  }

  #fail(error: unknown, on: string): void {
    this.failures.push({ at: Date.now(), what: String((error as { code?: string }).code ?? error), on });
  }
}
