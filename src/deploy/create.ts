/** Makes the objects that contexts describe: the second phase, in which an app's code is loaded and its factories run. */
import { describeValue, isReadyApp } from "../app/adapt.ts";
import { loadExport } from "../app/load.ts";
import { ConfigError } from "../errors.ts";
import type { ConfigPlace } from "../errors.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { Conf, Context, FactoryContext, FactoryReference, Kind, WrappedContext } from "./context.ts";
import type { EntryPoints } from "./packages.ts";

/** What a composite's factory gets as its first argument. A name is a section of the composite's file or a URI. */
export interface Loader {
  getApp(name?: string, options?: { globalConf?: Conf }): Promise<unknown>;
  getFilter(name?: string, options?: { globalConf?: Conf }): Promise<unknown>;
  getServer(name?: string, options?: { globalConf?: Conf }): Promise<unknown>;
}

/** What a factory that comes with propylon gets as its last argument. */
export interface FactoryAid {
  readonly log: Logger;
  /** Where the section stands, or one of its keys. */
  readonly placeOf: (key?: string) => ConfigPlace;
}

export interface CreateOptions {
  readonly builtins?: ReadonlyMap<string, EntryPoints> | undefined;
  readonly log?: Logger | undefined;
}

type Callable = (...args: unknown[]) => unknown;

/**
 * An app context gives the app, a filter context `app => app`, a server context `app => running`.
 *
 * @throws ConfigError of the context's place: APP_LOAD_FAILED (the app's own error is its `cause`), APP_WRONG_EXPORT
 */
export async function create(context: Context, options: CreateOptions = {}): Promise<unknown> {
  return context.type === "wrapped" ? await createWrapped(context, options) : await createFactory(context, options);
}

/** Where an app comes from, for error messages. */
export function nameOf(context: Context): string {
  if (context.type === "wrapped") return nameOf(context.inner);
  const { factory } = context;
  if (factory.from === "builtin") return `${factory.package}#${factory.entry}`;
  return `"${factory.export}" of ${factory.module}`;
}

/** Filters are laid on from the inside out. Round an app they give an app, round a filter a filter. */
async function createWrapped({ inner, filters }: WrappedContext, options: CreateOptions): Promise<unknown> {
  const made = await create(inner, options);
  const layers: Callable[] = [];
  for (const filter of filters.toReversed()) layers.push((await create(filter, options)) as Callable);
  const wrapAll = async (app: unknown): Promise<unknown> => {
    let wrapped = app;
    for (const layer of layers) wrapped = await layer(wrapped);
    return wrapped;
  };
  if (!isFilter(inner)) return await wrapAll(made);
  return async (app: unknown) => await wrapAll(await (made as Callable)(app));
}

function isFilter(context: Context): boolean {
  if (context.type === "wrapped") return isFilter(context.inner);
  return context.type === "filter" || context.type === "filterApp";
}

async function createFactory(context: FactoryContext, options: CreateOptions): Promise<unknown> {
  const { type, factory } = context;
  const place = context.keys.get("use") ?? context.place;
  const value = await loadFactory(factory, options, place);
  if (type === "app" && (factory.from === "ready" || isReadyApp(value))) return value;
  if (typeof value !== "function") {
    const message = `${nameOf(context)} is ${describeValue(value)}; a factory (globalConf, localConf) was expected`;
    throw new ConfigError("APP_WRONG_EXPORT", message, place);
  }
  const { log = silentLogger } = options;
  const aid: FactoryAid = {
    log,
    placeOf: (key) => (key === undefined ? context.place : (context.keys.get(key) ?? context.place)),
  };
  const after = factory.from === "builtin" ? [aid] : [];
  const call = async (...before: unknown[]): Promise<unknown> => {
    try {
      return await (value as Callable)(...before, { ...context.globalConf }, { ...context.localConf }, ...after);
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      const message = `${nameOf(context)} failed: ${reason}${readyHint(context, value as Callable, error)}`;
      throw new ConfigError("APP_LOAD_FAILED", message, place, { cause: error });
    }
  };
  switch (type) {
    case "app":
      return expectValue(await call(), context, place);
    case "composite":
      return expectValue(await call(loaderOf(context, options)), context, place);
    case "filter":
    case "server":
      return expectFunction(await call(), context, place);
    case "filterApp":
      return async (app: unknown) => expectValue(await call(app), context, place);
    case "serverRunner":
      return async (app: unknown) => await call(app);
  }
}

/** A function `(req, res)` in a factory's place fails at once: a configuration has none of a response's methods. */
function readyHint({ type, factory }: FactoryContext, value: Callable, error: unknown): string {
  if (type !== "app" || factory.from !== "module" || value.length !== 2) return "";
  if (!(error instanceof TypeError && error.message.endsWith(" is not a function"))) return "";
  return `; if it is an app (req, res) and no factory, write "propylon.app = ${factory.module}:${factory.export}"`;
}

async function loadFactory(factory: FactoryReference, options: CreateOptions, place: ConfigPlace): Promise<unknown> {
  if (factory.from !== "builtin") return await loadExport(factory, place);
  return options.builtins?.get(factory.package)?.[factory.group]?.[factory.entry];
}

function loaderOf(context: FactoryContext, options: CreateOptions): Loader {
  const get =
    (kind: Kind) =>
    async (name?: string, { globalConf }: { globalConf?: Conf } = {}) =>
      await create(context.find(kind, name, globalConf), options);
  return { getApp: get("app"), getFilter: get("filter"), getServer: get("server") };
}

function expectValue(value: unknown, context: FactoryContext, place: ConfigPlace): unknown {
  if (value !== undefined && value !== null) return value;
  const message = `the factory ${nameOf(context)} returned ${String(value)}; it must return an app`;
  throw new ConfigError("APP_WRONG_EXPORT", message, place);
}

function expectFunction(value: unknown, context: FactoryContext, place: ConfigPlace): unknown {
  if (typeof value === "function") return value;
  const message = `the factory ${nameOf(context)} returned ${describeValue(value)}; it must return a function of an app`;
  throw new ConfigError("APP_WRONG_EXPORT", message, place);
}
