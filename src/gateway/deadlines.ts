/** The gateway's one clock, coarse so that setting a deadline costs an addition and no timer. */

/** Whatever has deadlines: looked at once a tick. It may remove itself meanwhile. */
export interface Timed {
  sweep(now: number): void;
}

/** Never. */
export const NEVER: number = Number.POSITIVE_INFINITY;

const LONGEST_TICK = 250;
const SHORTEST_TICK = 10;

/**
 * Counts milliseconds in which the event loop ran. A tick that comes late counts as one tick only: when an app has
 * blocked the loop for a minute, no peer is to blame for having been silent meanwhile.
 */
export class Deadlines {
  /** Milliseconds since the clock first ran; it stands still while nothing is timed. */
  now = 0;
  readonly #tick: number;
  readonly #timed: ReadonlySet<Timed>;
  #timer: NodeJS.Timeout | null = null;
  #last = 0;

  /**
   * @param timed looked at on each tick.
   * @param shortest the shortest timeout that will be asked for, in milliseconds.
   */
  constructor(timed: ReadonlySet<Timed>, shortest: number) {
    this.#timed = timed;
    this.#tick = Math.max(SHORTEST_TICK, Math.min(LONGEST_TICK, Math.floor(shortest / 4)));
  }

  /** The deadline of a timeout that begins now: never early, late by at most two ticks. 0 stands for never. */
  in(milliseconds: number): number {
    return milliseconds === 0 ? NEVER : this.now + milliseconds + this.#tick;
  }

  /** Runs while anything is timed. Does not keep the process alive. */
  run(): void {
    if (this.#timer !== null) return;
    this.#last = performance.now();
    this.#timer = setInterval(() => this.#sweep(), this.#tick).unref();
  }

  #sweep(): void {
    if (this.#timed.size === 0) {
      clearInterval(this.#timer!);
      this.#timer = null;
      return;
    }
    const time = performance.now();
    this.now += Math.min(time - this.#last, 2 * this.#tick);
    this.#last = time;
    for (const each of this.#timed) each.sweep(this.now);
  }
}
