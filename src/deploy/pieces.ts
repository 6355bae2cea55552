/** Paste's own apps and filters, as a configuration calls them: `egg:Paste#urlmap`, `egg:PasteDeploy#prefix` and the like. */
import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";

import type { NodeHandler } from "../app/handler.ts";
import { nodeHandler } from "../app/node-handler.ts";
import { ConfigError, describePlace } from "../errors.ts";
import { cascade } from "../middleware/cascade.ts";
import { getLogger, hasLoggers } from "../logging/loggers.ts";
import { type PrefixOptions, prefix } from "../middleware/prefix.ts";
import { COMBINED, translogger } from "../middleware/translogger.ts";
import { type MapPlace, parseMapPlace, urlmap } from "../middleware/urlmap.ts";
import { errorCatcher, gzip } from "../middleware/wrappers.ts";
import { didYouMean } from "../suggest.ts";
import type { Conf } from "./context.ts";
import { asBool, asInt, asList } from "./converters.ts";
import type { FactoryAid, Loader } from "./create.ts";

type AppPiece = (globalConf: Conf, localConf: Conf, aid: FactoryAid) => Promise<NodeHandler>;
type CompositePiece = (loader: Loader, globalConf: Conf, localConf: Conf, aid: FactoryAid) => Promise<NodeHandler>;
type FilterPiece = (app: unknown, globalConf: Conf, localConf: Conf, aid: FactoryAid) => Promise<NodeHandler>;

/** Keys of Paste's error_catcher that say where mail and files go; propylon's log has the errors. */
const CATCHER_KEYS = ["error_email", "error_log", "show_exceptions_in_wsgi_errors", "from_address", "smtp_server"];
const MAIL_KEYS = ["smtp_username", "smtp_password", "smtp_use_tls", "error_subject_prefix", "error_message"];
const MOST_HOPS = 64;

/** `document_root`, `cache_max_age` in seconds. */
export const staticApp: AppPiece = async (globalConf, localConf, aid) => {
  checkKeys(localConf, ["document_root", "cache_max_age"], aid);
  const { document_root: root, cache_max_age: age } = localConf;
  if (root === undefined) throw new ConfigError("CONFIG_BAD_VALUE", "document_root is missing", aid.placeOf());
  const directory = isAbsolute(root) ? root : resolve(globalConf["here"] ?? ".", root);
  if (!existsSync(directory)) {
    aid.log.warn(`${describePlace(aid.placeOf("document_root"))}there is no directory ${directory}`);
  }
  const maxAge = age === undefined ? 0 : asInt(age, aid.placeOf("cache_max_age")) * 1000;
  const { default: serveStatic } = await import("serve-static");
  const serve = serveStatic(directory, { maxAge, fallthrough: true });
  return async (request, response) => {
    await new Promise<void>((done, reject) => {
      response.once("close", () => done());
      serve(request, response, (error?: unknown) => {
        if (error !== undefined) reject(error);
        else response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("Not Found\n");
      });
    });
  };
};

/** Keys are places (`/blog`, `domain example.org /`), values are apps; `not_found_app` answers for the rest. */
export const urlmapApp: CompositePiece = async (loader, globalConf, localConf, aid) => {
  const places: [MapPlace, NodeHandler][] = [];
  let notFound: NodeHandler | undefined;
  for (const [key, name] of Object.entries(localConf)) {
    const get = async (): Promise<NodeHandler> =>
      await nodeHandler(await loader.getApp(name, { globalConf }), { where: `"${name}"` });
    const place = parseMapPlace(key);
    if (key === "not_found_app") notFound = await get();
    else if (place !== null) places.push([place, await get()]);
    else {
      const message = `"${key}" is no place: /path, domain HOST /path, domain HOST port N /path, or not_found_app`;
      throw new ConfigError("CONFIG_UNKNOWN_OPTION", message, aid.placeOf(key));
    }
  }
  return urlmap(places, notFound);
};

/** `app…` are tried in the order of their keys; `catch` lists the statuses that lead to the next (404). */
export const cascadeApp: CompositePiece = async (loader, globalConf, localConf, aid) => {
  const names = Object.keys(localConf).filter((key) => key.startsWith("app"));
  checkKeys(localConf, [...names, "catch"], aid);
  if (names.length === 0) throw new ConfigError("CONFIG_BAD_VALUE", "no app to try: app1 = …", aid.placeOf());
  const apps: NodeHandler[] = [];
  for (const key of names.toSorted()) {
    const app = await loader.getApp(localConf[key], { globalConf });
    apps.push(await nodeHandler(app, { where: `"${localConf[key]}"` }));
  }
  const caught = asList(localConf["catch"] ?? "404", /[\s,]+/);
  return cascade(apps, new Set(caught.map((status) => asInt(status, aid.placeOf("catch")))));
};

/** `compress_level` from 1 to 9. */
export const gzipFilter: FilterPiece = async (app, _globalConf, localConf, aid) => {
  checkKeys(localConf, ["compress_level"], aid);
  const place = aid.placeOf("compress_level");
  const level = asInt(localConf["compress_level"] ?? "6", place);
  if (level < 1 || level > 9) throw new ConfigError("CONFIG_BAD_VALUE", `${level} is not from 1 to 9`, place);
  return await gzip(await nodeHandler(app, { where: "the app of gzip" }), { level });
};

