/** The app of a configuration behind a gateway that nobody else knows: for requests by hand. */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Logger, silentLogger } from "../log.ts";
import { BUILTINS } from "./builtins.ts";
import type { Conf } from "./context.ts";
import { describeApp } from "./described-app.ts";
import { type ServerChoice, describeServer } from "./described-server.ts";
import { planOf } from "./find-server.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { readPlan } from "./plan.ts";
import { startByRecipe } from "./configured-single.ts";

/** In place of the address until there is one: a Unix socket, which nobody else can reach. */
const NOWHERE = { path: "" };

export interface PrivateApp {
  /** Of the Unix socket, where it speaks FastCGI. */
  readonly path: string;
  close(): Promise<void>;
}

/**
 * Loads the app in this process. What the file says of servers has no effect.
 *
 * @throws ConfigError; what the app fails with
 */
export async function startPrivately(
  file: string,
  options: {
    readonly appName?: string | undefined;
    readonly globalConf?: Conf | undefined;
    /** As in a server's section. Default "auto". */
    readonly mount?: string | undefined;
    readonly log?: Logger | undefined;
  } = {},
): Promise<PrivateApp> {
  const { appName, globalConf, mount, log = silentLogger } = options;
  const surroundings = { relativeTo: process.cwd(), globalConf, files: new Map(), log, builtins: BUILTINS };
  const { app, recipe, logging } = describeApp(file, appName, surroundings);
  const aid = { log, placeOf: () => app.place };
  const kind = { protocol: "fastcgi", mode: "single", listen: NOWHERE } as const;
  const plan = readPlan(kind, app.globalConf, mount === undefined ? {} : { mount }, aid);
  return await startBehind({ plan, recipes: { responder: recipe }, logging, level: "warn" }, log);
}

/**
 * For a server that has nothing to listen on, and whose section does not say that it has: what loads its app in this
 * process, behind the section's options but for those of workers. Null for any other server.
 *
 * @throws ConfigError; the result throws what the app fails with
 */
export async function withoutListener(
  file: string,
  options: ServerChoice & { readonly appName?: string | undefined },
): Promise<(() => Promise<PrivateApp>) | null> {
  const { appName, log = silentLogger } = options;
  const described = describeServer(file, options);
  const plan = await planOf(described);
  if (plan === null || !("fd" in plan.address)) return null;
  if (plan.address.missing === undefined || plan.settings.listen.fd !== undefined) return null;
  const { recipe, logging } = describeApp(file, appName, described.surroundings);
  const alone = { ...plan, protocol: "fastcgi", mode: "single" } as const;
  return async () => await startBehind({ plan: alone, recipes: { responder: recipe }, logging, level: "warn" }, log);
}

/** The address is that of a directory which is made for it. */
async function startBehind({ plan, ...work }: GatewayWork, log: Logger): Promise<PrivateApp> {
  const directory = await mkdtemp(join(tmpdir(), "propylon-request-"));
  const remove = (): void => {
    process.off("exit", remove);
    rmSync(directory, { recursive: true, force: true });
  };
  // An app may end the process while it is loaded.
  process.on("exit", remove);
  const path = join(directory, "app.sock");
  try {
    const running = await startByRecipe({ ...work, plan: { ...plan, address: { path } } }, { log });
    const close = async (): Promise<void> => {
      await running.close();
      remove();
    };
    return { path, close };
  } catch (error) {
    remove();
    throw error;
  }
}
