/** Where a server's status is served, opened and moved as its configuration says. */
import type { ListenAddress } from "../gateway/listen-address.ts";
import type { Logger } from "../log.ts";
import type { StatusReport } from "../report.ts";
import { StatusServer } from "../status/server.ts";
import type { GatewayPlan } from "./plan.ts";
import { statusAddress, statusListen } from "./status-address.ts";

export interface StatusDoorsOptions {
  readonly report: () => StatusReport;
  readonly expectProbe: (token: string) => void;
  /** The configuration file. */
  readonly file: string | null;
  readonly log: Logger;
}

export class StatusDoors {
  readonly #options: StatusDoorsOptions;
  /** By their address as JSON. */
  #open = new Map<string, StatusServer>();
  #closed = false;
  /** One change follows the other. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: StatusDoorsOptions) {
    this.#options = options;
  }

  /**
   * Opens those of `plan` and closes the others. One that cannot be opened is a warning: the server serves without it.
   *
   * @throws ConfigError CONFIG_BAD_VALUE, before anything is opened
   */
  async follow(plan: GatewayPlan): Promise<void> {
    const wanted = [statusAddress(plan, this.#options.file), statusListen(plan)].filter((each) => each !== null);
    this.#last = this.#last.then(async () => await this.#change(wanted));
    await this.#last;
  }

  close(): void {
    this.#closed = true;
    for (const server of this.#open.values()) server.close();
  }

  async #change(wanted: readonly ListenAddress[]): Promise<void> {
    if (this.#closed) return;
    const before = this.#open;
    this.#open = new Map();
    for (const address of wanted) {
      const key = JSON.stringify(address);
      const open = before.get(key);
      before.delete(key);
      if (open !== undefined) this.#open.set(key, open);
      else await this.#listen(key, address);
    }
    for (const server of before.values()) server.close();
  }

  async #listen(key: string, address: ListenAddress): Promise<void> {
    const { report, expectProbe, log } = this.#options;
    const server = new StatusServer({ report, expectProbe, log });
    try {
      await server.listen(address);
    } catch (error) {
      server.close();
      log.warn(`no status: ${(error as Error).message}`);
      return;
    }
    if (this.#closed) server.close();
    else this.#open.set(key, server);
  }
}
