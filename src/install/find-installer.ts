/** Finds who installs an app: a package's own installer, or the common one. */
import { basename, dirname } from "node:path";

import { loadExport, locate } from "../app/load.ts";
import type { Context, FactoryContext } from "../deploy/context.ts";
import { type InstalledPackage, findPackage, packageAround } from "../deploy/packages.ts";
import { ConfigError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { type InstalledApp, Installer } from "./installer.ts";

/**
 * The installer of an app by its package's name.
 *
 * @param base - the directory from which packages are looked for
 * @throws ConfigError CONFIG_NO_PACKAGE, CONFIG_NO_ENTRY_POINT; APP_LOAD_FAILED, APP_WRONG_EXPORT of an own installer
 */
export async function installerOfPackage(name: string, entry: string, base: string): Promise<Installer> {
  const found = findPackage({ package: name, base, normalise: true, place: {} });
  const { app = {}, composite = {} } = found.entries;
  const offered = [...Object.keys(app), ...Object.keys(composite)];
  if (!offered.includes(entry)) {
    const list = offered.length === 0 ? "it offers no app at all" : `it has ${offered.join(", ")}`;
    const message = `package ${found.name} has no app "${entry}"${didYouMean(entry, offered)} (${list})`;
    throw new ConfigError("CONFIG_NO_ENTRY_POINT", message);
  }
  return await installerOf(found, entry);
}

/**
 * The installer of the app that a configuration describes, behind its filters.
 *
 * @throws ConfigError CONFIG_NOT_SUPPORTED where that is no app of a package; as `installerOfPackage`
 */
export async function installerOfContext(context: Context): Promise<{ installer: Installer; app: FactoryContext }> {
  if (context.type === "wrapped") return await installerOfContext(context.inner);
  const { factory, place } = context;
  if (factory.from === "builtin") {
    const message = `${factory.package}#${factory.entry} has nothing to set up; name the section of an app: FILE.ini#NAME`;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  const file = locate(factory, place);
  const found = packageAround(dirname(file));
  if (found === undefined) {
    const message = `${file} belongs to no package, and so has no websetup module: there is no package.json above it`;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  const entries = { ...found.entries.app, ...found.entries.composite };
  const target = `${factory.module}#${factory.export}`;
  const [entry = "main"] = Object.entries(entries).find(([, module]) => module === target) ?? [];
  return { installer: await installerOf(found, entry), app: context };
}

async function installerOf({ name, directory, entries }: InstalledPackage, entry: string): Promise<Installer> {
  const app: InstalledApp = { package: name || basename(directory), directory, entry };
  const target = entries.install?.[entry];
  if (target === undefined) return new Installer(app);
  const where = `"propylon".install.${entry} of package ${name}`;
  if (typeof target !== "string") throw new ConfigError("APP_WRONG_EXPORT", `${where} is not "module#export"`);
  const [module = "", exported = "default"] = target.split("#", 2);
  const made = await loadExport({ module, base: directory, export: exported });
  if (typeof made === "function" && made.prototype instanceof Installer) {
    return new (made as new (app: InstalledApp) => Installer)(app);
  }
  throw new ConfigError("APP_WRONG_EXPORT", `${where} is no class that extends Installer of propylon`);
}
