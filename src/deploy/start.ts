/** Starts what a configuration file describes: its app behind its server. */
import { resolve } from "node:path";

import { ConfigError } from "../errors.ts";
import { type LogLevel, type Logger, silentLogger } from "../log.ts";
import { makeApp } from "./app-recipe.ts";
import type { Context } from "./context.ts";
import { create, nameOf } from "./create.ts";
import { type DescribedApp, describeApp } from "./described-app.ts";
import { type DescribedServer, type ServerChoice, describeServer } from "./described-server.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { type RunningLogging, startLogging } from "./logging.ts";
import { type GatewayPlan, runAs } from "./plan.ts";
import { checkPlan, withPlace } from "./plan-check.ts";
import type { RunningServer } from "./gateway.ts";
import type { StartGateway, StartServer } from "./servers.ts";
import { warnOfRoot } from "../supervisor/surroundings.ts";
import { startByRecipe } from "./configured-single.ts";
import { type SupervisedServer, startSupervised } from "./supervised.ts";

export interface StartOptions extends ServerChoice {
  /** The section `[app:…]`, or one of its kin. Default "main". */
  readonly appName?: string | undefined;
  /** The account that the app runs as, by name or number, over what the file says. */
  readonly user?: string | undefined;
  /** Its group. */
  readonly group?: string | undefined;
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
  const reading = sayingOnce(log);
  const configuration = read(file, { ...options, log: reading });
  const { server, recipe, logging, surroundings } = configuration;
  const startServer = (await create(server, surroundings)) as StartServer | StartGateway;
  const plan = planOf(startServer, server, options);
  if (plan === null) return await startForeign(startServer, configuration, log);
  const work = { plan, recipe, logging, level: options.level ?? "info" };
  try {
    if (plan.mode === "single") {
      warnOfRoot(plan.settings.process.user, log);
      return await startByRecipe(work, log, reading);
    }
    const path = resolve(surroundings.relativeTo, file);
    return await startSupervised(work, async () => await reread(file, options), log, path);
  } catch (error) {
    throw withPlace(error, server);
  }
}

/**
 * All that `start` does before it listens, without workers: reads the file, checks the server's options with the accounts
 * and directories that they name, loads the app.
 *
 * @returns what would serve what
 * @throws ConfigError
 */
export async function check(file: string, options: StartOptions = {}): Promise<string> {
  const log = sayingOnce(options.log ?? silentLogger);
  const { server, app, recipe, surroundings } = read(file, { ...options, log });
  const plan = planOf((await create(server, surroundings)) as StartServer | StartGateway, server, options);
  try {
    if (plan !== null) checkPlan(plan);
  } catch (error) {
    throw withPlace(error, server);
  }
  await makeApp(recipe, log);
  return `${nameOf(app)} can be served by ${nameOf(server)}`;
}

interface Configuration extends DescribedServer, DescribedApp {}

function read(file: string, options: StartOptions): Configuration {
  const described = describeServer(file, options);
  return { ...described, ...describeApp(file, options.appName, described.surroundings) };
}

async function reread(file: string, options: StartOptions): Promise<GatewayWork> {
  const { server, recipe, logging, surroundings } = read(file, options);
  const plan = planOf((await create(server, surroundings)) as StartServer | StartGateway, server, options);
  if (plan === null || plan.mode === "single") {
    throw new Error(`${nameOf(server)} is another kind of server: that needs a restart`);
  }
  return { plan, recipe, logging, level: options.level ?? "info" };
}

/** Null for a server that takes a made app. @throws ConfigError CONFIG_NOT_SUPPORTED if it should have an account */
function planOf(
  startServer: StartServer | StartGateway,
  server: Context,
  { user, group }: StartOptions,
): GatewayPlan | null {
  if ("plan" in startServer) return runAs(startServer.plan, { user, group });
  if (user === undefined && group === undefined) return null;
  const message = `${nameOf(server)} binds when the app is loaded already, and cannot give up its rights between the two`;
  throw new ConfigError("CONFIG_NOT_SUPPORTED", message, server.place);
}

/** A server that is none of our gateways gets the app as it is. */
async function startForeign(
  startServer: StartServer,
  { app, server, logging, surroundings }: Configuration,
  log: Logger,
): Promise<RunningServer> {
  const running = startLogging(logging, 0, log);
  try {
    const made = await create(app, surroundings);
    return asRunning(await startServer(made, { where: nameOf(app) }), nameOf(server), running);
  } catch (error) {
    await running.close();
    throw error;
  }
}

/** A file is gone through more than once, and a section as often as it is named: its warnings are said once. */
function sayingOnce(log: Logger): Logger {
  const said = new Set<string>();
  return {
    ...log,
    warn: (line) => {
      if (!said.has(line)) log.warn(line);
      said.add(line);
    },
  };
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
