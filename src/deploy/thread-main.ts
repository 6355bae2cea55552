/** What a worker thread runs: the app, made by its recipe, at the end of the gateway's line. */
import { workerData } from "node:worker_threads";

import { asError, textOf } from "../app/thrown.ts";
import { runStartHooks, runStopHooks, type WorkerInfo } from "../app/worker-hooks.ts";
import { carryError } from "../carried-error.ts";
import { type Logger, descriptorWriter, lineLogger } from "../log.ts";
import { FarEnd } from "../modes/threads/far-end.ts";
import type { FromThread, ThreadData } from "../modes/threads/messages.ts";
import { makeApps } from "./app-recipe.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { startLogging } from "./logging.ts";
import { appDispatcher, finishAfterwards } from "./gateway.ts";

/** Milliseconds for the other requests after an exception: the one that threw will hardly be answered any more. */
const FAILURE_GRACE = 5_000;

const data = { ...(workerData as ThreadData<GatewayWork>) };
// The line to the gateway's thread is nothing for the app, which sees this very object.
Reflect.deleteProperty(workerData as object, "port");
const { plan, recipes, level, logging } = data.work;
// The thread's own standard error passes through the main thread, and is lost with the thread.
const log: Logger = lineLogger(level, descriptorWriter(2));
const worker: WorkerInfo = { id: data.id, generation: data.generation, mode: "thread" };
let end: FarEnd | null = null;

process.on("uncaughtException", (error, origin) => {
  if (end === null) return failed(error);
  log.error(`${origin} in worker thread ${data.id}: ${textOf(asError(error))}`);
  process.exitCode = 1;
  setTimeout(() => process.exit(1), FAILURE_GRACE).unref();
  end.leave();
});

try {
  const loggers = startLogging(logging, data.id, log);
  const apps = await makeApps(recipes, log);
  await runStartHooks(worker);
  const stop = async (): Promise<void> => {
    await finishAfterwards(plan, performance.now(), log);
    await runStopHooks(worker, (error) => log.error(`an onWorkerStop hook failed: ${textOf(asError(error))}`));
    await loggers.close();
  };
  const dispatcher = appDispatcher(plan, apps, log);
  end = new FarEnd(data, { dispatcher, stop, reopenLogs: loggers.reopen });
} catch (error) {
  failed(error);
}

function failed(error: unknown): void {
  data.port.postMessage({ failed: carryError(error) } satisfies FromThread);
  process.exit(1);
}
