/** What a peer sent, made fit for one line of a log: it can neither end the line nor speak to a terminal. */
import { isUtf8 } from "node:buffer";

/** Characters of one field; the rest is cut and said to be. */
const MAX_FIELD = 8 * 1024;
const CUT = "[cut]";

const SPECIAL = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g;
const SPECIAL_OR_SPACE = /[^\x21\x23-\x5b\x5d-\x7e]/g;
const NON_ASCII = /[\x80-\xff]/;
/** JSON lets these through: DEL and C1 controls, the separators of lines, the marks that turn the direction of text. */
const UNSAFE_IN_JSON = /[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Bytes of a peer, one character each: quotes, backslashes, controls and all beyond ASCII become `\xNN`. */
export function escapeField(value: string): string {
  return bounded(value).replace(SPECIAL, hex);
}

/** The same for what stands between spaces. */
export function escapeWord(value: string): string {
  return bounded(value).replace(SPECIAL_OR_SPACE, hex);
}

/** A JSON string. Bytes that are UTF-8 are read so, others as latin1. */
export function jsonString(value: string): string {
  let text = bounded(value);
  if (NON_ASCII.test(text)) {
    const bytes = Buffer.from(text, "latin1");
    if (isUtf8(bytes)) text = bytes.toString("utf8");
  }
  return safeJson(text);
}

/** As JSON, without what speaks to a terminal. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE_IN_JSON, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function bounded(value: string): string {
  return value.length <= MAX_FIELD ? value : value.slice(0, MAX_FIELD) + CUT;
}

function hex(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
