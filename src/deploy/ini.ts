/** Reads .ini text in Paste's dialect into sections in which every option knows its line. */
import { decode } from "ini";

import { ConfigError } from "../errors.ts";

export interface IniOption {
  readonly key: string;
  /** As written, not yet interpolated; the lines of a long value are joined by `\n`. */
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

export interface IniSection {
  /** The text between the brackets, unchanged. */
  readonly name: string;
  /** Of the header, counted from 1; 0 if the file has no such header. */
  readonly line: number;
  readonly options: ReadonlyMap<string, IniOption>;
}

export interface IniFile {
  /** The name that errors give. */
  readonly file: string;
  /** `[DEFAULT]`. */
  readonly defaults: IniSection;
  /** All other sections in the order of the file. */
  readonly sections: ReadonlyMap<string, IniSection>;
}

interface RawOption {
  readonly key: string;
  readonly line: number;
  readonly lines: string[];
}

interface RawSection {
  readonly name: string;
  readonly line: number;
  readonly options: Map<string, RawOption>;
}

/**
 * The dialect is Python's configparser with case-sensitive keys: comments are whole lines that begin with `#` or `;`,
 * the first `=` or `:` ends the key, a line that is indented deeper than its key's continues the value, quotes are
 * part of the value, a header runs to the last `]` of its line. npm `ini` knows none of these, so a pass of ours finds
 * the logical lines and their numbers, writes them in the form that `ini` reads without loss, and `ini` decodes that.
 *
 * @param text - the file's text; a byte order mark is skipped
 * @param file - the name for error messages
 * @throws ConfigError CONFIG_SYNTAX, CONFIG_DUPLICATE
 */
export function parseIni(text: string, file: string): IniFile {
  const sections = readLines(text, file);
  const decoded = decode(toNpmIni(sections)) as Record<string, Record<string, string | boolean | null>>;
  const convert = (section: RawSection): IniSection => {
    const values = decoded[escapeName(section.name)];
    const options = new Map<string, IniOption>();
    for (const { key, line } of section.options.values()) {
      // `ini` turns the words true, false and null into JSON values; String turns them back.
      options.set(key, { key, line, value: String(values?.[escapeName(key)]) });
    }
    return { name: section.name, line: section.line, options };
  };
  const defaults = convert(sections.get("DEFAULT") ?? { name: "DEFAULT", line: 0, options: new Map() });
  sections.delete("DEFAULT");
  return { file, defaults, sections: new Map(Array.from(sections, ([name, section]) => [name, convert(section)])) };
}

function readLines(text: string, file: string): Map<string, RawSection> {
  const sections = new Map<string, RawSection>();
  let section: RawSection | undefined;
  let option: RawOption | undefined;
  let indent = 0;
  let number = 0;
  for (const source of text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)) {
    number += 1;
    const line = source.trim();
    if (line.startsWith("#") || line.startsWith(";")) continue;
    if (line === "") {
      option?.lines.push("");
      continue;
    }
    const depth = source.length - source.trimStart().length;
    if (option !== undefined && depth > indent) {
      option.lines.push(line);
      continue;
    }
    indent = depth;
    const header = /^\[(.+)\]/.exec(line)?.[1];
    if (header !== undefined) {
      section = openSection(sections, header, file, number);
      option = undefined;
    } else if (line.startsWith("[") && !line.includes("]")) {
      throw new ConfigError("CONFIG_SYNTAX", `"${line}" has no ] at its end`, { file, line: number });
    } else if (section === undefined) {
      throw new ConfigError("CONFIG_SYNTAX", `"${line}" stands before the first [section]`, { file, line: number });
    } else {
      option = openOption(section, line, file, number);
    }
  }
  return sections;
}

function openSection(sections: Map<string, RawSection>, name: string, file: string, line: number): RawSection {
  const existing = sections.get(name);
  // Only [DEFAULT] may be opened again, as in configparser.
  if (existing !== undefined && name === "DEFAULT") return existing;
  if (existing !== undefined) {
    const place = { file, section: name, line };
    throw new ConfigError("CONFIG_DUPLICATE", `the section already exists in line ${existing.line}`, place);
  }
  const section = { name, line, options: new Map<string, RawOption>() };
  sections.set(name, section);
  return section;
}

function openOption(section: RawSection, text: string, file: string, line: number): RawOption {
  const place = { file, section: section.name, line };
  const end = text.search(/[=:]/);
  const key = text.slice(0, Math.max(end, 0)).trimEnd();
  if (key === "") throw new ConfigError("CONFIG_SYNTAX", `"${text}" is neither "key = value" nor a [section]`, place);
  const existing = section.options.get(key);
  if (existing !== undefined) {
    throw new ConfigError("CONFIG_DUPLICATE", `the key already exists in line ${existing.line}`, { ...place, key });
  }
  const option = { key, line, lines: [text.slice(end + 1).trim()] };
  section.options.set(key, option);
  return option;
}

/** One line an option, everything as a JSON string: the one form in which `ini` reads all characters back unchanged. */
function toNpmIni(sections: ReadonlyMap<string, RawSection>): string {
  const lines: string[] = [];
  for (const section of sections.values()) {
    lines.push(`[${quote(escapeName(section.name))}]`);
    for (const { key, lines: values } of section.options.values()) {
      lines.push(`${quote(escapeName(key))}=${quote(values.join("\n").trimEnd())}`);
    }
  }
  return lines.join("\n");
}

function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}

/** Names mean things to `ini` even when quoted: a dot nests, a trailing `[]` makes a list, `__proto__` is dropped. */
function escapeName(name: string): string {
  return `:${name.replace(/[%.=[\]]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}`;
}
