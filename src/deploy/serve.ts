/** `serve`: the library's way to run an app as the command does, with workers and a supervisor, but without a file. */
import { ConfigError, type ConfigPlace } from "../errors.ts";
import type { ByRole, ProtocolName } from "../exchange.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import { type LogLevel, type Logger, silentLogger } from "../log.ts";
import { didYouMean } from "../suggest.ts";
import { type AppRecipe, makeApps } from "./app-recipe.ts";
import { BUILTINS } from "./builtins.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { describe } from "./loader.ts";
import type { ServerOption } from "./option-row.ts";
import { SERVER_OPTIONS, type ServerSettings } from "./options.ts";
import { type Mode, readPlan } from "./plan.ts";
import type { RunningServer } from "./gateway.ts";
import { startSingle } from "./single-service.ts";
import { type SupervisedServer, startSupervised } from "./supervised.ts";
import { isUri } from "./uri.ts";
import type { PoolOptions, ProcessOptions } from "./worker-options.ts";

/** Times are milliseconds, sizes bytes; what is not given has the default of docs/options.md. */
export interface ServeOptions
  extends
    Partial<GatewayOptions>,
    PoolOptions,
    ProcessOptions,
    Partial<ServerSettings["listen"] & ServerSettings["app"]> {
  /**
   * What to serve, by name, since workers load it themselves: a file (`./app.js`, its default export, or
   * `./app.js#name`), or a URI as a configuration has it (`config:wiki.ini`, `package:wiki`, `call:./app.js:factory`).
   */
  readonly app: string;
  /** The app that answers FastCGI's authorizer role, in the same words. Default: that role is not served. */
  readonly authorizer?: string;
  /** The app that answers FastCGI's filter role, in the same words. Default: that role is not served. */
  readonly filter?: string;
  /** `single`: in this thread. `thread` and `fork` have a supervisor, in this process, and a process below it. Default "thread". */
  readonly mode?: Mode;
  /** Default "fastcgi". */
  readonly protocol?: ProtocolName;
  /** What a relative `app` is relative to. Default: the working directory. */
  readonly relativeTo?: string;
  /** Hears of faults. Default: nobody. */
  readonly log?: Logger;
  /** What gateway processes and threads write to standard error by themselves. Default "warn". */
  readonly level?: LogLevel;
}

/**
 * Serves an app. Resolves when it listens and the app is loaded. Signals are the caller's: the server is told what to do
 * by its methods. With workers a reload loads the app's code anew.
 *
 * @example
 * ```ts
 * import { serve } from "propylon";
 *
 * const socket = "/run/propylon/app.sock";
 * const server = await serve({ app: "call:./app.js:makeApp", mode: "thread", maxThreads: 2, socket });
 * process.once("SIGTERM", () => void server.close());
 * // GET /page: Hello from /page, mounted at /
 * ```
 *
 * @throws ConfigError, ListenError; what the app fails with
 */
export async function serve(options: ServeOptions): Promise<RunningServer | SupervisedServer> {
  const { app, mode = "thread", protocol = "fastcgi", relativeTo = process.cwd(), log = silentLogger } = options;
  const { level = "warn", authorizer, filter } = options;
  const conf = asConfiguration(options);
  const placeOf = (key?: string): ConfigPlace => (key !== undefined && key in conf ? { key: nameOf(key) } : {});
  const plan = readPlan({ protocol, mode }, {}, conf, { log, placeOf });
  // For each generation anew: its files are read again.
  const recipes = (): ByRole<AppRecipe> => ({
    responder: recipeOf(app, relativeTo),
    ...(authorizer === undefined ? {} : { authorizer: recipeOf(authorizer, relativeTo) }),
    ...(filter === undefined ? {} : { filter: recipeOf(filter, relativeTo) }),
  });
  const first = recipes();
  if (mode === "single") return await startSingle(plan, async () => await makeApps(first, log), { log });
  const work = (): GatewayWork => ({ plan, level, logging: null, recipes: recipes() });
  return await startSupervised(work(), async () => await Promise.resolve(work()), log);
}

const OWN = new Set(["app", "mode", "protocol", "relativeTo", "log", "level"]);

/** As a section would say it: there is one door for options, and one check. */
function asConfiguration(options: ServeOptions): Record<string, string> {
  const conf: Record<string, string> = {};
  for (const [name, value] of Object.entries(options)) {
    if (OWN.has(name) || value === undefined) continue;
    if (name === "environ") {
      for (const [variable, text] of Object.entries(value as object)) conf[`environ.${variable}`] = String(text);
      continue;
    }
    const option = SERVER_OPTIONS.find((option) => option.name === name);
    if (option === undefined) {
      const known = [...OWN, ...SERVER_OPTIONS.map(({ name }) => name)];
      throw new ConfigError("CONFIG_UNKNOWN_OPTION", `there is no option ${name}${didYouMean(name, known)}`, {
        key: name,
      });
    }
    conf[option.key] = asText(option, value);
  }
  return conf;
}

function asText({ kind }: ServerOption, value: unknown): string {
  if (kind === "mode" && typeof value === "number") return value.toString(8);
  if (kind === "ms" && typeof value === "number") return `${value}ms`;
  return Array.isArray(value) ? value.join(" ") : String(value);
}

function nameOf(key: string): string {
  return SERVER_OPTIONS.find((option) => option.key === key)?.name ?? key;
}

function recipeOf(app: string, relativeTo: string): AppRecipe {
  if (isUri(app)) {
    const recipe = { from: "configuration", uri: app, relativeTo, files: new Map<string, string>() } as const;
    // Reads the files, so that all workers of a generation see the same.
    describe("app", app, { ...recipe, builtins: BUILTINS });
    return { ...recipe, name: undefined, globalConf: undefined };
  }
  const at = app.lastIndexOf("#");
  const [module, name] = at < 0 ? [app, "default"] : [app.slice(0, at), app.slice(at + 1)];
  return { from: "module", module, base: relativeTo, export: name };
}
