/** Imports a module by path or package name and takes one export of it. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { ConfigError } from "../errors.ts";
import type { ConfigPlace } from "../errors.ts";

/** Names a piece of code so that another thread or process can load it too. */
export interface ModuleExport {
  /** `./file.js`, an absolute path, or a package with or without a path in it. */
  readonly module: string;
  /** The directory that `module` is looked for from. */
  readonly base: string;
  readonly export: string;
}

/**
 * ES modules (top-level await included), CommonJS, and TypeScript where this Node strips types. Of a CommonJS module the
 * properties of `module.exports` count as exports; "default" is `module.exports` itself.
 *
 * @param place - the option that names the module, for errors
 * @throws ConfigError APP_LOAD_FAILED if there is no such module or it fails while it loads (the reason is the `cause`);
 * APP_WRONG_EXPORT with the exports that are there
 */
export async function loadExport(wanted: ModuleExport, place: ConfigPlace = {}): Promise<unknown> {
  const file = locate(wanted, place);
  const exports = await importFile(file, place);
  if (wanted.export in exports) return exports[wanted.export];
  const inner = exports["default"];
  if (typeof inner === "object" && inner !== null && wanted.export in inner) {
    return (inner as Record<string, unknown>)[wanted.export];
  }
  // Babel and old TypeScript mark what stands for an ES module, "module.exports" is Node's own name for the whole.
  const names = Object.keys(exports).filter((name) => name !== "module.exports" && name !== "__esModule");
  const there = names.length === 0 ? "it exports nothing" : `it exports ${names.sort().join(", ")}`;
  throw new ConfigError("APP_WRONG_EXPORT", `${file} has no export "${wanted.export}" (${there})`, place);
}

async function importFile(file: string, place: ConfigPlace): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ERR_UNKNOWN_FILE_EXTENSION" && /\.[cm]?ts$/.test(file)) {
      const message = `Node ${process.version} cannot run TypeScript; compile ${file}, or use Node 22.18 or later`;
      throw new ConfigError("APP_LOAD_FAILED", message, place);
    }
    const [reason] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
    throw new ConfigError("APP_LOAD_FAILED", `${file} failed to load: ${reason}`, place, { cause: error });
  }
}

/**
 * The file that `module` is in.
 *
 * @throws ConfigError APP_LOAD_FAILED
 */
export function locate({ module, base }: Omit<ModuleExport, "export">, place: ConfigPlace): string {
  if (/^\.{1,2}[/\\]/.test(module) || isAbsolute(module)) {
    const file = resolve(base, module);
    if (existsSync(file)) return file;
    throw new ConfigError("APP_LOAD_FAILED", `there is no file ${file}`, place);
  }
  try {
    return locatePackage(module, base);
  } catch (error) {
    const hint = existsSync(resolve(base, module)) ? `; did you mean "./${module}"?` : "";
    const message = `module "${module}" cannot be found from ${base}${hint}`;
    throw new ConfigError("APP_LOAD_FAILED", message, place, { cause: error });
  }
}

/** As `import` finds it; Node 20 offers no public way to ask that for another directory than one's own. */
function locatePackage(module: string, base: string): string {
  const require = createRequire(join(base, "_.js"));
  try {
    return require.resolve(module);
  } catch (error) {
    // A package for `import` only hides from require.resolve, which is told so and not that the package is missing.
    if ((error as NodeJS.ErrnoException).code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
    const [, name = module, rest = ""] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(module) ?? [];
    const manifest = findManifest(name, base);
    const { exports } = JSON.parse(readFileSync(manifest, "utf8")) as { exports?: unknown };
    const target = forImport(subpath(exports, `.${rest}`));
    if (target === undefined) throw error;
    return join(dirname(manifest), target);
  }
}

function findManifest(name: string, base: string): string {
  let directory = resolve(base);
  for (;;) {
    const file = join(directory, "node_modules", name, "package.json");
    if (existsSync(file) || dirname(directory) === directory) return file;
    directory = dirname(directory);
  }
}

function subpath(exports: unknown, key: string): unknown {
  const keyed =
    typeof exports === "object" && exports !== null && Object.keys(exports).some((name) => name.startsWith("."));
  return keyed ? (exports as Record<string, unknown>)[key] : key === "." ? exports : undefined;
}

/** The first target that an `import` in Node may take (Node's "conditional exports"). */
function forImport(target: unknown): string | undefined {
  if (typeof target === "string") return target;
  if (typeof target !== "object" || target === null) return undefined;
  for (const [condition, inner] of Object.entries(target)) {
    if (!Array.isArray(target) && !["node", "import", "module-sync", "default"].includes(condition)) continue;
    const found = forImport(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}
