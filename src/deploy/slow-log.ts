/** The slow log of a gateway process: written to its file, and told to the supervisor. */
import type { Logger } from "../log.ts";
import type { LogFile } from "../logging/log-file.ts";
import type { RequestReport } from "../report.ts";
import { slowEntry } from "../stacks/slow-entry.ts";
import { logPath, openLog } from "./access-log.ts";
import type { GatewayPlan } from "./plan.ts";
import { steadyNow } from "../steady-clock.ts";

export class SlowLog {
  /** `stdout`, `stderr`, or an absolute path. */
  readonly path: string;
  readonly #file: LogFile;
  readonly #tell: (entry: string) => void;

  /**
   * @param tell - gets each entry
   * @throws ConfigError CONFIG_BAD_VALUE for a file that cannot be opened
   */
  constructor({ settings }: GatewayPlan, log: Logger, tell: (entry: string) => void) {
    this.path = logPath(settings.process.slowLog ?? "stderr");
    this.#file = openLog(this.path, "slow_log", log);
    this.#tell = tell;
  }

  write(entry: string): void {
    this.#file.write(entry);
    this.#tell(entry);
  }

  reopen(): void {
    this.#file.reopen();
  }

  close(): void {
    this.#file.close();
  }
}

/** Tells once of each request that takes longer than `timeout` although the event loop turns. */
export class SlowRequests {
  #told = new Set<string>();
  readonly #timeout: number;
  readonly #worker: number;
  readonly #log: SlowLog;

  constructor({ timeout, worker, log }: { timeout: number; worker: number; log: SlowLog }) {
    this.#timeout = timeout;
    this.#worker = worker;
    this.#log = log;
  }

  look(requests: readonly RequestReport[]): void {
    if (this.#timeout === 0) return;
    const slow = requests.filter(({ since }) => steadyNow() - since >= this.#timeout);
    for (const request of slow) {
      if (this.#told.has(request.id)) continue;
      const entry = { why: "slow", pid: process.pid, worker: this.#worker, requests: [request] } as const;
      this.#log.write(slowEntry({ ...entry, sample: { state: "idle" } }));
    }
    this.#told = new Set(slow.map(({ id }) => id));
  }
}
