/** The single mode: the app runs beside the sockets, in the thread that starts it. */
import type { AppHandler } from "../app/adapt.ts";
import { type WorkerInfo, runStartHooks, runStopHooks } from "../app/worker-hooks.ts";
import type { ByRole, Dispatcher } from "../exchange.ts";
import { describeAddress } from "../gateway/listen-address.ts";
import type { Logger } from "../log.ts";
import { RequestLimit } from "../modes/request-limit.ts";
import { enterSurroundings } from "../supervisor/surroundings.ts";
import { checkListener } from "./listen.ts";
import { type GatewayPlan, TITLES, valueOf } from "./plan.ts";
import {
  type OpenGateway,
  type RunningServer,
  appDispatcher,
  closeGateway,
  finishAfterwards,
  openGateway,
} from "./gateway.ts";

/**
 * Loads the app, then listens. Where the app has an account or a directory of its own it is the other way round: the
 * socket is bound with the rights that the process was started with, these are given up, and the requests that come
 * meanwhile wait for the app, as in a queue of threads. `onBound` is called between the two.
 *
 * @throws ConfigError, ListenError; what `load` throws
 */
export async function startSingle(
  plan: GatewayPlan,
  load: () => Promise<ByRole<AppHandler>>,
  { log, onBound }: { readonly log: Logger; readonly onBound?: (() => void) | undefined },
): Promise<RunningServer> {
  checkListener(plan.address);
  const { user, group, chdir, processUmask: umask } = plan.settings.process;
  const asIs = [user, group, chdir, umask].every((value) => value === undefined);
  const worker: WorkerInfo = { id: 0, generation: 1, mode: "single" };
  const loadApp = async (): Promise<Dispatcher> => {
    const dispatcher = appDispatcher(plan, await load(), log);
    await runStartHooks(worker);
    return dispatcher;
  };
  let gateway: OpenGateway;
  if (asIs) {
    gateway = await openGateway(plan, { dispatcher: await loadApp(), address: plan.address, log });
  } else {
    let app: Dispatcher | null = null;
    const [queueLimit, queueTimeout] = [valueOf(plan, "pool", "queueLimit"), valueOf(plan, "pool", "queueTimeout")];
    const dispatcher = new RequestLimit(
      { dispatch: (head, response) => app!.dispatch(head, response) },
      { concurrency: 0, queueLimit, queueTimeout },
    );
    const bound = (): void => {
      onBound?.();
      enterSurroundings({ user, group, chdir, umask });
    };
    gateway = await openGateway(plan, { dispatcher, address: plan.address, log, bound });
    try {
      app = await loadApp();
    } catch (error) {
      gateway.closeAllConnections();
      await closeGateway(gateway, false);
      throw error;
    }
    dispatcher.open();
  }
  const { reopenLogs } = gateway;
  return {
    ...(plan.settings.process.accessLog === undefined ? {} : { reopenLogs }),
    where: `${TITLES[plan.protocol]} on ${describeAddress(gateway.address(), plan.address)}`,
    close: async () => {
      const since = performance.now();
      await closeGateway(gateway, false);
      await finishAfterwards(plan, since, log);
      await runStopHooks(worker, (error) => log.error(`an onWorkerStop hook failed: ${String(error)}`));
    },
  };
}
