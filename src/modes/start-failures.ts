/** Workers that could not be started: how many in a row, and why. */
import { steadyNow } from "../steady-clock.ts";

/** A worker that dies sooner after it was ready has failed to start. Milliseconds. */
export const EARLY_DEATH = 1000;

interface Started {
  readonly generation: number;
  readonly startedAt: number;
}

export class StartFailures {
  /** In a row; those that were started together count once. */
  count = 0;
  /** When the last one was noticed; milliseconds. */
  at = 0;
  /** Of these, how many belong to the generation that shall take over. */
  ofNext = 0;
  error: Error | null = null;

  add({ generation, startedAt }: Started, next: number | null, error: Error): void {
    this.error = error;
    if (startedAt > this.at) this.count++;
    if (generation === next) this.ofNext++;
    this.at = steadyNow();
  }

  /** Another generation shall take over, or none any more: what the one before has failed with says nothing. */
  nextChanged(): void {
    this.count = Math.max(0, this.count - this.ofNext);
    this.ofNext = 0;
  }

  /** A worker that has been ready for a while ends the row. */
  look(workers: Iterable<{ readonly state: string; readonly since: number }>, now: number): void {
    if (this.count === 0) return;
    for (const { state, since } of workers) {
      if (state === "ready" && since > this.at && now - since > EARLY_DEATH) this.count = 0;
    }
  }
}
