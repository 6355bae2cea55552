/** Resolves URIs and section names to contexts: the first of the two phases, in which no code of an app is touched. */
import { isAbsolute, resolve } from "node:path";

import { ConfigError } from "../errors.ts";
import type { ConfigPlace } from "../errors.ts";
import { type Logger, silentLogger } from "../log.ts";
import { ConfigFile, type EvaluatedSection, type FileTexts } from "./config-file.ts";
import type { Conf, Context, FactoryContext, FindContext, Kind, Protocol } from "./context.ts";
import { type EntryPoints, findEntryPoint, findPackage, normaliseName } from "./packages.ts";
import { type FindNext, describeSection, take } from "./section.ts";
import { didYouMean } from "../suggest.ts";
import { decodePath, isUri, moduleReference, splitOnce } from "./uri.ts";
import { wrap } from "./wrapping.ts";

export interface DescribeOptions {
  /** Section or entry point; wins over the URI's `#name`. Default "main". */
  readonly name?: string | undefined;
  /** The directory that a relative `config:` path, a package or a `call:` file is looked for from. */
  readonly relativeTo?: string | undefined;
  /** Variables over `[DEFAULT]`, as `var=value` of the command line. */
  readonly globalConf?: Conf | undefined;
  /** Factories that come with propylon, by normalised package name. */
  readonly builtins?: ReadonlyMap<string, EntryPoints> | undefined;
  /** Files that need not be read; gets those that are. Default: all are read. */
  readonly files?: FileTexts | undefined;
  /** Hears of options that have no effect. Default: nobody. */
  readonly log?: Logger | undefined;
  /** The option that asks, for errors. */
  readonly place?: ConfigPlace | undefined;
}

/** One question to the loader. */
interface Request {
  readonly kind: Kind;
  readonly name: string | undefined;
  readonly globalConf: Conf;
  readonly base: string | undefined;
  /** The option that asks. */
  readonly place: ConfigPlace;
  /** The sections on the way here, for loops. */
  readonly trail: readonly string[];
}

/** Groups in which an entry point of each kind may stand; within one inner list the first one wins. */
const GROUPS: Readonly<Record<Kind, readonly (readonly Protocol[])[]>> = {
  app: [["app"], ["composite"]],
  filter: [["filter", "filterApp"]],
  server: [["server", "serverRunner"]],
};

const NOTHING: Pick<FactoryContext, "localConf" | "keys"> = { localConf: {}, keys: new Map() };

/**
 * Describes what a URI names: `config:file.ini#section`, `egg:Name#entry`, `package:name#entry`, `call:module:export`.
 *
 * @throws ConfigError with file, section, key and line as far as they are known
 */
export function describe(kind: Kind, uri: string, options: DescribeOptions = {}): Context {
  const loader = new Loader(options);
  const { name, relativeTo: base, globalConf = {}, place = {} } = options;
  return loader.describeUri(uri, { kind, name, globalConf, base, place, trail: [] });
}

class Loader {
  readonly #builtins: ReadonlyMap<string, EntryPoints>;
  readonly #caller: Conf;
  readonly #files: FileTexts;
  readonly #log: Logger;

  constructor({ builtins = new Map(), globalConf = {}, files = new Map(), log = silentLogger }: DescribeOptions) {
    this.#files = files;
    this.#builtins = builtins;
    this.#caller = globalConf;
    this.#log = log;
  }

  describeUri(uri: string, request: Request): Context {
    const [address, fragment] = splitOnce(uri, "#");
    const name = request.name ?? fragment;
    const [scheme, rest] = splitOnce(address, ":");
    if (rest === undefined) {
      const message = `"${uri}" has no scheme (config:, egg:, package: or call:)`;
      throw new ConfigError("CONFIG_UNKNOWN_SCHEME", message, request.place);
    }
    switch (scheme.toLowerCase()) {
      case "config":
        return this.#describeConfig(uri, rest, { ...request, name });
      case "egg":
      case "package":
        return this.#describeEntry(rest, scheme.toLowerCase() === "egg", { ...request, name });
      case "call":
        return this.#describeCall(rest, request);
      default: {
        const hint = didYouMean(scheme, ["config", "egg", "package", "call"]);
        const message = `"${scheme}:" is not a known scheme${hint} (known: config:, egg:, package:, call:)`;
        throw new ConfigError("CONFIG_UNKNOWN_SCHEME", message, request.place);
      }
    }
  }

