/** Reads `[loggers]`, `[handlers]` and `[formatters]` with the sections that they name, as Python's logging does. */
import { isAbsolute, resolve } from "node:path";

import { ConfigError, type ConfigPlace, describePlace } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { FormatPlan, HandlerPlan } from "../logging/handlers.ts";
import { recordFormat } from "../logging/handlers.ts";
import { type Literal, parseDictionary, parseTuple } from "../logging/literals.ts";
import { LEVELS } from "../logging/record-format.ts";
import { WHEN, isWhen } from "../logging/rotating-file.ts";
import { didYouMean, nearestName } from "../suggest.ts";
import type { ConfigFile } from "./config-file.ts";
import { asBool } from "./converters.ts";

/** All of it, as plain data. */
export interface LoggingPlan {
  readonly handlers: readonly PlacedHandler[];
  readonly loggers: readonly LoggerPlan[];
}

export interface PlacedHandler extends HandlerPlan {
  /** Where its arguments are. */
  readonly place: ConfigPlace;
}

export interface LoggerPlan {
  /** "" is the root. */
  readonly name: string;
  readonly level: number | null;
  /** Names of handlers. */
  readonly handlers: readonly string[];
  readonly propagate: boolean;
}

const DEFAULT_FORMAT: FormatPlan = { kind: "percent", format: "%(message)s", datefmt: null };

/**
 * Null for a file without `[loggers]`.
 *
 * @throws ConfigError of the key that is wrong: CONFIG_NO_SECTION, CONFIG_BAD_VALUE, CONFIG_NOT_SUPPORTED
 */
export function describeLogging(file: ConfigFile, log: Logger): LoggingPlan | null {
  if (!file.has("loggers")) return null;
  const reader = new SectionReader(file, log);
  const formats = new Map(reader.names("formatters").map((name) => [name, formatOf(reader, `formatter_${name}`)]));
  const handlers = reader.names("handlers").map((name) => handlerOf(reader, name, formats));
  const known = new Set(handlers.map(({ name }) => name));
  const names = reader.names("loggers");
  if (!names.includes("root")) reader.fail("loggers", "keys", "the list must contain root");
  const loggers = names.map((name) => loggerOf(reader, name, known));
  return { handlers, loggers };
}

/** The sections of a file, with errors that say where. */
class SectionReader {
  readonly #file: ConfigFile;
  readonly #log: Logger;

  constructor(file: ConfigFile, log: Logger) {
    this.#file = file;
    this.#log = log;
  }

  /** With `%(here)s` and the like replaced; undefined where the key is not there. */
  text(section: string, key: string): string | undefined {
    return this.#file.text(section, key)?.trim();
  }

  /** As it is written. */
  raw(section: string, key: string): string | undefined {
    return this.#file.raw(section, key)?.trim();
  }

  /** The list `keys` of a section; nothing where there is no such section. */
  names(section: string): string[] {
    return this.#file.has(section) ? this.list(section, "keys") : [];
  }

  /** What a name that is not among those of `section` was meant to be. */
  hint(section: string, name: string, known: Iterable<string>): string {
    return this.#file.has(section) ? didYouMean(name, known) : `: there is no section [${section}]`;
  }

  list(section: string, key: string): string[] {
    const text = this.text(section, key);
    if (text === undefined) this.fail(section, undefined, `"${key}" is missing`);
    return text
      .split(",")
      .map((word) => word.trim())
      .filter(Boolean);
  }

