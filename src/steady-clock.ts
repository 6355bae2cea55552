/**
 * The time by which workers are judged. It begins as the system's clock and does not follow when that is set: nobody is
 * late because an hour was skipped, and nobody is spared.
 */

/** Milliseconds, with a fraction, from a beginning that all threads and processes of the machine share. */
export function monotonicNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

const OFFSET = Date.now() - monotonicNow();

/** Milliseconds since 1970, as long as nobody has set the clock since the thread began. */
export function steadyNow(): number {
  return steadyTime(monotonicNow());
}

/** The same of a time that another thread has told by `monotonicNow`. */
export function steadyTime(monotonic: number): number {
  return OFFSET + monotonic;
}
