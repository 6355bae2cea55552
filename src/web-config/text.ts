/** How text is put into a configuration: lines, comments, and what may stand between quotes. */
import { ConfigError, type ConfigPlace } from "../errors.ts";

/** A list of lines; false and "" in it are none and an empty one. */
export type Lines = readonly (string | false)[];

export function joined(lines: Lines): string {
  return `${lines.filter((line) => line !== false).join("\n")}\n`;
}

export function comments(lines: readonly string[]): string[] {
  return lines.map((line) => (line === "" ? "#" : `# ${line}`));
}

export function indented(lines: Lines, by: string): (string | false)[] {
  return lines.map((line) => (line === false || line === "" ? line : by + line));
}

/**
 * A string in double quotes, as Apache, lighttpd, nginx and Caddy read it alike: `\"` is a quote.
 *
 * @param what - for the error, such as "the directory"
 * @param special - what the web server would take for more than text there
 * @throws ConfigError CONFIG_NOT_SUPPORTED for what cannot be written so
 */
export function quoted(text: string, what: string, special: RegExp | null, place: ConfigPlace): string {
  const bad = /[\p{Cc}\\\u2028\u2029]/u.exec(text) ?? special?.exec(text);
  if (bad === null || bad === undefined) return `"${text.replaceAll('"', '\\"')}"`;
  const message = `${what} ${JSON.stringify(text)} has ${JSON.stringify(bad[0])}, which this configuration cannot say; choose another path`;
  throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
}

/**
 * A path or word that stands where quotes help in some web servers alone.
 *
 * @throws ConfigError CONFIG_NOT_SUPPORTED
 */
export function plain(text: string, what: string, place: ConfigPlace): string {
  if (/^[\w./~+@=,-]+$/.test(text)) return text;
  const message = `${what} ${JSON.stringify(text)} has characters that web servers take for more than text; use letters, digits and / . _ -`;
  throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
}

/** A path as it is where that will do, else in quotes. @throws ConfigError CONFIG_NOT_SUPPORTED */
export function pathOf(path: string, special: RegExp, place: ConfigPlace): string {
  return /^[\w./*-]+$/.test(path) ? path : quoted(path, "the directory", special, place);
}

/** Of a prefix or host name, which have no special character but these. */
export function escapeRegExp(text: string): string {
  return text.replaceAll(/[.~+-]/g, (found) => (found === "." || found === "+" ? `\\${found}` : found));
}
