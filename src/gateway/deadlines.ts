/** The gateway's one clock, coarse so that setting a deadline costs an addition and no timer. */

import { steadyNow } from "../steady-clock.ts";

/** Whatever has deadlines: looked at once a tick. It may remove itself meanwhile. */
export interface Timed {
  sweep(now: number): void;
}

/** Later than any deadline. A small integer, which V8 keeps in an object without allocating. */
export const NEVER = 0x3fff_ffff;

const LONGEST_TICK = 250;
const SHORTEST_TICK = 10;

/**
 * Counts ticks in which the event loop ran, and not time: when an app has blocked the loop for a minute, that is one
 * tick, and no peer is to blame for having been silent meanwhile. So a busy loop makes timeouts longer, never shorter.
 */
export class Deadlines {
  /** Ticks since the clock first ran; it stands still while nothing is timed. */
  now = 0;
  /** When it last ticked, by `steadyNow`: the time of day at the price of reading a field, late by at most a tick. */
  tickedAt: number = steadyNow();
  /** Milliseconds. */
  readonly tick: number;
  readonly #timed: ReadonlySet<Timed>;
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param timed looked at on each tick.
   * @param shortest the shortest timeout that will be asked for, in milliseconds.
   */
  constructor(timed: ReadonlySet<Timed>, shortest: number) {
    this.#timed = timed;
    this.tick = Math.max(SHORTEST_TICK, Math.min(LONGEST_TICK, Math.floor(shortest / 4)));
  }

  /** The deadline of a timeout that begins now: never early, and late by two ticks if the loop is not busy. 0 is never. */
  in(milliseconds: number): number {
    return milliseconds === 0 ? NEVER : Math.min(NEVER, this.now + Math.ceil(milliseconds / this.tick) + 1);
  }

  /** Runs while anything is timed. Does not keep the process alive. */
  run(): void {
    if (this.#timer !== null) return;
    this.tickedAt = steadyNow();
    this.#timer = setInterval(() => this.#sweep(), this.tick).unref();
  }

  #sweep(): void {
    if (this.#timed.size === 0) {
      clearInterval(this.#timer!);
      this.#timer = null;
      return;
    }
    this.now++;
    this.tickedAt = steadyNow();
    for (const each of this.#timed) each.sweep(this.now);
  }
}
