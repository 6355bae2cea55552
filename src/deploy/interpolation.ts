/** Replaces `%(name)s` in values by other values. */
import { ConfigError } from "../errors.ts";
import type { ConfigPlace } from "../errors.ts";
import { didYouMean } from "../suggest.ts";

/** A value that `%(name)s` may stand for. A literal is used as it is, anything else is a template itself. */
export interface Variable {
  readonly value: string;
  readonly literal: boolean;
}

export interface Variables {
  /**
   * @param within - the key in whose value the name stands: `port = %(port)s` means the one of the layer below
   */
  get(name: string, within: string | undefined): Variable | undefined;
  keys(): Iterable<string>;
}

/** How deep values may refer to values. */
const MAX_DEPTH = 10;

/**
 * `%(name)s` is the value of `name`, `%(env:NAME)s` an environment variable, `%%` a percent sign.
 *
 * @param raw - the value as written
 * @param place - of the value, for errors
 * @throws ConfigError CONFIG_INTERPOLATION with the place, the missing name and the raw value
 */
export function interpolate(raw: string, variables: Variables, place: ConfigPlace): string {
  return expand(raw, place.key, 1);

  function fail(what: string): never {
    throw new ConfigError("CONFIG_INTERPOLATION", `${what}; the raw value is "${raw}"`, place);
  }

  function expand(template: string, within: string | undefined, depth: number): string {
    if (!template.includes("%")) return template;
    if (depth > MAX_DEPTH) fail(`values refer to each other more than ${MAX_DEPTH} deep`);
    return template.replace(/%(?:%|\(([^)]+)\)s|.{0,20})/gs, (found, name: string | undefined) => {
      if (found === "%%") return "%";
      if (name === undefined) fail(`a % must be written %% or begin %(name)s, found "${found}"`);
      return value(name, within, depth);
    });
  }

  function value(name: string, within: string | undefined, depth: number): string {
    if (name.startsWith("env:")) {
      return process.env[name.slice(4)] ?? fail(`the environment has no variable ${name.slice(4)}`);
    }
    const variable = variables.get(name, within);
    if (variable === undefined) {
      return fail(`%(${name})s is in neither this section nor [DEFAULT]${didYouMean(name, variables.keys())}`);
    }
    return variable.literal ? variable.value : expand(variable.value, name, depth + 1);
  }
}
