/** What times, sizes and foreign text look like to people. */

const SECOND = 1000;
const UNITS: readonly (readonly [name: string, milliseconds: number])[] = [
  ["d", 86_400 * SECOND],
  ["h", 3_600 * SECOND],
  ["min", 60 * SECOND],
  ["s", SECOND],
];

/** `12 ms`, `4.2 s`, `3 min 20 s`, `2 d 5 h`: at most two units. A clock that was set back makes no negative times. */
export function duration(milliseconds: number): string {
  const time = Math.max(0, Math.round(milliseconds));
  if (time < SECOND) return `${time} ms`;
  if (time < 10 * SECOND) return `${(time / SECOND).toFixed(1)} s`;
  const at = UNITS.findIndex(([, size]) => time >= size);
  const [name, size] = UNITS[at]!;
  const whole = Math.floor(time / size);
  const next = UNITS[at + 1];
  if (next === undefined) return `${whole} ${name}`;
  const rest = Math.floor((time % size) / next[1]);
  return rest === 0 ? `${whole} ${name}` : `${whole} ${name} ${rest} ${next[0]}`;
}

/** In powers of 1024: `512 B`, `82.4 MiB`. */
export function size(bytes: number): string {
  const names = ["B", "KiB", "MiB", "GiB", "TiB"];
  let amount = bytes;
  let at = 0;
  while (amount >= 1024 && at < names.length - 1) {
    amount /= 1024;
    at++;
  }
  return `${at === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${names[at]}`;
}

/** Of a number from 0 to 1. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `1 request`, `2 requests`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/**
 * What others wrote, on one line: controls, and marks that are not seen but turn the text round, become `\x1b`, `\u202e`.
 * What is longer than `limit` characters is cut and ends in `…`.
 */
export function foreign(text: string, limit: number): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => {
    const code = c.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** As `foreign`, line by line. */
export function foreignLines(text: string, limit: number): string[] {
  return text.split(/\r?\n/).map((line) => foreign(line.replaceAll("\t", "  "), limit));
}
