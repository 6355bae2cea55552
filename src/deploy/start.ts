/** Starts what a configuration file describes: its app behind its server. */
import { resolve } from "node:path";

import type { ByRole } from "../exchange.ts";
import { type LogLevel, type Logger, silentLogger } from "../log.ts";
import { type AppRecipe, makeApps } from "./app-recipe.ts";
import type { NodeHandler } from "../app/handler.ts";
import { nodeHandler } from "../app/node-handler.ts";
import { create, nameOf } from "./create.ts";
import { type DescribedApp, describeApp, describeNamedApp } from "./described-app.ts";
import { type DescribedServer, type ServerChoice, describeServer } from "./described-server.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { checkListener } from "./listen.ts";
import { type RunningLogging, startLogging } from "./logging.ts";
import { ROLES_WITH_APPS } from "./options.ts";
import { type GatewayPlan, runAs } from "./plan.ts";
import { checkPlan, withPlace } from "./plan-check.ts";
import type { RunningServer } from "./gateway.ts";
import type { StartGateway, StartServer } from "./servers.ts";
import { enterSurroundings, warnOfRoot } from "../supervisor/surroundings.ts";
import { startByRecipe } from "./configured-single.ts";
import { type SupervisedServer, startSupervised } from "./supervised.ts";

export interface StartOptions extends ServerChoice {
  /** The section `[app:…]`, or one of its kin. Default "main". */
  readonly appName?: string | undefined;
  /** The account that the app runs as, by name or number, over what the file says. */
  readonly user?: string | undefined;
  /** Its group. */
  readonly group?: string | undefined;
  /** Called when the socket is bound, before this process gives up its rights. Not called where it does not. */
  readonly onBound?: (() => void) | undefined;
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
  const { server, logging, surroundings } = configuration;
  const startServer = (await create(server, surroundings)) as StartServer | StartGateway;
  const plan = planOf(startServer, options);
  if (plan === null) return await startForeign(startServer, configuration, { ...options, log });
  const work = { plan, recipes: recipesOf(plan, configuration), logging, level: options.level ?? "info" };
  try {
    if (plan.mode === "single") {
      warnOfRoot(plan.settings.process.user, log);
      return await startByRecipe(work, { log, reading, onBound: options.onBound });
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
  const configuration = read(file, { ...options, log });
  const { server, app, recipe, surroundings } = configuration;
  const plan = planOf((await create(server, surroundings)) as StartServer | StartGateway, options);
  try {
    if (plan !== null) {
      // Whether a descriptor is handed over shows when the server is started by whoever does that.
      if (plan.settings.listen.fd === undefined) checkListener(plan.address);
      checkPlan(plan);
    }
  } catch (error) {
    throw withPlace(error, server);
  }
  await makeApps(plan === null ? { responder: recipe } : recipesOf(plan, configuration), log);
  return `${nameOf(app)} can be served by ${nameOf(server)}`;
}

interface Configuration extends DescribedServer, DescribedApp {}

function read(file: string, options: StartOptions): Configuration {
  const described = describeServer(file, options);
  return { ...described, ...describeApp(file, options.appName, described.surroundings) };
}

async function reread(file: string, options: StartOptions): Promise<GatewayWork> {
  const configuration = read(file, options);
  const { server, logging, surroundings } = configuration;
  const plan = planOf((await create(server, surroundings)) as StartServer | StartGateway, options);
  if (plan === null || plan.mode === "single") {
    throw new Error(`${nameOf(server)} is another kind of server: that needs a restart`);
  }
  return { plan, recipes: recipesOf(plan, configuration), logging, level: options.level ?? "info" };
}

/** Describes the apps of the roles that the server's section names, each where its line stands. @throws ConfigError */
function recipesOf({ settings }: GatewayPlan, { server, recipe, surroundings }: Configuration): ByRole<AppRecipe> {
  const recipes: { responder: AppRecipe; authorizer?: AppRecipe; filter?: AppRecipe } = { responder: recipe };
  for (const role of ROLES_WITH_APPS) {
    const name = settings.app[role];
    if (name !== undefined) recipes[role] = describeNamedApp(name, server.keys.get(role) ?? server.place, surroundings);
  }
  return recipes;
}

/** Null for a server that takes a made app. */
function planOf(startServer: StartServer | StartGateway, { user, group }: StartOptions): GatewayPlan | null {
  return "plan" in startServer ? runAs(startServer.plan, { user, group }) : null;
}

/**
 * A server that is none of our gateways gets the app as it is. Where the app has an account it gets one that stands in
 * for the app: it has bound when the rights are given up and the app is loaded, and requests wait for that.
 */
async function startForeign(
  startServer: StartServer,
  { app, server, logging, surroundings }: Configuration,
  { user, group, log, onBound }: StartOptions & { readonly log: Logger },
): Promise<RunningServer> {
  const where = nameOf(app);
  const hasAccount = user !== undefined || group !== undefined;
  const standIn = new StandIn();
  const bound: unknown = hasAccount ? await startServer(standIn.handler, { where }) : null;
  if (hasAccount) {
    onBound?.();
    enterSurroundings({ user, group });
  }
  const running = startLogging(logging, 0, log);
  try {
    const made = await create(app, surroundings);
    if (!hasAccount) return asRunning(await startServer(made, { where }), nameOf(server), running);
    standIn.resolve(await nodeHandler(made, { where }));
    return asRunning(bound, nameOf(server), running);
  } catch (error) {
    standIn.reject(error);
    await asRunning(bound, nameOf(server), running).close();
    throw error;
  }
}

/** An app that is not loaded yet: its requests wait. */
class StandIn {
  resolve!: (handler: NodeHandler) => void;
  reject!: (error: unknown) => void;
  readonly #loaded = new Promise<NodeHandler>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.#loaded.catch(() => {});
  }

  readonly handler: NodeHandler = async (request, response) => (await this.#loaded)(request, response);
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
