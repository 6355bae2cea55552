/** How contexts come to lie round and over one another. */
import { describePlace } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { EvaluatedSection } from "./config-file.ts";
import type { Context, WrappedContext } from "./context.ts";

/** Filters round an app or another filter. */
export function wrap(
  by: WrappedContext["by"],
  filters: readonly Context[],
  inner: Context,
  section: EvaluatedSection,
  options: ReadonlyMap<string, string>,
): WrappedContext {
  const { globalConf, keys, place } = section;
  // What filter-with wraps keeps its own configuration: that is what the section is about.
  const localConf = by === "filter-with" ? inner.localConf : Object.fromEntries(options);
  return { type: "wrapped", by, filters, inner, globalConf, localConf, keys, place };
}

/**
 * The used context under the options of the section that uses it, which win, as its `set` does. The outer file stays
 * the one that `here` and `__file__` name.
 */
export function overlay(
  used: Context,
  section: EvaluatedSection,
  options: ReadonlyMap<string, string>,
  log: Logger,
): Context {
  const { here, __file__ } = section.globalConf;
  const outer = { ...(here === undefined ? {} : { here }), ...(__file__ === undefined ? {} : { __file__ }) };
  const globalConf = { ...used.globalConf, ...section.additions, ...outer };
  const { place } = section;
  if (used.type === "wrapped" && used.by !== "filter-with") {
    for (const key of options.keys()) {
      log.warn(`${describePlace({ ...(section.keys.get(key) ?? place), key })}has no effect on a used ${used.by}`);
    }
    return { ...used, globalConf, place };
  }
  const localConf = { ...used.localConf, ...Object.fromEntries(options) };
  const keys = new Map([...used.keys, ...section.keys]);
  if (used.type !== "wrapped") return { ...used, globalConf, localConf, keys, place };
  return { ...used, inner: overlay(used.inner, section, options, log), globalConf, localConf, keys, place };
}
