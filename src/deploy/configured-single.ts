/** The single mode with the app and the loggers of a configuration. */
import type { AppHandler } from "../app/adapt.ts";
import type { ByRole } from "../exchange.ts";
import type { Logger } from "../log.ts";
import { makeApps } from "./app-recipe.ts";
import type { RunningServer } from "./gateway.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { type RunningLogging, startLogging } from "./logging.ts";
import { startSingle } from "./single-service.ts";

interface SingleOptions {
  readonly log: Logger;
  /** Hears of what has no effect in the configuration. Default: `log`. */
  readonly reading?: Logger;
  /** As in `startSingle`. */
  readonly onBound?: (() => void) | undefined;
}

/** Resolves when it serves. Its loggers open their files with the rights of the app. @throws as `startSingle` */
export async function startByRecipe(
  { plan, recipes, logging }: GatewayWork,
  { log, reading = log, onBound }: SingleOptions,
): Promise<RunningServer> {
  let loggers: RunningLogging | null = null;
  const load = async (): Promise<ByRole<AppHandler>> => {
    loggers = startLogging(logging, 0, log);
    return await makeApps(recipes, reading);
  };
  const close = async (): Promise<void> => await loggers?.close();
  try {
    const running = await startSingle(plan, load, { log, onBound });
    return {
      where: running.where,
      close: async () => {
        await running.close();
        await close();
      },
      reopenLogs: () => {
        loggers?.reopen();
        running.reopenLogs?.();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
