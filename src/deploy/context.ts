/** Types of the description tree: what a configuration names, before anything of it is imported or run. */
import type { ConfigPlace } from "../errors.ts";

/** What is asked for: how a section's names, entry points and factories are chosen. */
export type Kind = "app" | "filter" | "server";

/** How a factory is called; the names are those of the `propylon` field in a package.json. */
export type Protocol = "app" | "composite" | "filter" | "filterApp" | "server" | "serverRunner";

/** Names to strings, in the order of the file. */
export type Conf = Readonly<Record<string, string>>;

/** Where the factory's code is. */
export type FactoryReference =
  /** A factory that comes with propylon. */
  | { readonly from: "builtin"; readonly package: string; readonly group: Protocol; readonly entry: string }
  /** `module` is a path or a package name as written, to be found from the directory `base`. */
  | { readonly from: "module"; readonly module: string; readonly base: string; readonly export: string }
  /** The same, but the export is the app itself and no factory (`propylon.app = module:export`). */
  | { readonly from: "ready"; readonly module: string; readonly base: string; readonly export: string };

interface Described {
  readonly globalConf: Conf;
  readonly localConf: Conf;
  /** Where it is described; without a section for a bare URI. */
  readonly place: ConfigPlace;
  /** Where the keys of `localConf` stand. */
  readonly keys: ReadonlyMap<string, ConfigPlace>;
}

/** One factory and its configuration. */
export interface FactoryContext extends Described {
  readonly type: Protocol;
  readonly factory: FactoryReference;
  /** Finds the objects that a composite's factory asks for by name. */
  readonly find: FindContext;
}

/** Filters round an app, or round a filter (which gives a filter). */
export interface WrappedContext extends Described {
  readonly type: "wrapped";
  readonly by: "pipeline" | "filter-app" | "filter-with";
  /** The first is outermost. */
  readonly filters: readonly Context[];
  readonly inner: Context;
}

export type Context = FactoryContext | WrappedContext;

/** Describes what `name` stands for in the file of a context; without a name the section `[app]` or `[app:main]`. */
export type FindContext = (kind: Kind, name: string | undefined, globalConf: Conf | undefined) => Context;
