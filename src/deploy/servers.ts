/** The composition root: server factories, each a protocol and a mode put together, as configurations name them. */
import { once } from "node:events";

import { type AppHandler, adaptApp } from "../app/adapt.ts";
import { type WorkerInfo, runStartHooks, runStopHooks } from "../app/worker-hooks.ts";
import { ConfigError } from "../errors.ts";
import type { Dispatcher } from "../exchange.ts";
import { type ListenAddress, describeAddress } from "../gateway/listen-address.ts";
import { Gateway } from "../gateway/server.ts";
import type { Logger } from "../log.ts";
import { singleMode } from "../modes/single.ts";
import { REQUESTS_SHOWN } from "../report.ts";
import type { ServiceReport } from "../supervisor/serve-under-supervisor.ts";
import { openAccessLog } from "./access-log.ts";
import type { Conf } from "./context.ts";
import type { FactoryAid } from "./create.ts";
import { type GatewayKind, type GatewayPlan, TITLES, readPlan } from "./plan.ts";

/** A server at work. */
export interface RunningServer {
  /** For people: `FastCGI on /run/app.sock`. */
  readonly where: string;
  /** Accepts nothing more and resolves when the requests in hand are answered, or cut off after `graceful_timeout`. */
  close(): Promise<void>;
  /** Goes on in new files after the log files were renamed; not there where the server has none. */
  reopenLogs?(): void;
}

/** What makes a server run: gets the app that a configuration made; `where` is what errors call that app. */
export type StartServer = (app: unknown, options?: { readonly where?: string }) => Promise<RunningServer>;

/** One of our gateway servers: with workers it is run by its plan, since a made app cannot cross to them. */
export type StartGateway = StartServer & { readonly plan: GatewayPlan };

/** A server factory that comes with propylon. */
export type ServerFactory = (globalConf: Conf, localConf: Conf, aid: FactoryAid) => StartServer;

/** A factory of FastCGI or SCGI servers. */
export function gatewayServer(kind: GatewayKind): ServerFactory {
  return (globalConf, localConf, aid) => {
    const plan = readPlan(kind, globalConf, localConf, aid);
    const start: StartServer = async (app, { where = "the app" } = {}) => {
      if (plan.mode !== "single") {
        const message = `an app that is made already cannot cross to ${plan.mode}; start it by its name, with serve()`;
        throw new ConfigError("CONFIG_NOT_SUPPORTED", message, aid.placeOf());
      }
      return await startGateway(plan, await adaptApp(app, { where }), aid.log);
    };
    return Object.assign(start, { plan });
  };
}

/** The single mode: the app runs beside the sockets. */
export async function startGateway(plan: GatewayPlan, app: AppHandler, log: Logger): Promise<RunningServer> {
  const worker: WorkerInfo = { id: 0, generation: 1, mode: "single" };
  await runStartHooks(worker);
  const gateway = await openGateway(plan, { dispatcher: appDispatcher(plan, app, log), address: plan.address, log });
  const { reopenLogs } = gateway;
  return {
    ...(plan.settings.process.accessLog === undefined ? {} : { reopenLogs }),
    where: `${TITLES[plan.protocol]} on ${describeAddress(gateway.address(), plan.address)}`,
    close: async () => {
      await closeGateway(gateway, false);
      await runStopHooks(worker, (error) => log.error(`an onWorkerStop hook failed: ${String(error)}`));
    },
  };
}

/** Runs the app in this thread. */
export function appDispatcher({ settings, debug }: GatewayPlan, app: AppHandler, log: Logger): Dispatcher {
  const {
    mount = "auto",
    captureConsole = false,
    requestContext = false,
    conflictingHeaders = "merge",
    maxResponseHeader,
  } = settings.app;
  const options = { mount, debug, captureConsole, requestContext, conflictingHeaders, log, app };
  return singleMode({ ...options, maxResponseHeader: maxResponseHeader ?? 65_536 });
}

/** A gateway with its logs, which close with it. */
export type OpenGateway = Gateway & { readonly reopenLogs: () => void };

/** Resolves when it listens. @throws ConfigError for a log that cannot be opened, ListenError */
export async function openGateway(
  plan: GatewayPlan,
  { dispatcher, address, log }: { dispatcher: Dispatcher; address: ListenAddress; log: Logger },
): Promise<OpenGateway> {
  const { protocol, settings } = plan;
  const accessLog = openAccessLog(plan, log);
  const gateway = new Gateway({ dispatcher, protocol, options: settings.gateway, log, accessLog: accessLog?.write });
  gateway.listen(address);
  try {
    await once(gateway, "listening");
  } catch (error) {
    accessLog?.close();
    throw error;
  }
  gateway.on("close", () => accessLog?.close());
  gateway.on("error", (error) => log.error(`${TITLES[protocol]}: ${error.message}`));
  return Object.assign(gateway, { reopenLogs: () => accessLog?.reopen() });
}

/** Resolves when its last connection is gone. `handOver`: others take the new ones, kept ones are served until idle. */
export async function closeGateway(gateway: Gateway, handOver: boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    if (handOver) gateway.retire(() => resolve());
    else gateway.close(() => resolve());
  });
}

/** What a gateway tells its supervisor. */
export function gatewayReport(gateway: Gateway): Omit<ServiceReport, "threads"> {
  const { connections, requests, counters } = gateway;
  const inFlight = requests.length;
  const served = counters.requests - inFlight;
  return { connections, inFlight, served, requests: requests.slice(0, REQUESTS_SHOWN), counters: { ...counters } };
}

/** A factory that knows its name but cannot serve yet. */
export function notSupported(what: string): (...conf: unknown[]) => never {
  return (...conf) => {
    const aid = conf.at(-1) as FactoryAid;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", `${what} is not part of this version of propylon`, aid.placeOf());
  };
}
