/** The real web servers, for the tests: the examples' own way of starting them, typed. */
import { existsSync } from "node:fs";

export type ServerName = "apache" | "lighttpd" | "nginx";

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
    readonly values?: { PORT?: number; SOCKET?: string; BACKEND_PORT?: number; ROOT?: string };
    readonly dir?: string;
  }): Promise<Front>;
  freePort(): Promise<number>;
}

const { findWebServer, ...others } = (await import(
  new URL("../../examples/web-server.mjs", import.meta.url).href
)) as WebServerModule;
export const { startWebServer, freePort } = others;

/** The servers that this machine has; a test of another one is skipped, and `npm test` says what to install. */
export const INSTALLED: ReadonlySet<ServerName> = new Set(
  (
    await Promise.all(
      (["apache", "lighttpd", "nginx"] as const).map(async (name) =>
        (await findWebServer(name)) === null ? [] : [name],
      ),
    )
  ).flat(),
);

/** The modules that not every build of a server has. */
const AJP_MODULES: Readonly<Partial<Record<ServerName, readonly string[]>>> = {
  apache: ["/usr/lib/apache2", "/usr/lib64/httpd", "/usr/local/libexec/apache24"].flatMap((directory) => [
    `${directory}/mod_proxy_ajp.so`,
    `${directory}/modules/mod_proxy_ajp.so`,
  ]),
  lighttpd: ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map((directory) => `${directory}/lighttpd/mod_ajp13.so`),
};

/** Whether this machine has what a configuration needs; says so where only the module is missing. */
export function isRunnable({ server, protocol }: { readonly server: ServerName; readonly protocol: string }): boolean {
  if (!INSTALLED.has(server)) return false;
  if (protocol !== "ajp" || AJP_MODULES[server]?.some((file) => existsSync(file)) === true) return true;
  console.warn(`SKIPPED: AJP behind ${server}, which has no module for it here`);
  return false;
}
