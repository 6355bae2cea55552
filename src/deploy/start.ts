/** Starts what a configuration file describes: its app behind its server. */
import { resolve } from "node:path";

import { type LogLevel, silentLogger } from "../log.ts";
import { type AppRecipe, makeApp } from "./app-recipe.ts";
import type { Context } from "./context.ts";
import { create, nameOf } from "./create.ts";
import { type DescribedServer, type ServerChoice, describeServer } from "./described-server.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { type RunningLogging, readLogging, startLogging } from "./logging.ts";
import type { LoggingPlan } from "./logging-sections.ts";
import { describe } from "./loader.ts";
import type { RunningServer, StartGateway, StartServer } from "./servers.ts";
import { type SupervisedServer, startSupervised } from "./supervised.ts";

export interface StartOptions extends ServerChoice {
  /** The section `[app:…]`, or one of its kin. Default "main". */
  readonly appName?: string | undefined;
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
  const { server, app, recipe, logging, surroundings } = read(file, options);
  const startServer = (await create(server, surroundings)) as StartServer | StartGateway;
  const work = workOf(startServer, { recipe, logging }, options);
  if (work !== null) {
    const path = resolve(surroundings.relativeTo, file);
    return await startSupervised(work, async () => await reread(file, options), log, path);
  }
  const running = startLogging(logging, 0, log);
  try {
    const made = await create(app, surroundings);
    return asRunning(await startServer(made, { where: nameOf(app) }), nameOf(server), running);
  } catch (error) {
    await running.close();
    throw error;
  }
}

/**
 * All that `start` does before it listens, without workers: reads the file, checks the server's options, loads the app.
 *
 * @returns what would serve what
 * @throws ConfigError
 */
export async function check(file: string, options: StartOptions = {}): Promise<string> {
  const { log = silentLogger } = options;
  const { server, app, recipe, surroundings } = read(file, options);
  await create(server, surroundings);
  await makeApp(recipe, log);
  return `${nameOf(app)} can be served by ${nameOf(server)}`;
}

interface Configuration extends DescribedServer {
  readonly app: Context;
  readonly recipe: AppRecipe;
  readonly logging: LoggingPlan | null;
}

function read(file: string, options: StartOptions): Configuration {
  const { appName = "main" } = options;
  const described = describeServer(file, options);
  const { uri, surroundings } = described;
  const { relativeTo, globalConf, files } = surroundings;
  const app = describe("app", uri, { ...surroundings, name: appName });
  const recipe: AppRecipe = { from: "configuration", uri, name: appName, relativeTo, globalConf, files };
  const logging = readLogging(resolve(relativeTo, file), { globalConf, files, log: silentLogger });
  return { ...described, app, recipe, logging };
}

async function reread(file: string, options: StartOptions): Promise<GatewayWork> {
  const { server, recipe, logging, surroundings } = read(file, options);
  const made = (await create(server, surroundings)) as StartServer | StartGateway;
  const work = workOf(made, { recipe, logging }, options);
  if (work === null) throw new Error(`${nameOf(server)} is another kind of server: that needs a restart`);
  return work;
}

/** Null for a server that takes the made app. */
function workOf(
  startServer: StartServer | StartGateway,
  what: Pick<GatewayWork, "recipe" | "logging">,
  { level = "info" }: StartOptions,
): GatewayWork | null {
  if (!("plan" in startServer) || startServer.plan.mode === "single") return null;
  return { plan: startServer.plan, ...what, level };
}

/** A server of another package may return anything; it is closed if it can be. */
function asRunning(value: unknown, name: string, logging: RunningLogging): RunningServer {
  if (typeof value !== "object" || value === null) {
    return { where: name, close: logging.close, reopenLogs: logging.reopen };
  }
  const { where, close, reopenLogs } = value as Record<keyof RunningServer, unknown>;
  return {
    where: typeof where === "string" ? where : name,
    close: async () => {
      if (typeof close === "function") await close.call(value);
      await logging.close();
    },
    reopenLogs: () => {
      logging.reopen();
      if (typeof reopenLogs === "function") reopenLogs.call(value);
    },
  };
}
