/**
 * A listening socket that is held open and never accepted from, for gateway processes to inherit.
 *
 * It belongs to the supervisor, so that it outlives every gateway process, and while none is there connections wait in
 * its backlog instead of being refused. A listening `net.Server` would accept them as soon as its event loop turns; so
 * the socket is bound in a thread of its own, whose loop never turns again: it sleeps in `Atomics.wait`. A descriptor's
 * number holds for the whole process, and this process passes it on as it starts gateway processes.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { type CarriedError, reviveError } from "../carried-error.ts";
import { type ListenAddress, describeAddress } from "../gateway/listen-address.ts";
import type { Logger } from "../log.ts";

/** What the keeper thread is started with. */
export interface KeeperData {
  readonly address: ListenAddress;
  readonly backlog: number;
  /** KEEPING, RELEASED, CLOSED. */
  readonly state: Int32Array;
}

export type KeeperMessage =
  | { readonly type: "bound"; readonly fd: number; readonly where: string }
  | { readonly type: "failed"; readonly error: CarriedError }
  | { readonly type: "log"; readonly level: keyof Logger; readonly message: string };

export const KEEPING = 0;
const RELEASED = 1;
export const CLOSED = 2;

/** Milliseconds that the keeper may take to close, which is two system calls. */
const CLOSE_TIME = 1000;

export class HeldListener {
  /** The descriptor's number in this process. */
  readonly fd: number;
  /** For people: the path, `127.0.0.1:6500`, or `descriptor 3 (web)`. */
  readonly where: string;
  readonly #state: Int32Array | null;
  readonly #atExit = (): void => this.close();

  private constructor(fd: number, where: string, state: Int32Array | null) {
    this.fd = fd;
    this.where = where;
    this.#state = state;
    if (state !== null) process.once("exit", this.#atExit);
  }

  /**
   * Binds `address` and holds it. A descriptor that was inherited is held already and is passed on as it is.
   *
   * @throws ListenError, or the error of Node (EADDRINUSE, EACCES)
   */
  static async hold(address: ListenAddress, backlog: number, log: Logger): Promise<HeldListener> {
    if ("fd" in address) return new HeldListener(address.fd, describeAddress(null, address), null);
    const state = new Int32Array(new SharedArrayBuffer(4));
    const data: KeeperData = { address, backlog, state };
    const thread = new Worker(new URL("./keeper-main.js", import.meta.url), {
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    for (;;) {
      const [message] = (await once(thread, "message")) as [KeeperMessage];
      switch (message.type) {
        case "bound":
          thread.unref();
          return new HeldListener(message.fd, message.where, state);
        case "failed":
          throw reviveError(message.error);
        case "log":
          log[message.level](message.message);
      }
    }
  }

  get closed(): boolean {
    return this.#state !== null && Atomics.load(this.#state, 0) !== KEEPING;
  }

  /**
   * Closes the socket and removes its path if that is still ours, before it returns: there may be no later. Connections
   * that nobody has accepted are reset. A socket that gateway processes have inherited lives on in them.
   */
  close(): void {
    const state = this.#state;
    if (state === null || Atomics.compareExchange(state, 0, KEEPING, RELEASED) !== KEEPING) return;
    process.off("exit", this.#atExit);
    Atomics.notify(state, 0);
    Atomics.wait(state, 0, RELEASED, CLOSE_TIME);
  }
}
