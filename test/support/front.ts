/** The real web servers, for the tests: the examples' own way of starting them, typed. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const SERVERS = ["apache", "lighttpd", "nginx", "caddy", "h2o", "haproxy"] as const;
export type ServerName = (typeof SERVERS)[number];

export interface Front {
  readonly url: string;
  readonly pid: number;
  log(): Promise<string>;
  stop(): Promise<void>;
}

interface WebServerModule {
  findWebServer(name: ServerName): Promise<string | null>;
  startWebServer(options: {
    readonly name: ServerName;
    readonly config: string;
    readonly values?: {
      PORT?: number;
      SOCKET?: string;
      BACKEND_PORT?: number;
      ROOT?: string;
      APP?: string;
      FILES?: string;
      CONF?: string;
      HOST_1?: string;
      HOST_2?: string;
      PROVIDER?: string;
    };
    readonly documents?: Readonly<Record<string, string>> | undefined;
    readonly dir?: string;
    readonly modules?: readonly string[];
    readonly without?: readonly string[];
  }): Promise<Front>;
  freePort(): Promise<number>;
}

const { findWebServer, ...others } = (await import(
  new URL("../../examples/web-server.mjs", import.meta.url).href
)) as WebServerModule;
export const { startWebServer, freePort } = others;

/** The servers that this machine has; a test of another one is skipped, and `npm test` says what to install. */
export const INSTALLED: ReadonlySet<ServerName> = new Set(
  (await Promise.all(SERVERS.map(async (name) => ((await findWebServer(name)) === null ? [] : [name])))).flat(),
);

/** Whether lighttpd is here and new enough to carry upgrades over FastCGI and SCGI. */
export async function lighttpdUpgrades(): Promise<boolean> {
  const program = await findWebServer("lighttpd");
  if (program === null) return false;
  const [, version = ""] = /^lighttpd\/([\d.]+)/.exec(spawnSync(program, ["-v"], { encoding: "utf8" }).stdout) ?? [];
  return version.localeCompare("1.4.74", "en", { numeric: true }) >= 0;
}

/** Where the modules are. */
const MODULES: Readonly<Partial<Record<ServerName, readonly string[]>>> = {
  apache: ["/usr/lib/apache2", "/usr/lib64/httpd", "/usr/local/libexec/apache24"].flatMap((directory) => [
    directory,
    `${directory}/modules`,
  ]),
  lighttpd: ["/usr/lib/lighttpd", "/usr/lib64/lighttpd", "/usr/local/lib/lighttpd"],
};
/** Those for AJP, which not every build of a server has. */
const AJP_MODULES: Readonly<Partial<Record<ServerName, string>>> = { apache: "mod_proxy_ajp", lighttpd: "mod_ajp13" };

/** Whether a web server and a module of it are here; says so where only the module is missing. */
export function hasModule(server: "apache" | "lighttpd", module: string): boolean {
  if (!INSTALLED.has(server)) return false;
  if (MODULES[server]?.some((directory) => existsSync(`${directory}/mod_${module}.so`)) === true) return true;
  console.warn(`SKIPPED: ${server} has no mod_${module} here`);
  return false;
}

/** Whether this machine has what a configuration needs; says so where only the module is missing. */
export function isRunnable({
  server,
  protocol,
  connector,
  needs,
}: {
  readonly server: ServerName;
  readonly protocol: string;
  readonly connector?: string;
  readonly needs?: string;
}): boolean {
  if (!INSTALLED.has(server)) return false;
  if (needs !== undefined && !existsSync(needs)) {
    console.warn(`SKIPPED: ${server} with ${needs}, which is not here`);
    return false;
  }
  const module = connector ?? (protocol === "ajp" ? AJP_MODULES[server] : undefined);
  const there = (directory: string): boolean => existsSync(`${directory}/${module}.so`);
  if (module === undefined || MODULES[server]?.some(there) === true) return true;
  console.warn(`SKIPPED: ${server} with ${module}, which is not installed`);
  return false;
}
