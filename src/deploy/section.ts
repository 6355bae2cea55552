/** What one section describes: a pipeline, a filter with its app, or a factory by `use` or by name. */
import { ConfigError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { EvaluatedSection } from "./config-file.ts";
import type { Context, FactoryContext, FactoryReference, FindContext, Kind, Protocol } from "./context.ts";
import { nearestName } from "../suggest.ts";
import { isUri, moduleReference } from "./uri.ts";
import { overlay, wrap } from "./wrapping.ts";

/** Keys that name a factory in place of `use`. */
const PROTOCOL_KEYS: Readonly<Record<Kind, Readonly<Record<string, Protocol>>>> = {
  app: {
    "paste.app_factory": "app",
    "paste.composite_factory": "composite",
    "paste.composit_factory": "composite",
    "propylon.app": "app",
  },
  filter: { "paste.filter_factory": "filter", "paste.filter_app_factory": "filterApp" },
  server: { "paste.server_factory": "server", "paste.server_runner": "serverRunner" },
};

export type FindNext = (kind: Kind, name: string, key: string) => Context;

export interface Within {
  readonly base: string;
  /** What a value of this section names. */
  readonly next: FindNext;
  readonly find: FindContext;
  readonly log: Logger;
}

/**
 * What a section describes, its `filter-with` left aside.
 *
 * @param prefix - of the section's name
 * @param options - its options; what is understood here is taken out
 * @throws ConfigError CONFIG_NO_LOADER, CONFIG_UNKNOWN_OPTION, CONFIG_BAD_VALUE, CONFIG_AMBIGUOUS_SECTION
 */
export function describeSection(
  prefix: string,
  kind: Kind,
  section: EvaluatedSection,
  options: Map<string, string>,
  within: Within,
): Context {
  if (prefix === "pipeline") {
    const names = need(options, "pipeline", section).split(/\s+/).filter(Boolean);
    const last = names.pop();
    if (last === undefined) throw new ConfigError("CONFIG_BAD_VALUE", "names no app", section.keys.get("pipeline"));
    for (const key of options.keys()) {
      const message = "a pipeline has only pipeline, filter-with, set and require";
      throw new ConfigError("CONFIG_UNKNOWN_OPTION", message, section.keys.get(key));
    }
    const inner = within.next("app", last, "pipeline");
    const filters = names.map((name) => within.next("filter", name, "pipeline"));
    return wrap("pipeline", filters, inner, section, options);
  }
  if (prefix === "filter-app") {
    const inner = within.next("app", need(options, "next", section), "next");
    const filter = describeFactory("filter", "filter", section, options, within);
    return wrap("filter-app", [filter], inner, section, options);
  }
  const composite = prefix === "composite" || prefix === "composit";
  return describeFactory(kind, composite ? "composite" : kind, section, options, within);
}

/** By `use`, or by a key that names the factory itself. `called` is how `call:` is called in such a section. */
function describeFactory(
  kind: Kind,
  called: Protocol,
  section: EvaluatedSection,
  options: Map<string, string>,
  within: Within,
): Context {
  const use = take(options, "use");
  if (use !== undefined) {
    const target = within.next(kind, use, "use");
    return overlay(
      target.type === "wrapped" ? target : localise(target, use, called, within),
      section,
      options,
      within.log,
    );
  }
  const given = Object.keys(PROTOCOL_KEYS[kind]).filter((key) => options.has(key));
  const [key] = given;
  if (key === undefined) {
    const message = 'nothing says what it is: write "use = package:name#entry" or "use = call:./file.js:export"';
    throw missing(message, ["use", ...Object.keys(PROTOCOL_KEYS[kind])], options, section);
  }
  if (given.length > 1) {
    throw new ConfigError("CONFIG_AMBIGUOUS_SECTION", `has ${given.join(" and ")}; keep one`, section.place);
  }
  const reference = moduleReference(take(options, key)!, within.base, section.keys.get(key)!);
  const factory: FactoryReference = key === "propylon.app" ? { ...reference, from: "ready" } : reference;
  const { globalConf, keys, place } = section;
  const localConf = Object.fromEntries(options);
  return { type: PROTOCOL_KEYS[kind][key]!, factory, globalConf, localConf, keys, place, find: within.find };
}

/** A factory that a section names directly finds names in the section's file; `call:` is called as the section says. */
function localise(target: FactoryContext, use: string, called: Protocol, { find }: Within): FactoryContext {
  if (!isUri(use) || /^config:/i.test(use)) return target;
  return { ...target, find, type: /^call:/i.test(use) ? called : target.type };
}

function need(options: Map<string, string>, key: string, section: EvaluatedSection): string {
  const value = take(options, key);
  if (value === undefined) throw missing(`the section needs "${key} = …"`, [key], options, section);
  return value;
}

/** None of the keys `wanted` is there; one of the others may be meant to be. */
function missing(
  message: string,
  wanted: readonly string[],
  options: ReadonlyMap<string, string>,
  { place, keys }: EvaluatedSection,
): ConfigError {
  for (const given of options.keys()) {
    const [word = "", rest] = given.split(/\s+/, 2);
    const unparted = rest !== undefined && wanted.includes(word);
    const meant = unparted ? word : nearestName(given, wanted);
    if (meant === undefined) continue;
    const hint = unparted ? `a = is missing behind "${word}"` : `did you mean "${meant}" by "${given}"?`;
    return new ConfigError("CONFIG_NO_LOADER", `${message}; ${hint}`, { ...place, line: keys.get(given)?.line });
  }
  return new ConfigError("CONFIG_NO_LOADER", message, place);
}

/** An option that is understood by the language goes no further. */
export function take(options: Map<string, string>, key: string): string | undefined {
  const value = options.get(key);
  options.delete(key);
  return value;
}
