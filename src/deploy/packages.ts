/** Finds installed packages and the factories that they offer in the `propylon` field of their package.json. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";

import { ConfigError } from "../errors.ts";
import type { ConfigPlace } from "../errors.ts";
import type { FactoryReference, Protocol } from "./context.ts";
import { didYouMean } from "../suggest.ts";

/** Factory names of one package, by group: `{ server: { fcgi: … } }`. */
export type EntryPoints<Entry = unknown> = Readonly<Partial<Record<Protocol, Readonly<Record<string, Entry>>>>>;

export interface EntryRequest {
  /** As written: `wiki`, `@scope/wiki`; with `normalise` also `Wiki`. */
  readonly package: string;
  readonly entry: string;
  /** Groups in which the entry may stand; within one inner list the first that has it wins. */
  readonly groups: readonly (readonly Protocol[])[];
  /** Where the search begins: the directory of the .ini file. */
  readonly base: string;
  /** `egg:` names are equal if they differ in case or in runs of `-`, `_` and `.` only (PEP 503). */
  readonly normalise: boolean;
  readonly place: ConfigPlace;
}

type PackageRequest = Pick<EntryRequest, "package" | "base" | "normalise" | "place">;

export interface InstalledPackage {
  readonly directory: string;
  readonly name: string;
  /** The `propylon` field of its package.json: factories, and under `install` who installs them. */
  readonly entries: EntryPoints & { readonly install?: Readonly<Record<string, unknown>> };
}

/** The names of PEP 503: lower case, one `-` for a run of `-_.`. */
export function normaliseName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

/**
 * @param builtins - factories that come with propylon, by normalised package name
 * @throws ConfigError CONFIG_NO_PACKAGE, CONFIG_NO_ENTRY_POINT, CONFIG_AMBIGUOUS_ENTRY_POINT
 */
export function findEntryPoint(
  request: EntryRequest,
  builtins: ReadonlyMap<string, EntryPoints>,
): { readonly protocol: Protocol; readonly factory: FactoryReference } {
  const { entry, place } = request;
  // Only as eggs may built-in names hide a package: `package:` means npm's names.
  const builtinName = request.normalise ? normaliseName(request.package) : request.package;
  const builtin = request.normalise || builtinName === "propylon" ? builtins.get(builtinName) : undefined;
  if (builtin !== undefined) {
    const group = pickGroup(request, builtin);
    return { protocol: group, factory: { from: "builtin", package: builtinName, group, entry } };
  }
  const found = findPackage(request);
  const group = pickGroup(request, found.entries);
  const target: unknown = found.entries[group]?.[entry];
  if (typeof target !== "string") {
    const message = `"propylon".${group}.${entry} in ${join(found.directory, "package.json")} is not "module#export"`;
    throw new ConfigError("CONFIG_NO_ENTRY_POINT", message, place);
  }
  const [module = "", name = "default"] = target.split("#", 2);
  return { protocol: group, factory: { from: "module", module, base: found.directory, export: name } };
}

function pickGroup({ package: name, entry, groups, place }: EntryRequest, entries: EntryPoints): Protocol {
  const has = (group: Protocol): boolean => Object.hasOwn(entries[group] ?? {}, entry);
  const possible = groups.flatMap((aliases) => aliases.find(has) ?? []);
  const [group] = possible;
  if (group !== undefined && possible.length === 1) return group;
  if (group !== undefined) {
    const message = `${name} has "${entry}" as ${possible.join(" and as ")}`;
    throw new ConfigError("CONFIG_AMBIGUOUS_ENTRY_POINT", message, place);
  }
  const offered = groups.flat().flatMap((group) => Object.keys(entries[group] ?? {}).map((key) => `${group} "${key}"`));
  const names = groups.flat().flatMap((group) => Object.keys(entries[group] ?? {}));
  const list =
    offered.length === 0 ? `it offers no ${groups.flat().join(" or ")} at all` : `it has ${offered.join(", ")}`;
  const message = `package ${name} has no ${groups.flat().join(" or ")} "${entry}"${didYouMean(entry, names)} (${list})`;
  throw new ConfigError("CONFIG_NO_ENTRY_POINT", message, place);
}

