/** The table of what a [server:…] section may say, and the one place where its strings become values. */
import type { SendfileSettings } from "../app/sendfile-front.ts";
import { VARIABLE_NAME } from "../cgi/variables.ts";
import { ConfigError } from "../errors.ts";
import { GATEWAY_OPTIONS, type GatewayOptions, type OptionRow } from "../gateway/options.ts";
import type { Conf } from "./context.ts";
import { asBool, asBytes, asDuration, asInt, asList, asMode } from "./converters.ts";
import type { FactoryAid } from "./create.ts";
import { type OptionScope, type ServerOption, row } from "./option-row.ts";
import { POOL_OPTIONS, type PoolOptions, PROCESS_OPTIONS, type ProcessOptions } from "./worker-options.ts";
import { didYouMean } from "../suggest.ts";

/** Of the gateway's options those that flup has under another name. */
const FLUP_NAMES: Readonly<Record<string, readonly string[]>> = {
  allowedClients: ["allowedServers"],
  requestTimeout: ["timeout"],
};

/** flup's and Paste's keys keep their spelling; all others are written in snake_case. */
export const SERVER_OPTIONS: readonly ServerOption[] = [
  row({
    name: "host",
    kind: "text",
    scope: "listen",
    about: "address to listen on; 127.0.0.1 if only a port is given",
  }),
  row({ name: "port", kind: "port", scope: "listen", about: "TCP port to listen on" }),
  row({ name: "socket", kind: "text", scope: "listen", about: "path of the Unix socket to listen on" }),
  row({
    ...{ name: "fd", kind: "text", scope: "listen" },
    about: "a socket that is handed over: its number, or the name that systemd has for it (FileDescriptorName=)",
  }),
  row({ name: "umask", kind: "mode", scope: "listen", about: "permissions that the socket does not get, in octal" }),
  row({
    name: "socketMode",
    kind: "mode",
    scope: "listen",
    default: "0660",
    about: "permissions of the socket, in octal",
  }),
  row({ name: "socketOwner", kind: "text", scope: "listen", about: "user who owns the socket, name or number" }),
  row({ name: "socketGroup", kind: "text", scope: "listen", about: "group that owns the socket, name or number" }),
  row({
    ...{ name: "mount", kind: "text", scope: "app", default: "auto", aliases: ["scriptName"] },
    about: "where the web server puts the app: auto (as it says itself), / or a path such as /james",
  }),
  row({
    ...{ name: "debug", kind: "boolean", scope: "app", default: false },
    about: "errors are shown with their stack, on a Unix socket or a loopback address alone",
  }),
  row({
    ...{ name: "captureConsole", kind: "boolean", scope: "app", default: false },
    about: "what a request writes to console goes to the web server's error log too",
  }),
  row({
    ...{ name: "requestContext", kind: "boolean", scope: "app", default: false },
    about: "`requestContext()` tells the app which request its code works for",
  }),
  row({
    ...{ name: "conflictingHeaders", kind: "word", scope: "app", default: "merge", words: ["merge", "drop", "refuse"] },
    about: "what happens to a trusted header, such as X-Forwarded-For, that came twice",
  }),
  row({
    ...{ name: "maxResponseHeader", kind: "bytes", scope: "app", default: 65_536, min: 1 },
    about: "a response head; a larger one is answered 500",
  }),
  row({
    ...{ name: "earlyHints", kind: "boolean", scope: "app", default: false },
    about: "answers of 1xx before the answer (`writeEarlyHints`) are sent: lighttpd passes them on",
  }),
  row({
    ...{ name: "environ", key: "environ.*", kind: "text", scope: "app" },
    about: "`environ.NAME = value` sets that variable in each request, whatever the web server sends",
  }),
  row({
    ...{ name: "authorizer", kind: "text", scope: "app" },
    about: "the app that answers FastCGI's authorizer role, which is then served: a section or a URI",
  }),
  row({
    ...{ name: "filter", kind: "text", scope: "app" },
    about: "the app that answers FastCGI's filter role, which is then served: a section or a URI",
  }),
  row({
    ...{ name: "sendfile", kind: "word", scope: "app", words: ["x-sendfile", "x-accel-redirect"] },
    about:
      "by which header the web server is told to send a file of `sendFile()`; without it the app sends all by itself",
  }),
  row({
    ...{ name: "sendfileRoot", kind: "text", scope: "app" },
    about: "the directory, absolute, whose files the web server may send; others are sent by the app",
  }),
  row({
    ...{ name: "sendfileUri", kind: "text", scope: "app" },
    about: "nginx's internal location whose alias that directory is, such as /internal/, for x-accel-redirect",
  }),
  ...Object.entries(GATEWAY_OPTIONS).map(([name, option]: [string, OptionRow]) =>
    row({ name, ...option, aliases: FLUP_NAMES[name] ?? [], scope: "gateway" }),
  ),
  ...POOL_OPTIONS,
  ...PROCESS_OPTIONS,
];

/** The roles that have apps of their own by the options of the same names; the server's app is the responder. */
export const ROLES_WITH_APPS = ["authorizer", "filter"] as const;

