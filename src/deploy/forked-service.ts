/** A gateway process of the forking mode: the app runs beside the sockets. */
import type { Logger } from "../log.ts";
import { LISTENER_FD } from "../supervisor/messages.ts";
import type { Duty, GatewayService } from "../supervisor/serve-under-supervisor.ts";
import { runStartHooks, runStopHooks, type WorkerInfo } from "../app/worker-hooks.ts";
import { makeApp } from "./app-recipe.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { appDispatcher, closeGateway, gatewayReport, openGateway } from "./servers.ts";

export async function forkedService(duty: Duty<GatewayWork>, log: Logger): Promise<GatewayService<GatewayWork>> {
  const { work, worker, generation } = duty;
  const { plan, recipe } = work;
  const info: WorkerInfo = { id: worker, generation, mode: "fork" };
  const app = await makeApp(recipe, log);
  await runStartHooks(info);
  const address = { fd: LISTENER_FD, exclusive: true };
  const gateway = await openGateway(plan, { dispatcher: appDispatcher(plan, app, log), address, log });
  return {
    reload: async () => await Promise.reject(new Error("a process of the forking mode is replaced, not reloaded")),
    drain: async (handOver) => {
      await closeGateway(gateway, handOver);
      await runStopHooks(info, (error) => log.error(`an onWorkerStop hook failed: ${String(error)}`));
    },
    resize: () => {},
    reopenLogs: () => gateway.reopenLogs(),
    dumpStacks: () => {},
    report: () => ({ ...gatewayReport(gateway), threads: null }),
  };
}