  #describeConfig(uri: string, rest: string, request: Request): Context {
    const { base, globalConf, place } = request;
    const path = decodePath(rest.trim().replaceAll("\\", "/"), place);
    if (!isAbsolute(path) && base === undefined) {
      throw new ConfigError("CONFIG_BAD_VALUE", `"${uri}" is relative, and nothing says to what`, place);
    }
    const surroundings = { inherited: globalConf, caller: this.#caller, files: this.#files, log: this.#log };
    const file = new ConfigFile(resolve(base ?? "/", path), surroundings, place);
    return this.#describeSection(file, { ...request, name: request.name ?? "main" });
  }

  #describeEntry(name: string, normalise: boolean, request: Request): Context {
    const { kind, globalConf, place } = request;
    const base = request.base ?? process.cwd();
    const groups = GROUPS[kind];
    const entry = request.name ?? "main";
    const found = findEntryPoint({ package: name.trim(), entry, groups, base, normalise, place }, this.#builtins);
    const find: FindContext = (kind, entry, globalConf = {}) => {
      const next = { ...request, kind, globalConf };
      return entry !== undefined && isUri(entry)
        ? this.describeUri(entry, { ...next, name: undefined })
        : this.#describeEntry(name, normalise, { ...next, name: entry });
    };
    return { type: found.protocol, factory: found.factory, globalConf, ...NOTHING, place, find };
  }

  #describeCall(rest: string, request: Request): Context {
    const { kind, globalConf, place } = request;
    const factory = moduleReference(rest, request.base ?? process.cwd(), place);
    const find: FindContext = (kind, name, globalConf = {}) =>
      this.describeUri(name ?? "", { ...request, kind, globalConf, name: undefined });
    return { type: kind, factory, globalConf, ...NOTHING, place, find };
  }

  /** `name` is a section of `file` or a URI. */
  #describeName(file: ConfigFile, request: Request): Context {
    const { name } = request;
    return name !== undefined && isUri(name)
      ? this.describeUri(name, { ...request, name: undefined, base: file.directory })
      : this.#describeSection(file, request);
  }

  #describeSection(file: ConfigFile, request: Request): Context {
    const { kind, name, globalConf, place } = request;
    const found = file.findSection(kind, name, place);
    const step = `[${found}] in ${file.path}`;
    if (request.trail.includes(step)) {
      const loop = [...request.trail.slice(request.trail.indexOf(step)), step].join(", then ");
      throw new ConfigError("CONFIG_LOOP", `sections use each other without end: ${loop}`, place);
    }
    const section = file.evaluate(found, globalConf);
    const options = new Map(section.options);
    const trail = [...request.trail, step];
    const next: FindNext = (kind, name, key) =>
      this.#describeName(file, {
        ...{ kind, name, trail, globalConf: section.globalConf, base: file.directory },
        place: section.keys.get(key) ?? section.place,
      });
    const find: FindContext = (kind, name, globalConf = {}) => {
      const [key = ""] = [...section.options].find(([, value]) => value === name) ?? [];
      const place = section.keys.get(key) ?? section.place;
      return this.#describeName(file, { kind, name, trail, globalConf, base: file.directory, place });
    };

    const filterWith = kind === "server" ? undefined : take(options, "filter-with");
    this.#require(take(options, "require"), section, file.directory);
    const prefix = found.split(":", 1)[0]!;
    const context = describeSection(prefix, kind, section, options, {
      base: file.directory,
      next,
      find,
      log: this.#log,
    });
    if (filterWith === undefined) return context;
    const filter = next("filter", filterWith, "filter-with");
    return wrap("filter-with", [filter], context, section, new Map());
  }

  #require(packages: string | undefined, section: EvaluatedSection, base: string): void {
    for (const name of packages?.split(/\s+/).filter(Boolean) ?? []) {
      const place = section.keys.get("require") ?? section.place;
      if (this.#builtins.has(normaliseName(name))) continue;
      findPackage({ package: name, base, normalise: true, place });
    }
  }
}
