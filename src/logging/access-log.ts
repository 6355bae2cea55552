/** The access log's formats: a line for each request that is over, in Apache's words or as JSON. */
import { variable } from "../cgi/variables.ts";
import { ConfigError, type ConfigPlace } from "../errors.ts";
import type { ExchangeRecord } from "../exchange.ts";
import { escapeField, escapeWord, jsonString } from "./escape.ts";
import { clfTime } from "./clf-time.ts";

/** A line without its newline. */
export type AccessLogFormat = (record: ExchangeRecord) => string;

const COMMON = '%h %l %u %t "%r" %>s %b';
const TEXT_FORMATS: Readonly<Record<string, string | undefined>> = {
  common: COMMON,
  combined: `${COMMON} "%{Referer}i" "%{User-Agent}i"`,
};

/** What Apache writes where there is nothing. */
const NOTHING = "-";

/** Directives without an argument. */
const PLAIN: Readonly<Record<string, AccessLogFormat | undefined>> = {
  "%": () => "%",
  h: (record) => word(record, "REMOTE_ADDR"),
  l: () => NOTHING,
  u: (record) => word(record, "REMOTE_USER"),
  t: ({ begun }) => clfTime(begun),
  r: (record) =>
    record.params === null
      ? NOTHING
      : escapeField(`${raw(record, "REQUEST_METHOD")} ${targetOf(record)} ${raw(record, "SERVER_PROTOCOL")}`),
  m: (record) => field(record, "REQUEST_METHOD"),
  U: (record) => escapeField(targetOf(record).replace(/\?.*$/s, "")) || NOTHING,
  q: (record) => escapeField(/\?.+$/s.exec(targetOf(record))?.[0] ?? ""),
  s: ({ status }) => String(status),
  ">s": ({ status }) => String(status),
  b: ({ bytes }) => (bytes === 0 ? NOTHING : String(bytes)),
  B: ({ bytes }) => String(bytes),
  D: ({ duration }) => String(Math.round(duration * 1000)),
  T: ({ duration }) => String(Math.floor(duration / 1000)),
  L: ({ id }) => id || NOTHING,
  P: () => String(process.pid),
};

/** `%{NAME}x`: what only a gateway knows. */
const OWN: Readonly<Record<string, AccessLogFormat | undefined>> = {
  waited: ({ service }) => (service === null ? NOTHING : String(Math.round(service.waited))),
  worker: ({ service }) => (service === null ? NOTHING : String(service.worker)),
};

/** Text, a directive, or a percent sign that begins none. */
const PIECE = /%(>?[A-Za-z%])|%\{([^{}%]+)\}([A-Za-z])|[^%]+|%.?/gs;

/**
 * Compiles `common`, `combined`, `json` or a string of directives.
 *
 * @throws ConfigError CONFIG_BAD_VALUE at `place`, naming a directive that is unknown
 */
export function accessLogFormat(format: string, place: ConfigPlace = {}): AccessLogFormat {
  if (format === "json") return jsonLine;
  const pieces = [...(TEXT_FORMATS[format] ?? format).matchAll(PIECE)].map(
    ([text, plain, name, kind]): string | AccessLogFormat => {
      if (!text.startsWith("%")) return text.replace(/[\r\n]/g, " ");
      const piece = plain !== undefined ? own(PLAIN, plain) : name !== undefined ? named(name, kind!) : undefined;
      if (piece !== undefined) return piece;
      throw new ConfigError("CONFIG_BAD_VALUE", `"${text}" is no directive of an access log`, place);
    },
  );
  if (pieces.every((piece) => typeof piece === "string")) {
    const message = `"${format}" has no directive: common, combined, json, or a text with some, such as %h`;
    throw new ConfigError("CONFIG_BAD_VALUE", message, place);
  }
  return (record) => {
    let line = "";
    for (const piece of pieces) line += typeof piece === "string" ? piece : piece(record);
    return line;
  };
}

function named(name: string, kind: string): AccessLogFormat | undefined {
  switch (kind) {
    case "e":
      return (record) => field(record, name);
    case "i": {
      const header = headerVariable(name);
      return (record) => field(record, header);
    }
    case "x":
      return own(OWN, name);
    default:
      return undefined;
  }
}

function own<Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** RFC 3875 section 4.1.18: two headers have variables of their own. */
function headerVariable(name: string): string {
  const upper = name.toUpperCase().replaceAll("-", "_");
  return upper === "CONTENT_TYPE" || upper === "CONTENT_LENGTH" ? upper : `HTTP_${upper}`;
}

function field(record: ExchangeRecord, name: string): string {
  return escapeField(raw(record, name, NOTHING));
}

function word(record: ExchangeRecord, name: string): string {
  return escapeWord(raw(record, name, NOTHING));
}

function raw({ params }: ExchangeRecord, name: string, nothing = ""): string {
  return (params !== null && variable(params, name)) || nothing;
}

/** Path and query as the client sent them; put together again for a web server that does not tell. */
function targetOf(record: ExchangeRecord): string {
  const uri = raw(record, "REQUEST_URI");
  if (uri !== "") return uri;
  const query = raw(record, "QUERY_STRING");
  return raw(record, "SCRIPT_NAME") + raw(record, "PATH_INFO") + (query === "" ? "" : `?${query}`);
}

/** Names stay: others read them. What is not known is null. */
function jsonLine(record: ExchangeRecord): string {
  const { id, status, bytes, aborted, begun, duration, service } = record;
  const text = (value: string): string => (value === "" ? "null" : jsonString(value));
  const numbers = { status, bytes, duration: Math.round(duration * 1000) / 1000, aborted };
  const who = { worker: service?.worker ?? null, waited: service?.waited ?? null, pid: process.pid };
  return (
    `{"time":"${new Date(begun).toISOString()}","id":${text(id)},"remote":${text(raw(record, "REMOTE_ADDR"))},` +
    `"user":${text(raw(record, "REMOTE_USER"))},"method":${text(raw(record, "REQUEST_METHOD"))},` +
    `"host":${text(raw(record, "HTTP_HOST"))},"url":${text(targetOf(record))},` +
    `"protocol":${text(raw(record, "SERVER_PROTOCOL"))},${inner(numbers)},` +
    `"referer":${text(raw(record, "HTTP_REFERER"))},"userAgent":${text(raw(record, "HTTP_USER_AGENT"))},${inner(who)}}`
  );
}

function inner(object: object): string {
  return JSON.stringify(object).slice(1, -1);
}
