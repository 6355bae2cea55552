/** The text of an entry in the slow log. */
import { escapeControls, escapeLine } from "../log.ts";
import type { RequestReport } from "../report.ts";
import { steadyNow } from "../steady-clock.ts";

/** What a thread was doing when it was looked at. */
export type StackSample =
  | { readonly state: "running"; readonly frames: string }
  /** Its event loop waits. */
  | { readonly state: "idle" }
  /** It does not stop at a word of JavaScript. */
  | { readonly state: "uninterruptible" };

export interface SlowEntry {
  /** A request is older than `slowlog_timeout`, the event loop has not turned for too long, or somebody has asked. */
  readonly why: "slow" | "stalled" | "asked";
  readonly pid: number;
  /** The worker thread or the gateway process, by its number in the status. */
  readonly worker: number;
  /** Those that are meant; for a stalled thread all that it has. */
  readonly requests: readonly RequestReport[];
  readonly sample: StackSample;
}

/** Several lines: the first says what and where, then the requests, then the stack, innermost frame first. */
export function slowEntry({ why, pid, worker, requests, sample }: SlowEntry): string {
  const now = steadyNow();
  const lines = [`${new Date().toISOString()} ${why}: worker ${worker} of process ${pid}`];
  for (const { id, method, url, since } of requests) {
    lines.push(`  [${id}] ${escapeLine(`${method} ${url}`)}, for ${((now - since) / 1000).toFixed(1)} s`);
  }
  switch (sample.state) {
    case "running":
      lines.push(escapeControls(sample.frames));
      break;
    case "idle":
      lines.push("  its thread is idle: what is waited for is not JavaScript");
      break;
    case "uninterruptible":
      lines.push("  its thread is in a call that cannot be interrupted, such as execSync");
  }
  return `${lines.join("\n")}\n`;
}
