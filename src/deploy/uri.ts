/** The text of references: `scheme:address#name` and `module:export`. */
import { ConfigError } from "../errors.ts";
import type { ConfigPlace } from "../errors.ts";
import type { FactoryReference } from "./context.ts";

/** `path/module.js:export`, looked for from `base`. */
export function moduleReference(text: string, base: string, place: ConfigPlace): FactoryReference & { from: "module" } {
  const colon = text.lastIndexOf(":");
  const [module, name] = [text.slice(0, Math.max(colon, 0)).trim(), text.slice(colon + 1).trim()];
  if (module !== "" && name !== "") return { from: "module", module, base, export: name };
  const message = `"${text}" is not module:export, such as ./app.js:makeApp or package:makeApp`;
  throw new ConfigError("CONFIG_BAD_VALUE", message, place);
}

/** Anything else is the name of a section. */
export function isUri(name: string): boolean {
  return /^[a-zA-Z]+:/.test(name);
}

/** The text before and after the first separator. */
export function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** The URI of a file, whatever characters its name has. */
export function configUri(file: string): string {
  return `config:${file.replaceAll("%", "%25").replaceAll("#", "%23")}`;
}

/** `%XX` in a `config:` path is a character. */
export function decodePath(path: string, place: ConfigPlace): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw new ConfigError("CONFIG_BAD_VALUE", `"${path}" has a % that is not %XX`, place, { cause: error });
  }
}
