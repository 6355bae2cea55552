/** Starts what a configuration file describes: its app behind its server. */
import { type Logger, silentLogger } from "../log.ts";
import { BUILTINS } from "./builtins.ts";
import type { Conf } from "./context.ts";
import { create, nameOf } from "./create.ts";
import { describe } from "./loader.ts";
import type { RunningServer, StartServer } from "./servers.ts";

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
}

/**
 * Describes server and app, so that any fault of the file is found before code of the app runs, then creates both and
 * listens.
 *
 * @throws ConfigError, ListenError
 */
export async function start(file: string, options: StartOptions = {}): Promise<RunningServer> {
  const { appName = "main", serverName = "main", relativeTo = process.cwd(), globalConf, log = silentLogger } = options;
  const surroundings = { relativeTo, globalConf, log, builtins: BUILTINS };
  const uri = `config:${file.replaceAll("%", "%25").replaceAll("#", "%23")}`;
  const server = describe("server", uri, { ...surroundings, name: serverName });
  const app = describe("app", uri, { ...surroundings, name: appName });
  const startServer = (await create(server, surroundings)) as StartServer;
  const made = await create(app, surroundings);
  return asRunning(await startServer(made, { where: nameOf(app) }), nameOf(server));
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
