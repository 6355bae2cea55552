/** One option of a [server:…] section: its spellings, kind, default and meaning. */
import type { OptionRow } from "../gateway/options.ts";

/** What an option is about: where to listen, how the app is run, the gateway's bounds, its workers, its processes. */
export type OptionScope = "listen" | "app" | "gateway" | "pool" | "process";

export interface ServerOption {
  /** The camelCase word that the library uses. */
  readonly name: string;
  /** The spelling in an .ini file. */
  readonly key: string;
  /** Other spellings in an .ini file. */
  readonly aliases: readonly string[];
  readonly kind: OptionRow["kind"] | "mode" | "port" | "word";
  /** Of the kind; undefined where the option is off or has no value unless it is given. */
  readonly default: OptionRow["default"] | undefined;
  /** The least value of a number. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** The words that a list or a word may be. */
  readonly words?: readonly string[] | undefined;
  readonly scope: OptionScope;
  readonly about: string;
}

type Given = Partial<ServerOption> & Pick<ServerOption, "name" | "kind" | "scope" | "about">;

/** Without a spelling of its own an option is written in snake_case. */
export function row(given: Given): ServerOption {
  const key = given.name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return { key, aliases: [], default: undefined, ...given };
}