/**
 * The package.json is read from its directory, since an `exports` map need not show it. A package also finds itself by
 * its own name, so that an .ini file in its source tree works before it is installed.
 *
 * @throws ConfigError CONFIG_NO_PACKAGE
 */
export function findPackage(request: PackageRequest): InstalledPackage {
  const searched: string[] = [];
  const seen = new Set<string>();
  for (let directory = request.base; ; directory = dirname(directory)) {
    const own = readPackage(directory);
    if (own !== undefined && sameName(own.name, request)) return own;
    const modules = join(directory, "node_modules");
    searched.push(modules);
    for (const name of candidates(modules, request)) {
      const found = readPackage(join(modules, name), request.place);
      if (found !== undefined) return found;
    }
    for (const name of listPackages(modules)) seen.add(name);
    if (dirname(directory) === directory) break;
  }
  const message =
    `package "${request.package}" is not installed${didYouMean(request.package, seen)} ` +
    `(searched: ${searched.join(", ")}); "npm install ${request.package}" in the directory of the file may be missing`;
  throw new ConfigError("CONFIG_NO_PACKAGE", message, request.place);
}

function candidates(modules: string, request: PackageRequest): string[] {
  if (!/^(?:@[^/\\]+\/)?[^/\\.][^/\\]*$/.test(request.package)) return [];
  return request.normalise ? listPackages(modules).filter((name) => sameName(name, request)) : [request.package];
}

function sameName(name: string, request: PackageRequest): boolean {
  return request.normalise ? normaliseName(name) === normaliseName(request.package) : name === request.package;
}

function listPackages(modules: string): string[] {
  const list = (directory: string): string[] => {
    try {
      return readdirSync(directory).filter((name) => !name.startsWith("."));
    } catch {
      return [];
    }
  };
  return list(modules).flatMap((name) =>
    name.startsWith("@") ? list(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
  );
}

/** @throws ConfigError of the `place`, if there is one, for a package.json that is none; else it counts as missing. */
function readPackage(directory: string, place?: ConfigPlace): InstalledPackage | undefined {
  const file = join(directory, "package.json");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    if (place === undefined) return undefined;
    const message = `${file} is no JSON: ${(error as Error).message}`;
    throw new ConfigError("CONFIG_NO_PACKAGE", message, place, { cause: error });
  }
  if (typeof content !== "object" || content === null) return undefined;
  const { name, propylon } = content as { name?: unknown; propylon?: unknown };
  const entries = typeof propylon === "object" && propylon !== null ? (propylon as EntryPoints) : {};
  return { directory, name: typeof name === "string" ? name : "", entries };
}

/** The package in whose directory, or below it, `directory` lies; undefined outside of any. */
export function packageAround(directory: string): InstalledPackage | undefined {
  for (let at = directory; ; at = dirname(at)) {
    const found = readPackage(at);
    if (found !== undefined && found.name !== "") return found;
    if (dirname(at) === at) return undefined;
  }
}

/** Those with a `propylon` field that a configuration in `directory` finds; the nearest of each name. */
export function installedPackages(directory: string): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>();
  const add = (candidate: InstalledPackage | undefined): void => {
    if (candidate === undefined || candidate.name === "" || Object.keys(candidate.entries).length === 0) return;
    if (!found.has(candidate.name)) found.set(candidate.name, candidate);
  };
  for (let at = directory; ; at = dirname(at)) {
    add(readPackage(at));
    const modules = join(at, "node_modules");
    for (const name of listPackages(modules)) add(readPackage(join(modules, name)));
    if (dirname(at) === at) return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }
}