  /** @throws ConfigError CONFIG_NO_SECTION */
  need(section: string, namedIn: string): void {
    if (this.#file.has(section)) return;
    const near = nearestName(
      section,
      this.#file.sections().filter((name) => name.startsWith(`${section.split("_", 1)[0]}_`)),
    );
    const hint = near === undefined ? "" : `, did you mean [${near}]?`;
    throw new ConfigError("CONFIG_NO_SECTION", `there is no [${section}]${hint}`, this.place(namedIn, "keys"));
  }

  /** As in Python a key that nobody reads is no error, but it may be misspelt. */
  warnOfOthers(section: string, known: readonly string[]): void {
    for (const key of this.#file.keysOf(section)) {
      const meant = known.includes(key) ? undefined : nearestName(key, known);
      if (meant === undefined || this.#file.raw(section, meant) !== undefined) continue;
      this.#log.warn(`${describePlace(this.place(section, key))}has no effect, did you mean "${meant}"?`);
    }
  }

  level(section: string): number | null {
    const text = this.text(section, "level");
    if (text === undefined || text === "") return null;
    const level = LEVELS[text.toUpperCase()] ?? (/^\d+$/.test(text) ? Number(text) : undefined);
    if (level !== undefined) return level;
    return this.fail(section, "level", `"${text}" is no level${didYouMean(text, Object.keys(LEVELS))}`);
  }

  place(section: string, key?: string): ConfigPlace {
    return this.#file.placeIn(section, key);
  }

  fail(section: string, key: string | undefined, message: string): never {
    throw new ConfigError("CONFIG_BAD_VALUE", message, this.place(section, key));
  }

  /** Runs what throws a SyntaxError or a RangeError for a bad value. */
  check<T>(section: string, key: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      return this.fail(section, key, (error as Error).message);
    }
  }

  absolute(path: string): string {
    return resolve(this.#file.directory, path);
  }
}

function formatOf(reader: SectionReader, section: string): FormatPlan {
  reader.need(section, "formatters");
  reader.warnOfOthers(section, ["class", "style", "format", "datefmt", "validate", "defaults"]);
  const kind = reader.text(section, "class");
  if (kind !== undefined && /(?:^|\.)json_?formatter$/i.test(kind)) return { kind: "json" };
  const style = reader.text(section, "style") ?? "%";
  if (style !== "%" || (kind !== undefined && !/^(?:logging\.)?Formatter$/.test(kind))) {
    const [key, what] = style === "%" ? (["class", kind!] as const) : (["style", style] as const);
    const message = `${what}: there are logging.Formatter with the style %, and propylon.JSONFormatter`;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, reader.place(section, key));
  }
  const datefmt = reader.raw(section, "datefmt");
  const format = reader.raw(section, "format");
  const plan: FormatPlan = {
    kind: "percent",
    format: format === undefined || format === "" ? "%(message)s" : format,
    datefmt: datefmt === undefined || datefmt === "" ? null : datefmt,
  };
  const nowhere = { threadName: "", thread: 0 };
  // Its faults are of the date's format or of the other: each is told by itself.
  reader.check(section, "datefmt", () => recordFormat({ ...plan, format: "" }, nowhere));
  reader.check(section, "format", () => recordFormat(plan, nowhere));
  // Every line would be the same. Python refuses it too.
  if (!plan.format.replaceAll("%%", "").includes("%(")) {
    reader.fail(section, "format", `"${plan.format}" has no field such as %(message)s`);
  }
  return plan;
}

function handlerOf(reader: SectionReader, name: string, formats: ReadonlyMap<string, FormatPlan>): PlacedHandler {
  const section = `handler_${name}`;
  reader.need(section, "handlers");
  reader.warnOfOthers(section, ["class", "level", "formatter", "args", "kwargs", "target"]);
  const formatter = reader.text(section, "formatter") ?? "";
  const format = formatter === "" ? DEFAULT_FORMAT : formats.get(formatter);
  if (format === undefined) {
    reader.fail(
      section,
      "formatter",
      `there is no formatter "${formatter}"${reader.hint("formatters", formatter, formats.keys())}`,
    );
  }
  const place = reader.place(section, "args");
  return { name, level: reader.level(section) ?? 0, format, to: sinkOf(reader, section), place };
}

function loggerOf(reader: SectionReader, name: string, known: ReadonlySet<string>): LoggerPlan {
  const section = `logger_${name}`;
  reader.need(section, "loggers");
  reader.warnOfOthers(section, ["level", "handlers", "qualname", "propagate"]);
  const handlers = reader.list(section, "handlers");
  for (const handler of handlers) {
    if (known.has(handler)) continue;
    reader.fail(section, "handlers", `there is no handler "${handler}"${reader.hint("handlers", handler, known)}`);
  }
  const isRoot = name === "root";
  const qualname = isRoot ? "" : reader.text(section, "qualname");
  if (qualname === undefined) reader.fail(section, undefined, '"qualname" is missing');
  const propagate = reader.text(section, "propagate");
  return {
    ...{ name: qualname, level: reader.level(section), handlers },
    propagate: !isRoot && (propagate === undefined || asBool(propagate, reader.place(section, "propagate"))),
  };
}

/** Parameters of the classes, in their order, and which of them there must be. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  StreamHandler: ["stream"],
  FileHandler: ["filename", "mode", "encoding", "delay"],
  RotatingFileHandler: ["filename", "mode", "maxBytes", "backupCount", "encoding", "delay"],
  TimedRotatingFileHandler: ["filename", "when", "interval", "backupCount", "encoding", "delay", "utc"],
  SysLogHandler: ["address", "facility"],
  NullHandler: [],
};
const FACILITIES = [
  "kern",
  "user",
  "mail",
  "daemon",
  "auth",
  "syslog",
  "lpr",
  "news",
  "uucp",
  "cron",
  "authpriv",
  "ftp",
];
const FIRST_LOCAL_FACILITY = 16;
const LAST_FACILITY = 23;
const USER_FACILITY = 1;
const SYSLOG_PORT = 514;

function sinkOf(reader: SectionReader, section: string): HandlerPlan["to"] {
  const written = reader.text(section, "class");
  if (written === undefined) reader.fail(section, undefined, '"class" is missing');
  const kind = written.replace(/^(?:logging\.)?(?:handlers\.)?/, "");
  const parameters = Object.hasOwn(PARAMETERS, kind) ? PARAMETERS[kind] : undefined;
  if (parameters === undefined) {
    const classes = Object.keys(PARAMETERS);
    const message = `there is no handler class ${written}${didYouMean(kind, classes)} (there are ${classes.join(", ")})`;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, reader.place(section, "class"));
  }
  const given = argumentsOf(reader, section, parameters);
  const text = (name: string, otherwise?: string): string => {
    const value = given[name] ?? otherwise;
    if (typeof value === "string") return value;
    return reader.fail(section, "args", value === undefined ? `${name} is missing` : `${name} is no string`);
  };
  const count = (name: string, otherwise: number): number => {
    const value = given[name] ?? otherwise;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return reader.fail(section, "args", `${name} is no whole number`);
  };
  const path = (): string => {
    if (!text("mode", "a").startsWith("a")) {
      reader.fail(section, "args", "each worker opens the file: only the mode 'a' loses nothing of the others'");
    }
    return reader.absolute(text("filename"));
  };
  switch (kind) {
    case "NullHandler":
      return { kind: "null" };
    case "StreamHandler": {
      const { stream } = given;
      if (stream === undefined || stream === null) return { kind: "stream", stream: "stderr" };
      if (typeof stream === "object" && "stream" in stream) return { kind: "stream", stream: stream.stream };
      return reader.fail(section, "args", "the stream is neither sys.stdout nor sys.stderr");
    }
    case "FileHandler":
      return { kind: "file", path: path() };
    case "RotatingFileHandler": {
      const [bytes, backups] = [count("maxBytes", 0), count("backupCount", 0)];
      // As in Python: without both of them the file grows.
      return bytes === 0 || backups === 0
        ? { kind: "file", path: path() }
        : { kind: "rotating", path: path(), rotation: { by: "size", bytes, backups } };
    }
    case "TimedRotatingFileHandler": {
      const when = text("when", "h").toUpperCase();
      if (!isWhen(when)) reader.fail(section, "args", `when is "${when}"; there are ${WHEN.join(", ")}`);
      const interval = count("interval", 1);
      if (interval === 0) reader.fail(section, "args", "interval is 0");
      const rotation = {
        by: "time",
        when,
        interval,
        utc: given["utc"] === true,
        backups: count("backupCount", 0),
      } as const;
      return { kind: "rotating", path: path(), rotation };
    }
    default:
      return {
        kind: "syslog",
        target: {
          ...addressOf(reader, section, given["address"]),
          facility: facilityOf(reader, section, given["facility"]),
        },
      };
  }
}

function argumentsOf(reader: SectionReader, section: string, parameters: readonly string[]): Record<string, Literal> {
  const positional = reader.check(section, "args", () => parseTuple(reader.text(section, "args") ?? "()"));
  const named = reader.check(section, "kwargs", () => parseDictionary(reader.text(section, "kwargs") ?? "{}"));
  if (positional.length > parameters.length) {
    reader.fail(section, "args", `there are ${parameters.length} at most: ${parameters.join(", ") || "none"}`);
  }
  for (const name of Object.keys(named)) {
    if (!parameters.includes(name)) reader.fail(section, "kwargs", `"${name}" is none of ${parameters.join(", ")}`);
  }
  const given = { ...Object.fromEntries(positional.map((value, i) => [parameters[i]!, value])), ...named };
  const { encoding = null } = given;
  if (encoding !== null && !/^utf-?8$/i.test(String(encoding))) {
    reader.fail(section, "args", `the encoding is always utf-8, not ${JSON.stringify(encoding)}`);
  }
  return given;
}

function addressOf(
  reader: SectionReader,
  section: string,
  value: Literal | undefined,
): { host: string; port: number } | { path: string } {
  if (value === undefined) return { host: "localhost", port: SYSLOG_PORT };
  if (typeof value === "string" && isAbsolute(value)) return { path: value };
  if (Array.isArray(value)) {
    const [host, port] = value as readonly Literal[];
    if (typeof host === "string" && isWithin(port, 1, 65_535)) return { host, port };
  }
  const message = "the address is a host and a port, such as ('localhost', 514), or the path of a socket, '/dev/log'";
  return reader.fail(section, "args", message);
}

function facilityOf(reader: SectionReader, section: string, value: Literal | undefined): number {
  if (value === undefined) return USER_FACILITY;
  if (isWithin(value, 0, LAST_FACILITY)) return value;
  const local = /^local([0-7])$/.exec(String(value))?.[1];
  const number = local === undefined ? FACILITIES.indexOf(String(value)) : FIRST_LOCAL_FACILITY + Number(local);
  return number === -1 ? reader.fail(section, "args", "the facility is none that syslog knows") : number;
}

function isWithin(value: Literal | undefined, least: number, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}
