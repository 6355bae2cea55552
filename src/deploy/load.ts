/** The doors to a configuration, as PasteDeploy has them: an app, a server, a filter, or what one is configured with. */
import { BUILTINS } from "./builtins.ts";
import type { Conf, Kind } from "./context.ts";
import { create } from "./create.ts";
import { type DescribeOptions, describe } from "./loader.ts";

export interface AppConfig {
  readonly globalConf: Conf;
  readonly localConf: Conf;
  /** Both, with the local one on top. */
  readonly merged: Conf;
}

/**
 * The app that `uri` names, as its factory made it.
 *
 * @example
 * ```ts
 * import { createServer, loadApp, type RequestHandler } from "propylon";
 *
 * const app = await loadApp("config:hello.ini", { relativeTo: process.cwd() });
 * createServer(app as RequestHandler).listen("/run/propylon/app.sock");
 * // GET /page: Hello from /page, mounted at /
 * ```
 *
 * @throws ConfigError
 */
export async function loadApp(uri: string, options: DescribeOptions = {}): Promise<unknown> {
  return await load("app", uri, options);
}

/**
 * A function that serves an app: `app => running`.
 *
 * @example
 * ```ts
 * import { loadServer, type RunningServer } from "propylon";
 *
 * const serve = await loadServer("config:hello.ini#http", { relativeTo: process.cwd() });
 * const running = (await serve((_req: unknown, res: { end(text: string): void }) => res.end("Hello"))) as RunningServer;
 * console.log(running.where.startsWith("http://127.0.0.1:")); // true
 * await running.close();
 * ```
 *
 * @throws ConfigError
 */
export async function loadServer(uri: string, options: DescribeOptions = {}): Promise<(app: unknown) => unknown> {
  return (await load("server", uri, options)) as (app: unknown) => unknown;
}

/**
 * A filter: `app => app`, to be awaited.
 *
 * @example
 * ```ts
 * import { createServer, loadFilter, type RequestHandler } from "propylon";
 *
 * const filter = await loadFilter("config:hello.ini#proxy-prefix", { relativeTo: process.cwd() });
 * const app = await filter((req: { baseUrl: string }, res: { end(text: string): void }) => res.end(req.baseUrl));
 * createServer(app as RequestHandler).listen("/run/propylon/app.sock");
 * // GET /james/page: /james
 * ```
 *
 * @throws ConfigError
 */
export async function loadFilter(uri: string, options: DescribeOptions = {}): Promise<(app: unknown) => unknown> {
  return (await load("filter", uri, options)) as (app: unknown) => unknown;
}

/**
 * What the app that `uri` names is configured with; none of its code is loaded.
 *
 * @example
 * ```ts
 * import { appConfig } from "propylon";
 *
 * const { localConf } = await appConfig("config:hello.ini", { relativeTo: process.cwd() });
 * console.log(localConf); // { greeting: 'Hello' }
 * ```
 *
 * @throws ConfigError
 */
export async function appConfig(uri: string, options: DescribeOptions = {}): Promise<AppConfig> {
  const { globalConf, localConf } = describe("app", uri, { builtins: BUILTINS, ...options });
  return { globalConf, localConf, merged: { ...globalConf, ...localConf } };
}

async function load(kind: Kind, uri: string, options: DescribeOptions): Promise<unknown> {
  const surroundings = { builtins: BUILTINS, ...options };
  return await create(describe(kind, uri, surroundings), surroundings);
}
