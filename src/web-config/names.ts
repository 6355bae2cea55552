/** The names that configurations are made of: paths of URLs, hosts, names of files, each in the form that all take. */
import { ConfigError, type ConfigPlace } from "../errors.ts";

/** Longest name that Apache keeps of a backend, in bytes. */
const MAX_BACKEND_NAME = 63;

/**
 * A path of URLs without a slash at its end: "" for the root, `/james`.
 *
 * @throws ConfigError CONFIG_NOT_SUPPORTED for what the web servers would not all read alike
 */
export function checkedUrl(path: string, what: string, place: ConfigPlace): string {
  const trimmed = path.replace(/\/+$/, "");
  if (trimmed === "" || (/^(?:\/[\w.~-]+)+$/.test(trimmed) && !/\/\.{1,2}(?:\/|$)/.test(trimmed))) return trimmed;
  const message = `${what} ${JSON.stringify(path)} cannot be written for all web servers; use a path such as /james, of letters, digits and . _ ~ -`;
  throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
}

/** A host name, or an address without brackets. @throws ConfigError CONFIG_BAD_VALUE */
export function checkedHost(host: string, place: ConfigPlace): string {
  if (/^(?!-)[\w.-]+$/.test(host) || /^[0-9a-f:.]+$/i.test(host)) return host;
  throw new ConfigError("CONFIG_BAD_VALUE", `${JSON.stringify(host)} is no name and no address of a host`, place);
}

/** What is called after a configuration file: `wiki_production` of `/srv/wiki production.ini`. */
export function fileName(file: string): string {
  const name = file.slice(file.lastIndexOf("/") + 1).replace(/\.ini$/, "");
  return name.replaceAll(/[^\w-]+/g, "_") || "app";
}

/** A host name that no other socket has: `run-propylon-app` of `/run/propylon/app.sock`. */
export function socketName(path: string): string {
  const name = path
    .replace(/\.sock$/, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
  return name.slice(-MAX_BACKEND_NAME).replace(/^-/, "") || "app";
}
