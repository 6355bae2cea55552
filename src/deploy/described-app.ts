/** The app that a configuration file describes, and the loggers that it shall have. */
import { dirname, resolve } from "node:path";

import type { ConfigPlace } from "../errors.ts";
import { silentLogger } from "../log.ts";
import type { AppRecipe } from "./app-recipe.ts";
import type { Context } from "./context.ts";
import type { Surroundings } from "./described-server.ts";
import { describe } from "./loader.ts";
import { readLogging } from "./logging.ts";
import type { LoggingPlan } from "./logging-sections.ts";
import { configUri, isUri } from "./uri.ts";

export interface DescribedApp {
  readonly app: Context;
  readonly recipe: AppRecipe;
  /** Null where the file has none. */
  readonly logging: LoggingPlan | null;
}

/** @throws ConfigError */
export function describeApp(file: string, name: string | undefined, surroundings: Surroundings): DescribedApp {
  const { relativeTo, globalConf, files, log = silentLogger } = surroundings;
  const uri = configUri(file);
  const app = describe("app", uri, { ...surroundings, name: name ?? "main" });
  const recipe: AppRecipe = { from: "configuration", uri, name: name ?? "main", relativeTo, globalConf, files };
  const logging = readLogging(resolve(relativeTo, file), { globalConf, files, log });
  return { app, recipe, logging };
}

/** An app that an option names: a section of the option's own file, or a URI from there. @throws ConfigError of `place` */
export function describeNamedApp(name: string, place: ConfigPlace, surroundings: Surroundings): AppRecipe {
  const { globalConf, files } = surroundings;
  const file = resolve(surroundings.relativeTo, place.file ?? "");
  const [uri, section] = isUri(name) ? [name, undefined] : [configUri(file), name];
  const where = { name: section, relativeTo: dirname(file), globalConf, files };
  describe("app", uri, { ...surroundings, ...where, place });
  return { from: "configuration", uri, ...where };
}
