/** What has become of reloads. */
import type { StatusReport } from "../report.ts";
import { steadyNow } from "../steady-clock.ts";

export class ReloadHistory {
  count = 0;
  failures = 0;
  last: StatusReport["reload"]["last"] = null;

  succeeded(begun: number): void {
    this.count++;
    this.#ended(begun, null);
  }

  failed(begun: number, error: unknown): void {
    this.count++;
    this.failures++;
    this.#ended(begun, error instanceof Error ? error.message : String(error));
  }

  get report(): StatusReport["reload"] {
    return { count: this.count, failed: this.failures, last: this.last };
  }

  #ended(begun: number, error: string | null): void {
    const at = steadyNow();
    this.last = { at, milliseconds: at - begun, error };
  }
}
