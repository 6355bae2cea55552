/** One .ini file with its variables: finds sections and evaluates them to global and local configuration. */
import { isUtf8 } from "node:buffer";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname } from "node:path";

import { ConfigError, describePlace } from "../errors.ts";
import type { ConfigPlace } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Conf, Kind } from "./context.ts";
import { type IniFile, type IniSection, parseIni } from "./ini.ts";
import { type Variable, interpolate } from "./interpolation.ts";
import { didYouMean, nearestName } from "../suggest.ts";

/** Section prefixes of each kind; within one inner list the first spelling that is there hides the others. */
const PREFIXES: Readonly<Record<Kind, readonly (readonly string[])[]>> = {
  app: [["app", "application"], ["composite", "composit"], ["pipeline"], ["filter-app"]],
  filter: [["filter"]],
  server: [["server"]],
};

const ARTICLES: Readonly<Record<Kind, string>> = { app: "an app", filter: "a filter", server: "a server" };

/** Sections that nobody means who looks for an app, a filter or a server. */
const OF_LOGGING = /^(?:loggers|handlers|formatters|(?:logger|handler|formatter)_.*)$/;

/** What surrounds a file: both are laid under the values of the file, `caller` over its `[DEFAULT]`. */
export interface Surroundings {
  /** Evaluated values of the file that names this one. */
  readonly inherited: Conf;
  /** Variables of the command line or of the library's caller. */
  readonly caller: Conf;
  readonly files: FileTexts;
  readonly log: Logger;
}

/**
 * Texts of configuration files by path. One that is here is not read from the disk, one that is read is added: so
 * what was read once can be read again elsewhere, whatever has become of the files.
 */
export type FileTexts = Map<string, string>;

export interface EvaluatedSection {
  readonly place: ConfigPlace;
  /** `[DEFAULT]`, the given configuration and the section's `set`. */
  readonly globalConf: Conf;
  /** What the section itself has `set`. */
  readonly additions: Conf;
  /** Every other option, `use` and the like included. */
  readonly options: ReadonlyMap<string, string>;
  readonly keys: ReadonlyMap<string, ConfigPlace>;
}

export class ConfigFile {
  readonly path: string;
  readonly directory: string;
  readonly #ini: IniFile;
  readonly #surroundings: Surroundings;
  readonly #variables: ReadonlyMap<string, Variable>;
  /** The evaluated `[DEFAULT]`, `here` and `__file__` included. */
  readonly #defaults: Conf;

  /** @throws ConfigError CONFIG_NOT_FOUND, CONFIG_SYNTAX, CONFIG_DUPLICATE, CONFIG_INTERPOLATION */
  constructor(path: string, surroundings: Surroundings, askedFrom: ConfigPlace) {
    this.path = path;
    this.directory = dirname(path);
    this.#surroundings = surroundings;
    this.#ini = parseIni(readText(path, surroundings.files, askedFrom), path);
    this.#variables = this.#collectVariables();
    this.#defaults = this.#evaluateDefaults();
    for (const [section, { line }] of this.#ini.sections) {
      if (section.includes(":") || OF_LOGGING.test(section) || nearestName(section, ["DEFAULT"]) === undefined)
        continue;
      const message = "has no effect; the settings for all sections are in [DEFAULT], in capitals";
      surroundings.log.warn(`${describePlace({ file: path, section, line })}${message}`);
    }
  }