/** The options of one section, converted. Names are camelCase; what was not given is not there. */
export interface ServerSettings {
  readonly listen: {
    readonly host?: string;
    readonly port?: number;
    readonly socket?: string;
    readonly fd?: string;
    readonly umask?: number;
    readonly socketMode?: number;
    readonly socketOwner?: string;
    readonly socketGroup?: string;
  };
  readonly app: SendfileSettings & {
    readonly mount?: string;
    readonly debug?: boolean;
    readonly captureConsole?: boolean;
    readonly requestContext?: boolean;
    readonly conflictingHeaders?: "merge" | "drop" | "refuse";
    readonly maxResponseHeader?: number;
    readonly earlyHints?: boolean;
    readonly authorizer?: string;
    readonly filter?: string;
    /** Variables over those of each request. */
    readonly environ?: Readonly<Record<string, string>>;
  };
  readonly gateway: Partial<GatewayOptions>;
  readonly pool: PoolOptions;
  readonly process: ProcessOptions;
}

/**
 * Converts and checks a section.
 *
 * @param scopes - those whose options the server has
 * @throws ConfigError CONFIG_UNKNOWN_OPTION with the nearest spelling, CONFIG_BAD_VALUE, CONFIG_DUPLICATE for two
 * spellings of one option
 */
export function readServerSettings(
  localConf: Conf,
  { placeOf }: Pick<FactoryAid, "placeOf">,
  scopes: readonly OptionScope[] = ["listen", "app", "gateway", "pool", "process"],
): ServerSettings {
  const settings: Record<OptionScope, Record<string, unknown>> = {
    listen: {},
    app: {},
    gateway: {},
    pool: {},
    process: {},
  };
  const known = SERVER_OPTIONS.filter(({ scope }) => scopes.includes(scope));
  const environ: Record<string, string> = {};
  const spelt = new Map<string, string>();
  for (const [key, text] of Object.entries(localConf)) {
    const [, variable] = /^environ\.(.*)$/.exec(key) ?? [];
    if (variable !== undefined && scopes.includes("app")) {
      environ[checkVariable(variable, placeOf(key))] = text;
      settings.app["environ"] = environ;
      continue;
    }
    const option = known.find((option) => option.key === key || option.aliases.includes(key));
    if (option === undefined) {
      const spellings = known.flatMap(({ key, aliases }) => aliases.concat(key));
      const message = `there is no such option${didYouMean(key, spellings)}`;
      throw new ConfigError("CONFIG_UNKNOWN_OPTION", message, placeOf(key));
    }
    const target = settings[option.scope];
    const other = spelt.get(option.name);
    if (other !== undefined) {
      throw new ConfigError("CONFIG_DUPLICATE", `is another word for ${other}, which is given too`, placeOf(key));
    }
    spelt.set(option.name, key);
    const value = convert(option, text, placeOf(key));
    if (option.name === "mount") checkMount(value as string, placeOf(key));
    target[option.name] = value;
  }
  return settings;
}

/** No URL lies below another. */
function checkMount(mount: string, place: ReturnType<FactoryAid["placeOf"]>): void {
  if (mount === "auto" || mount.startsWith("/")) return;
  throw new ConfigError("CONFIG_BAD_VALUE", `"${mount}" is not auto, / or a path such as /james`, place);
}

/** What an app finds in `req.cgi`. */
function checkVariable(name: string, place: ReturnType<FactoryAid["placeOf"]>): string {
  if (VARIABLE_NAME.test(name)) return name;
  throw new ConfigError("CONFIG_BAD_VALUE", `"${name}" is no name of a variable, such as environ.HTTPS`, place);
}

function convert(option: ServerOption, text: string, place: ReturnType<FactoryAid["placeOf"]>): unknown {
  const { kind, min, max, words } = option;
  const fail = (expected: string): never => {
    throw new ConfigError("CONFIG_BAD_VALUE", `"${text}" is not ${expected}`, place);
  };
  const unit = kind === "ms" ? "ms" : "";
  const within = (value: number): number => {
    if (min !== undefined && value < min) return fail(`at least ${min}${unit}`);
    return max !== undefined && value > max ? fail(`at most ${max}${unit}`) : value;
  };
  // An indented line is part of the value above it, which is hardly meant where the value is a name or a path.
  if (text.trim().includes("\n")) fail("one line: an indented line goes on with the one above it");
  switch (kind) {
    case "text":
      return text.trim() === "" ? fail("a value; leave the line out for the default") : text.trim();
    case "boolean":
      return asBool(text, place);
    case "bytes":
      return within(asBytes(text, place));
    case "ms":
      return within(asDuration(text, place));
    case "count":
      return within(asInt(text, place));
    case "mode":
      return asMode(text, place);
    case "port": {
      const port = asInt(text, place);
      return port >= 0 && port <= 65_535 ? port : fail("a port from 0 to 65535");
    }
    case "word":
      return words?.includes(text.trim()) === true ? text.trim() : fail(`one of ${words?.join(", ")}`);
    case "list": {
      const list = asList(text, /[\s,]+/);
      if (words !== undefined && list.length === 0) return fail(`at least one of ${words.join(", ")}`);
      const wrong = words === undefined ? undefined : list.find((word) => !words.includes(word));
      return wrong === undefined ? list : fail(`made of ${words?.join(", ")}`);
    }
  }
}
