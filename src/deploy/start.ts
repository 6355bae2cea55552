/** Starts what a configuration file describes: its app behind its server. */
import { type LogLevel, type Logger, silentLogger } from "../log.ts";
import type { AppRecipe } from "./app-recipe.ts";
import { BUILTINS } from "./builtins.ts";
import type { FileTexts } from "./config-file.ts";
import type { Conf, Context } from "./context.ts";
import { type CreateOptions, create, nameOf } from "./create.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { describe } from "./loader.ts";
import type { RunningServer, StartGateway, StartServer } from "./servers.ts";
import { type SupervisedServer, startSupervised } from "./supervised.ts";

export interface StartOptions {
  /** The section `[app:…]`, or one of its kin. Default "main". */
  readonly appName?: string | undefined;
  /** The section `[server:…]`. Default "main". */
  readonly serverName?: string | undefined;
  /** What a relative file is relative to. Default: the working directory. */
  readonly relativeTo?: string | undefined;
  /** Variables over `[DEFAULT]`. */
  readonly globalConf?: Conf | undefined;
  readonly log?: Logger | undefined;
  /** What processes and threads of the server log by themselves. Default "info". */
  readonly level?: LogLevel | undefined;
}

/**
 * Describes server and app, so that any fault of the file is found before code of the app runs, then creates both and
 * listens. With workers the app is created in them alone.
 *
 * @throws ConfigError, ListenError
 */
export async function start(file: string, options: StartOptions = {}): Promise<RunningServer | SupervisedServer> {
  const { log = silentLogger } = options;
  const { server, app, recipe, surroundings } = read(file, options);
  const startServer = (await create(server, surroundings)) as StartServer | StartGateway;
  const work = workOf(startServer, recipe, options);
  if (work !== null) return await startSupervised(work, async () => await reread(file, options), log);
  const made = await create(app, surroundings);
  return asRunning(await startServer(made, { where: nameOf(app) }), nameOf(server));
}

interface Configuration {
  readonly server: Context;
  readonly app: Context;
  readonly recipe: AppRecipe;
  readonly surroundings: CreateOptions;
}

function read(file: string, options: StartOptions): Configuration {
  const { appName = "main", serverName = "main", relativeTo = process.cwd(), globalConf, log = silentLogger } = options;
  const files: FileTexts = new Map();
  const surroundings = { relativeTo, globalConf, files, log, builtins: BUILTINS };
  const uri = `config:${file.replaceAll("%", "%25").replaceAll("#", "%23")}`;
  const server = describe("server", uri, { ...surroundings, name: serverName });
  const app = describe("app", uri, { ...surroundings, name: appName });
  const recipe: AppRecipe = { from: "configuration", uri, name: appName, relativeTo, globalConf, files };
  return { server, app, recipe, surroundings };
}

async function reread(file: string, options: StartOptions): Promise<GatewayWork> {
  const { server, recipe, surroundings } = read(file, options);
  const work = workOf((await create(server, surroundings)) as StartServer | StartGateway, recipe, options);
  if (work === null) throw new Error(`${nameOf(server)} is another kind of server: that needs a restart`);
  return work;
}

/** Null for a server that takes the made app. */
function workOf(
  startServer: StartServer | StartGateway,
  recipe: AppRecipe,
  { level = "info" }: StartOptions,
): GatewayWork | null {
  if (!("plan" in startServer) || startServer.plan.mode === "single") return null;
  return { plan: startServer.plan, recipe, level };
}

/** A server of another package may return anything; it is closed if it can be. */
function asRunning(value: unknown, name: string): RunningServer {
  if (typeof value !== "object" || value === null) return { where: name, close: async () => {} };
  const { where, close } = value as { where?: unknown; close?: unknown };
  return {
    where: typeof where === "string" ? where : name,
    close: async () => {
      if (typeof close === "function") await close.call(value);
    },
  };
}
