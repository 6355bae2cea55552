/** Turns the strings of a configuration into values, once, in the factory that takes them. */
import { ConfigError } from "../errors.ts";
import type { ConfigPlace } from "../errors.ts";

const TRUE = new Set(["true", "yes", "on", "y", "t", "1"]);
const FALSE = new Set(["false", "no", "off", "n", "f", "0"]);

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const BYTES = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 } as const;

/**
 * true/yes/on/y/t/1 or false/no/off/n/f/0, in any case. A value that is no string counts by its truth.
 *
 * @example
 * ```ts
 * import { asBool, asInt, asList } from "propylon";
 *
 * console.log(asBool("Yes"), asInt(" 8080 "), asList("one two")); // true 8080 [ 'one', 'two' ]
 * ```
 *
 * @throws ConfigError CONFIG_BAD_VALUE
 */
export function asBool(value: unknown, place?: ConfigPlace): boolean {
  if (typeof value !== "string") return Boolean(value);
  const word = value.trim().toLowerCase();
  if (TRUE.has(word)) return true;
  if (FALSE.has(word)) return false;
  return bad(value, "true or false (also yes/no, on/off, 1/0)", place);
}

/**
 * A whole number in decimal.
 *
 * @throws ConfigError CONFIG_BAD_VALUE
 */
export function asInt(value: string | number, place?: ConfigPlace): number {
  const text = String(value).trim();
  const number = Number(text);
  return /^[+-]?\d+$/.test(text) && Number.isSafeInteger(number) ? number : bad(value, "a whole number", place);
}

/** The words of a text, parted by white space or by `separator`, trimmed. Nothing gives [], another value a list of it. */
export function asList(value: unknown, separator: RegExp | string = /\s+/): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map(String);
  const words = String(value)
    .split(separator)
    .map((word) => word.trim());
  return words.filter((word) => word !== "");
}

/**
 * Milliseconds from `500ms`, `30s`, `5m`, `1h`; a bare number is seconds. Fractions are allowed.
 *
 * @throws ConfigError CONFIG_BAD_VALUE
 */
export function asDuration(value: string, place?: ConfigPlace): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/i.exec(value.trim()) ?? [];
  if (number === undefined) return bad(value, "a time such as 500ms, 30s, 5m or 1h (a bare number is seconds)", place);
  return Math.round(Number(number) * MS[unit.toLowerCase() as keyof typeof MS]);
}

/**
 * Bytes from `65536`, `256k`, `1m`, `1g` (multiples of 1024; `kb` and `KiB` are the same).
 *
 * @throws ConfigError CONFIG_BAD_VALUE
 */
export function asBytes(value: string, place?: ConfigPlace): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*(?:([kmg])(?:i?b)?|b)?$/i.exec(value.trim()) ?? [];
  if (number === undefined) return bad(value, "a size such as 65536, 256k, 1m or 1g", place);
  return Math.round(Number(number) * BYTES[unit.toLowerCase() as keyof typeof BYTES]);
}

/**
 * File permissions, always octal: `0660`, `660` and `0o660` are the same.
 *
 * @throws ConfigError CONFIG_BAD_VALUE
 */
export function asMode(value: string, place?: ConfigPlace): number {
  const digits = /^(?:0o)?([0-7]{1,5})$/.exec(value.trim())?.[1];
  const mode = digits === undefined ? Number.NaN : Number.parseInt(digits, 8);
  return mode <= 0o7777 ? mode : bad(value, "octal permissions such as 0660", place);
}

function bad(value: unknown, expected: string, place: ConfigPlace | undefined): never {
  throw new ConfigError("CONFIG_BAD_VALUE", `"${String(value)}" is not ${expected}`, place);
}
