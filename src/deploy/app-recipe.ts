/** How an app is made, as plain data: code crosses to a thread or a process by name, and is loaded there. */
import { type AppHandler, adaptApp } from "../app/adapt.ts";
import { loadExport } from "../app/load.ts";
import type { ByRole, Role } from "../exchange.ts";
import type { Logger } from "../log.ts";
import { BUILTINS } from "./builtins.ts";
import type { FileTexts } from "./config-file.ts";
import type { Conf } from "./context.ts";
import { create, nameOf } from "./create.ts";
import { describe } from "./loader.ts";

export type AppRecipe =
  /** What a URI describes, by configuration files as they were when they were read. */
  | {
      readonly from: "configuration";
      readonly uri: string;
      readonly name: string | undefined;
      readonly relativeTo: string;
      readonly globalConf: Conf | undefined;
      readonly files: FileTexts;
    }
  /** An app that a module exports ready-made. */
  | { readonly from: "module"; readonly module: string; readonly base: string; readonly export: string };

/** Makes a server's app, and those that answer roles of FastCGI in its place, one after the other. @throws as `makeApp` */
export async function makeApps(recipes: ByRole<AppRecipe>, log: Logger): Promise<ByRole<AppHandler>> {
  const made: { -readonly [Name in Role]?: AppHandler } = {};
  const { authorizer, filter } = recipes;
  const responder = await makeApp(recipes.responder, log);
  if (authorizer !== undefined) made.authorizer = await makeApp(authorizer, log);
  if (filter !== undefined) made.filter = await makeApp(filter, log);
  return { ...made, responder };
}

/** @throws ConfigError as `describe`, `create` and `adaptApp` do */
async function makeApp(recipe: AppRecipe, log: Logger): Promise<AppHandler> {
  if (recipe.from === "module") {
    const where = `"${recipe.export}" of ${recipe.module}`;
    return await adaptApp(await loadExport(recipe, {}), { where });
  }
  const { uri, name, relativeTo, globalConf, files } = recipe;
  const surroundings = { name, relativeTo, globalConf, files, log, builtins: BUILTINS };
  const context = describe("app", uri, surroundings);
  return await adaptApp(await create(context, surroundings), { where: nameOf(context) });
}
