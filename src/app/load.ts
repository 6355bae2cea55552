/** Imports a module by path or package name and takes one export of it. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { ConfigError } from "../errors.ts";
import type { ConfigPlace } from "../errors.ts";
import { didYouMean } from "../suggest.ts";

/** Milliseconds. */
const CHECK_TIMEOUT = 5000;

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
    const message = `${file} failed to load: ${reason}${syntaxPlace(error, file)}`;
    throw new ConfigError("APP_LOAD_FAILED", message, place, { cause: error });
  }
}

/** Node tells where a module's syntax is wrong when it ends by that error, and has it nowhere else: so it is asked. */
export function syntaxPlace(error: unknown, file: string): string {
  if (!(error instanceof SyntaxError)) return "";
  const said = (text: string): string | undefined => /^(?:file:\/\/)?(\/.*:\d+)$/m.exec(text)?.[1];
  const check = (): string =>
    spawnSync(process.execPath, ["--check", file], { encoding: "utf8", timeout: CHECK_TIMEOUT, env: {} }).stderr ?? "";
  const place = said(error.stack?.split("\n", 1)[0] ?? "") ?? said(check());
  return place === undefined ? `; "node ${file}" says where` : ` (${place})`;
}

/**
 * The file that `module` is in.
 *
 * @throws ConfigError APP_LOAD_FAILED
 */
export function locate({ module, base }: Omit<ModuleExport, "export">, place: ConfigPlace): string {
  if (/^\.{1,2}[/\\]/.test(module) || isAbsolute(module)) {
    const file = resolve(base, module);
    const found = statSync(file, { throwIfNoEntry: false });
    if (found?.isDirectory() === false) return file;
    const why = found === undefined ? `there is no file ${file}` : `${file} is a directory, expected a file`;
    throw new ConfigError("APP_LOAD_FAILED", `${why}${nearestModule(file)}`, place);
  }
  try {
    return locatePackage(module, base);
  } catch (error) {
    const beside = statSync(resolve(base, module), { throwIfNoEntry: false });
    const hint = beside?.isFile() === true ? `; did you mean "./${module}"?` : "";
    const message = `module "${module}" cannot be found from ${base}${hint}`;
    throw new ConfigError("APP_LOAD_FAILED", message, place, { cause: error });
  }
}

/** `, did you mean "app.js"?`: one with an ending, or of nearly that name. */
function nearestModule(file: string): string {
  try {
    const modules = readdirSync(dirname(file)).filter((name) => /\.[cm]?[jt]s$/.test(name));
    const stem = `${basename(file)}.`;
    const same = modules.find((name) => name.startsWith(stem) && !name.slice(stem.length).includes("."));
    return same === undefined ? didYouMean(basename(file), modules) : `, did you mean "${same}"?`;
  } catch {
    return "";
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
