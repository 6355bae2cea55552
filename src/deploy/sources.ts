/** What a configuration is made of: the files it is written in, and the directories of the code that it names. */
import { homedir } from "node:os";
import { dirname, resolve } from "node:path";

import { locate } from "../app/load.ts";
import { ConfigError } from "../errors.ts";
import { BUILTINS } from "./builtins.ts";
import type { FileTexts } from "./config-file.ts";
import type { Context } from "./context.ts";
import { describe } from "./loader.ts";
import { packageAround } from "./packages.ts";
import type { StartOptions } from "./start.ts";
import { configUri } from "./uri.ts";

export interface Sources {
  readonly files: readonly string[];
  /** Of packages, or of modules that belong to none. */
  readonly directories: readonly string[];
}

/** As far as it can be told: a fault in a file hides what the file would name. */
export function sourcesOf(file: string, options: StartOptions): Sources {
  const { appName = "main", serverName = "main", relativeTo = process.cwd(), globalConf } = options;
  const files: FileTexts = new Map();
  const surroundings = { relativeTo, globalConf, files, builtins: BUILTINS };
  const directories = new Set<string>();
  const add = (described: () => Context): void => {
    const context = unlessFaulty(described);
    if (context !== undefined) for (const directory of directoriesOf(context)) directories.add(directory);
  };
  add(() => describe("app", configUri(file), { ...surroundings, name: appName }));
  add(() => describe("server", configUri(file), { ...surroundings, name: serverName }));
  return { files: [...new Set([resolve(relativeTo, file), ...files.keys()])], directories: [...directories] };
}

function* directoriesOf(context: Context): Generator<string> {
  if (context.type === "wrapped") {
    for (const each of [context.inner, ...context.filters]) yield* directoriesOf(each);
    return;
  }
  const { factory, place } = context;
  if (factory.from !== "builtin") {
    const found = unlessFaulty(() => locate(factory, place));
    yield codeAround(found === undefined ? factory.base : dirname(found));
  }
  if (context.type !== "composite") return;
  // Which of its options name other sections is the composite's own matter.
  for (const name of Object.values(context.localConf)) {
    const named = unlessFaulty(() => context.find("app", name, undefined));
    if (named !== undefined) yield* directoriesOf(named);
  }
}

/** A package.json in somebody's home does not make a package of all that is there. */
function codeAround(directory: string): string {
  const around = packageAround(directory)?.directory;
  return around === undefined || around === homedir() || dirname(around) === around ? directory : around;
}

function unlessFaulty<Result>(attempt: () => Result): Result | undefined {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
