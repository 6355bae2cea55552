/** The app of a configuration behind a gateway that nobody else knows: for requests by hand. */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Logger, silentLogger } from "../log.ts";
import { BUILTINS } from "./builtins.ts";
import type { Conf } from "./context.ts";
import { describeApp } from "./described-app.ts";
import { readPlan } from "./plan.ts";
import { startByRecipe } from "./configured-single.ts";

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
  const directory = await mkdtemp(join(tmpdir(), "propylon-request-"));
  const remove = (): void => {
    process.off("exit", remove);
    rmSync(directory, { recursive: true, force: true });
  };
  // An app may end the process while it is loaded.
  process.on("exit", remove);
  const path = join(directory, "app.sock");
  try {
    const aid = { log, placeOf: () => app.place };
    const kind = { protocol: "fastcgi", mode: "single", listen: { path } } as const;
    const plan = readPlan(kind, app.globalConf, mount === undefined ? {} : { mount }, aid);
    const running = await startByRecipe({ plan, recipe, logging, level: "warn" }, { log });
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
