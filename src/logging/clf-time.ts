/** A point in time as the common log format has it. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

let shownSecond = Number.NaN;
let shown = "";

/** `[31/Jan/2026:12:00:00 +0100]`, in local time; `at` is milliseconds since 1970. */
export function clfTime(at: number): string {
  const second = Math.floor(at / 1000);
  // Most requests begin in the same second as the one before.
  if (second !== shownSecond) {
    shownSecond = second;
    shown = written(new Date(second * 1000));
  }
  return shown;
}

function written(date: Date): string {
  const offset = -date.getTimezoneOffset();
  const minutes = Math.abs(offset);
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `[${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}:${time} ${zone}]`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