  /**
   * The section that `name` means for `kind`. Without a name it is `[app]`, or else `[app:main]`.
   *
   * @throws ConfigError CONFIG_NO_SECTION, CONFIG_AMBIGUOUS_SECTION
   */
  findSection(kind: Kind, name: string | undefined, askedFrom: ConfigPlace): string {
    const found: string[] = [];
    for (const aliases of PREFIXES[kind]) {
      const hits = aliases.map((prefix) => this.#sectionsNamed(prefix, name)).find((sections) => sections.length > 0);
      found.push(...(hits ?? []));
    }
    if (found.length === 1) return found[0]!;
    const place = askedFrom.line === undefined ? { file: this.path } : askedFrom;
    const subject = place.file === this.path && place.line === undefined ? "" : `${this.path} `;
    const list = (names: Iterable<string>): string => Array.from(names, (section) => `[${section}]`).join(" ");
    const wanted = name ?? "main";
    if (found.length > 1) {
      const message = `${subject}has ${list(found)}, and "${wanted}" can mean any of them; give them different names`;
      throw new ConfigError("CONFIG_AMBIGUOUS_SECTION", message, place);
    }
    if (wanted === "") throw new ConfigError("CONFIG_BAD_VALUE", "is empty, and should name something", place);
    const tried = PREFIXES[kind].map(([prefix]) => `[${prefix}:${wanted}]`).join(" or ");
    const sections = [...this.#ini.sections.keys()].filter((section) => !OF_LOGGING.test(section));
    const hint = this.#whatIsMeant(kind, wanted);
    const there = sections.length === 0 ? "it has no sections" : `it has ${list(sections)}`;
    throw new ConfigError("CONFIG_NO_SECTION", `${subject}has no ${tried}${hint} (${there})`, place);
  }

  /**
   * Reads a section's options under `globalConf`, which wins over `[DEFAULT]`.
   *
   * @throws ConfigError CONFIG_INTERPOLATION; CONFIG_BAD_VALUE if `get` names nothing
   */
  evaluate(name: string, globalConf: Conf): EvaluatedSection {
    const section = this.#ini.sections.get(name)!;
    const globals = new Map(Object.entries({ ...this.#defaults, ...globalConf }));
    const additions = new Map<string, string>();
    const options = new Map<string, string>();
    const keys = new Map<string, ConfigPlace>();
    const gets: { key: string; from: string; place: ConfigPlace }[] = [];
    // `set` works in [DEFAULT] too: for every section of the file.
    for (const { key, value, line } of [...this.#ini.defaults.options.values(), ...section.options.values()]) {
      const place = { file: this.path, section: name, key, line };
      const own = section.options.get(key)?.line === line;
      const [, verb, target = ""] = /^(set|get) \s*(.*)$/s.exec(key) ?? [];
      if (verb === undefined && !own) continue;
      if (verb === undefined && this.#hides(key)) {
        this.#warnHidden(place, key);
        continue;
      }
      const text = this.#interpolate(value, section, place);
      if (verb === "set") {
        globals.set(target, text);
        additions.set(target, text);
      } else if (verb === "get") {
        gets.push({ key: target, from: text, place });
      } else {
        options.set(key, text);
        keys.set(key, place);
      }
    }
    for (const { key, from, place } of gets) {
      const value = globals.get(from);
      if (value === undefined) {
        const message = `there is no "${from}" in [DEFAULT] or set${didYouMean(from, globals.keys())}`;
        throw new ConfigError("CONFIG_BAD_VALUE", message, place);
      }
      options.set(key, value);
      keys.set(key, place);
    }
    return {
      place: { file: this.path, section: name, line: section.line },
      globalConf: Object.fromEntries(globals),
      additions: Object.fromEntries(additions),
      options,
      keys,
    };
  }

  has(section: string): boolean {
    return this.#ini.sections.has(section);
  }

  /** The names of all but `[DEFAULT]`. */
  sections(): readonly string[] {
    return [...this.#ini.sections.keys()];
  }

  keysOf(section: string): readonly string[] {
    return [...(this.#ini.sections.get(section)?.options.keys() ?? [])];
  }

  /** An option as it is written; undefined where it is not there. */
  raw(section: string, key: string): string | undefined {
    return this.#ini.sections.get(section)?.options.get(key)?.value;
  }

  /**
   * The same with `%(name)s` replaced.
   *
   * @throws ConfigError CONFIG_INTERPOLATION
   */
  text(section: string, key: string): string | undefined {
    const raw = this.raw(section, key);
    if (raw === undefined) return undefined;
    return this.#interpolate(raw, this.#ini.sections.get(section)!, this.placeIn(section, key));
  }

  /** Where a section stands, or one of its keys. */
  placeIn(section: string, key?: string): ConfigPlace {
    const found = this.#ini.sections.get(section);
    const line = (key === undefined ? undefined : found?.options.get(key)?.line) ?? found?.line;
    return { file: this.path, section, line, key };
  }

  /** What a name that no section has was meant to be, as far as it can be guessed. */
  #whatIsMeant(kind: Kind, wanted: string): string {
    if (/^\.{0,2}\/|\.[cm]?[jt]s\b/.test(wanted)) return `; code is named by call:, as in "call:./app.js:makeApp"`;
    if (wanted.includes(",")) return "; blanks part one name from the next, without commas";
    const prefixes = PREFIXES[kind].flat();
    for (const [section, { line }] of this.#ini.sections) {
      const [prefix = "", name] = section.split(":", 2);
      if (name?.trim() !== wanted) continue;
      const other = (["app", "filter"] as const).find((each) => PREFIXES[each].flat().includes(prefix));
      // A server of that name is no surprise: each file has a main one.
      if (kind === "server" ? other !== undefined : prefix === "server") continue;
      if (other !== undefined) return `; [${section}] describes ${ARTICLES[other]}, and here ${ARTICLES[kind]} belongs`;
      const meant = nearestName(prefix, prefixes);
      if (meant !== undefined) return `; did you mean [${meant}:${wanted}] by [${section}] in line ${line}?`;
    }
    const nearest = this.#nearestSection(kind, wanted);
    return nearest === undefined ? "" : `; did you mean [${nearest}]?`;
  }

  #nearestSection(kind: Kind, wanted: string): string | undefined {
    const prefixes = new Set(PREFIXES[kind].flat());
    const byName = new Map<string, string>();
    for (const section of this.#ini.sections.keys()) {
      const [prefix = "", name] = section.split(":", 2);
      if (name !== undefined && prefixes.has(prefix.trim())) byName.set(name.trim(), section);
    }
    const nearest = nearestName(wanted, byName.keys());
    return nearest === undefined ? undefined : byName.get(nearest);
  }

  #sectionsNamed(prefix: string, name: string | undefined): string[] {
    const found = name === undefined && this.#ini.sections.has(prefix) ? [prefix] : [];
    for (const section of this.#ini.sections.keys()) {
      if (section.startsWith(`${prefix}:`) && section.slice(prefix.length + 1).trim() === (name ?? "main"))
        found.push(section);
    }
    return found;
  }

  /** In order of weight: inherited, `here` and `__file__`, `[DEFAULT]`, the caller's. A section's own come over these. */
  #collectVariables(): Map<string, Variable> {
    const { inherited, caller } = this.#surroundings;
    const variables = new Map<string, Variable>();
    for (const [key, value] of Object.entries(inherited)) variables.set(key, { value, literal: true });
    // Paths are never templates: a directory may have a % in its name.
    variables.set("here", { value: this.directory, literal: true });
    variables.set("__file__", { value: this.path, literal: true });
    for (const { key, value } of this.#ini.defaults.options.values()) variables.set(key, { value, literal: false });
    for (const [key, value] of Object.entries(caller)) {
      if (key !== "here" && key !== "__file__") variables.set(key, { value, literal: false });
    }
    return variables;
  }

  #evaluateDefaults(): Conf {
    const values: Record<string, string> = {};
    const lines = this.#ini.defaults.options;
    for (const [key, { value, literal }] of this.#variables) {
      const place = { file: this.path, section: "DEFAULT", key, line: lines.get(key)?.line };
      const text = literal ? value : interpolate(value, this.#variables, place);
      if (lines.has(key) || key === "here" || key === "__file__") values[key] = text;
    }
    return values;
  }

  #interpolate(raw: string, section: IniSection, place: ConfigPlace): string {
    const variables = this.#variables;
    return interpolate(
      raw,
      {
        get(name, within) {
          const own = name === within ? undefined : section.options.get(name);
          return own === undefined ? variables.get(name) : { value: own.value, literal: false };
        },
        keys: () => [...section.options.keys(), ...variables.keys()],
      },
      place,
    );
  }

  /** PasteDeploy's rule: what `[DEFAULT]` or an outer file names cannot be a local option. A caller's variable can. */
  #hides(key: string): boolean {
    const { inherited, caller } = this.#surroundings;
    return Object.hasOwn(this.#defaults, key) || (Object.hasOwn(inherited, key) && !Object.hasOwn(caller, key));
  }

  #warnHidden(place: ConfigPlace, key: string): void {
    const hider = Object.hasOwn(this.#defaults, key) ? "[DEFAULT]" : "the file that names this one";
    const advice = `write "set ${key} = …" to change it for this section`;
    const message = `${describePlace({ ...place, key })}has no effect, because ${hider} has the same key; ${advice}`;
    this.#surroundings.log.warn(message);
  }
}

function readText(path: string, files: FileTexts, askedFrom: ConfigPlace): string {
  try {
    const text = files.get(path) ?? decodeText(readFileSync(path), path);
    files.set(path, text);
    return text;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError("CONFIG_NOT_FOUND", whyNot(path, error), askedFrom, { cause: error });
  }
}

/** A byte that is none of UTF-8 would be lost in silence. */
function decodeText(bytes: Buffer, file: string): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let line = 1;
  for (let from = 0; ; line++) {
    const end = bytes.indexOf(0x0a, from);
    if (end < 0 || !isUtf8(bytes.subarray(from, end))) break;
    from = end + 1;
  }
  throw new ConfigError("CONFIG_SYNTAX", "the line has a byte that is not UTF-8; save the file as UTF-8", {
    file,
    line,
  });
}

function whyNot(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EISDIR") return `${path} is a directory, expected a file`;
  if (code === "EACCES") return `${path} may not be read by this user: run this as its owner, or let this user read it`;
  if (code !== "ENOENT") return `${path} cannot be read: ${message}`;
  const near = nearestFile(path);
  return `there is no file ${path}${near === undefined ? "" : `, did you mean ${near}?`}`;
}

function nearestFile(path: string): string | undefined {
  if (existsSync(`${path}.ini`)) return `${basename(path)}.ini`;
  try {
    return nearestName(
      basename(path),
      readdirSync(dirname(path)).filter((name) => name.endsWith(".ini")),
    );
  } catch {
    return undefined;
  }
}
