/** A gateway process of the forking mode: the app runs beside the sockets. */
import type { Dispatcher } from "../exchange.ts";
import type { Logger } from "../log.ts";
import { RequestLimit } from "../modes/request-limit.ts";
import { REQUESTS_SHOWN } from "../report.ts";
import { WatchThread } from "../stacks/watch-thread.ts";
import { ASK_FD, LISTENER_FD } from "../supervisor/messages.ts";
import type { Duty, GatewayService } from "../supervisor/serve-under-supervisor.ts";
import { asError, textOf } from "../app/thrown.ts";
import { runStartHooks, runStopHooks, type WorkerInfo } from "../app/worker-hooks.ts";
import { makeApps } from "./app-recipe.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { startLogging } from "./logging.ts";
import { type GatewayPlan, poolLimits, valueOf } from "./plan.ts";
import { SlowLog, SlowRequests } from "./slow-log.ts";
import { appDispatcher, closeGateway, finishAfterwards, gatewayReport, openGateway } from "./gateway.ts";

export async function forkedService(duty: Duty<GatewayWork>, log: Logger): Promise<GatewayService<GatewayWork>> {
  const { work, worker, generation } = duty;
  const { plan, recipes, logging } = work;
  const info: WorkerInfo = { id: worker, generation, mode: "fork" };
  // The app may change the working directory.
  const slowLog = new SlowLog(plan, log, duty.slow);
  const loggers = startLogging(logging, worker, log);
  const apps = await makeApps(recipes, log);
  await runStartHooks(info);
  const address = { fd: LISTENER_FD, exclusive: true };
  const dispatcher = limited(appDispatcher(plan, apps, log), plan);
  const gateway = await openGateway(plan, { dispatcher, address, log });
  const slowlogTimeout = valueOf(plan, "pool", "slowlogTimeout");
  const slowRequests = new SlowRequests({ timeout: slowlogTimeout, worker, log: slowLog });
  const watch = new WatchThread({
    ...{ worker, slowlogTimeout, stallTimeout: poolLimits(plan).stallTimeout },
    askFd: ASK_FD,
    slowLog: slowLog.path,
    requests: () => gateway.requests.slice(0, REQUESTS_SHOWN),
    onEntry: duty.slow,
  });
  return {
    reload: async () => await Promise.reject(new Error("a process of the forking mode is replaced, not reloaded")),
    drain: async (handOver) => {
      const since = performance.now();
      await closeGateway(gateway, handOver);
      await finishAfterwards(plan, since, log);
      watch.close();
      slowLog.close();
      await runStopHooks(info, (error) => log.error(`an onWorkerStop hook failed: ${textOf(asError(error))}`));
      await loggers.close();
    },
    hurry: () => void gateway.close(),
    resize: () => {},
    reopenLogs: () => {
      gateway.reopenLogs();
      slowLog.reopen();
      loggers.reopen();
    },
    // The watching thread was asked, which hears it even if this one is blocked.
    dumpStacks: () => {},
    expectProbe: (token) => gateway.expectProbe(token),
    report: () => {
      slowRequests.look(gateway.requests);
      const report = gatewayReport(gateway);
      const waiting = dispatcher instanceof RequestLimit ? dispatcher.counters : {};
      return { ...report, counters: { ...report.counters, ...waiting }, threads: null };
    },
  };
}

/** With `concurrency` so many requests are in hand at a time; without it the event loop takes what comes. */
function limited(dispatcher: Dispatcher, plan: GatewayPlan): Dispatcher {
  const { concurrency } = plan.settings.pool;
  if (concurrency === undefined) return dispatcher;
  const [queueLimit, queueTimeout] = [valueOf(plan, "pool", "queueLimit"), valueOf(plan, "pool", "queueTimeout")];
  return new RequestLimit(dispatcher, { concurrency, queueLimit, queueTimeout });
}