/** `debug` shows the stack to clients on this machine. Paste's keys for mail are passed over: the log has the errors. */
export const errorCatcherFilter: FilterPiece = async (app, globalConf, localConf, aid) => {
  checkKeys(localConf, ["debug", ...CATCHER_KEYS, ...MAIL_KEYS], aid);
  const debug = asBool(localConf["debug"] ?? globalConf["debug"] ?? false, aid.placeOf("debug"));
  return errorCatcher(await nodeHandler(app, { where: "the app of error_catcher" }), { debug, log: aid.log });
};

const TRANSLOGGER_KEYS = ["format", "logger_name", "logging_level", "setup_console_handler", "set_logger_level"];
const METHODS = {
  debug: "debug",
  info: "info",
  warn: "warning",
  warning: "warning",
  error: "error",
  critical: "critical",
} as const;

/**
 * `format`, `logger_name` (wsgi), `logging_level` (INFO). Without logging sections the lines are propylon's own, on
 * standard error, unless `setup_console_handler` is false.
 */
export const transloggerFilter: FilterPiece = async (app, _globalConf, localConf, aid) => {
  checkKeys(localConf, TRANSLOGGER_KEYS, aid);
  const { format = COMBINED, logger_name: name = "wsgi", logging_level: level = "INFO" } = localConf;
  const method = METHODS[oneOf(Object.keys(METHODS) as (keyof typeof METHODS)[], level, aid.placeOf("logging_level"))];
  const aloud = asBool(localConf["setup_console_handler"] ?? true, aid.placeOf("setup_console_handler"));
  const logger = getLogger(name);
  const write = (line: string): void => {
    if (hasLoggers()) logger[method]("%s", line);
    else if (aloud) aid.log.info(line);
  };
  const handler = await nodeHandler(app, { where: "the app of translogger" });
  try {
    return translogger(handler, format, write);
  } catch (error) {
    throw new ConfigError("CONFIG_BAD_VALUE", (error as Error).message, aid.placeOf("format"));
  }
};

/** Shows the app the section's configuration, over the global one, as `req.config`. */
export const configFilter: FilterPiece = async (app, globalConf, localConf) => {
  const handler = await nodeHandler(app, { where: "the app of config" });
  const config = Object.freeze({ ...globalConf, ...localConf });
  return (request, response) => handler(Object.assign(request, { config }), response);
};

const PREFIX_KEYS = [
  "prefix",
  "force_port",
  "scheme",
  "translate_forwarded_server",
  "trusted_proxies",
  "forwarded_header",
];

/** PrefixMiddleware: see `prefix`. `trusted_proxies` are addresses and networks, or how many proxies there are. */
export const prefixFilter: FilterPiece = async (app, _globalConf, localConf, aid) => {
  checkKeys(localConf, PREFIX_KEYS, aid);
  const { prefix: mount, force_port: port, scheme, forwarded_header: header = "x-forwarded" } = localConf;
  const translates = localConf["translate_forwarded_server"];
  const believes = asBool(translates ?? true, aid.placeOf("translate_forwarded_server"));
  const trustedProxies = believes ? trusted(localConf["trusted_proxies"], aid) : [];
  if (believes && translates !== undefined && localConf["trusted_proxies"] === undefined) {
    const place = describePlace(aid.placeOf("translate_forwarded_server"));
    aid.log.warn(`${place}forwarded headers count only from trusted_proxies, and there are none`);
  }
  const options: PrefixOptions = {
    ...(mount === undefined ? {} : { prefix: mount }),
    ...(port === undefined ? {} : { forcePort: port === "" ? "" : portOf(port, aid) }),
    ...(scheme === undefined ? {} : { scheme: oneOf(["http", "https"], scheme, aid.placeOf("scheme")) }),
    forwardedHeader: oneOf(["x-forwarded", "forwarded"], header, aid.placeOf("forwarded_header")),
    trustedProxies,
  };
  return prefix(await nodeHandler(app, { where: "the app of prefix" }), options, aid.placeOf("trusted_proxies"));
};

function trusted(text: string | undefined, aid: FactoryAid): readonly string[] | number {
  const words = asList(text, /[\s,]+/);
  if (words.length !== 1 || !/^\d+$/.test(words[0]!)) return words;
  const hops = asInt(words[0]!, aid.placeOf("trusted_proxies"));
  if (hops <= MOST_HOPS) return hops;
  throw new ConfigError("CONFIG_BAD_VALUE", `${hops} proxies are too many`, aid.placeOf("trusted_proxies"));
}

function portOf(text: string, aid: FactoryAid): number {
  const place = aid.placeOf("force_port");
  const port = asInt(text, place);
  if (port < 1 || port > 65_535) throw new ConfigError("CONFIG_BAD_VALUE", `${port} is no port`, place);
  return port;
}

function oneOf<const Word extends string>(
  words: readonly Word[],
  text: string,
  place: ReturnType<FactoryAid["placeOf"]>,
): Word {
  const found = words.find((word) => word === text.trim().toLowerCase());
  if (found !== undefined) return found;
  throw new ConfigError("CONFIG_BAD_VALUE", `"${text}" is none of ${words.join(", ")}`, place);
}

function checkKeys(conf: Conf, known: readonly string[], aid: FactoryAid): void {
  for (const key of Object.keys(conf)) {
    if (known.includes(key)) continue;
    const message = `"${key}" is no option here${didYouMean(key, known)} (there are ${known.join(", ")})`;
    throw new ConfigError("CONFIG_UNKNOWN_OPTION", message, aid.placeOf(key));
  }
}
