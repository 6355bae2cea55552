/** A gateway as a plan has it: with the app's dispatcher, its logs, and what is told of it. */
import { once } from "node:events";

import type { AppHandler } from "../app/adapt.ts";
import { hooksAfterResponses } from "../app/after-response.ts";
import { handlerOf } from "../app/node-handler.ts";
import { sendfileFront } from "../app/sendfile-front.ts";
import type { ByRole, Dispatcher, ExchangeRecord } from "../exchange.ts";
import type { ListenAddress } from "../gateway/listen-address.ts";
import { Gateway } from "../gateway/server.ts";
import type { Logger } from "../log.ts";
import { withEnviron } from "../modes/environ.ts";
import { Probes } from "../modes/probe.ts";
import { singleMode } from "../modes/single.ts";
import { REQUESTS_SHOWN } from "../report.ts";
import type { ServiceReport } from "../supervisor/serve-under-supervisor.ts";
import { openAccessLog } from "./access-log.ts";
import { type GatewayPlan, TITLES, gracefulTimeout } from "./plan.ts";

/** A server at work. */
export interface RunningServer {
  /** For people: `FastCGI on /run/app.sock`. */
  readonly where: string;
  /** Accepts nothing more and resolves when the requests in hand are answered, or cut off after `graceful_timeout`. */
  close(): Promise<void>;
  /** Goes on in new files after the log files were renamed; not there where the server has none. */
  reopenLogs?(): void;
}

/** Runs the apps in this thread. */
export function appDispatcher({ settings, debug }: GatewayPlan, apps: ByRole<AppHandler>, log: Logger): Dispatcher {
  const {
    mount = "auto",
    captureConsole = false,
    requestContext = false,
    conflictingHeaders = "merge",
    maxResponseHeader,
    earlyHints = false,
  } = settings.app;
  const { responder: app, authorizer, filter } = apps;
  return singleMode({
    ...{ mount, debug, captureConsole, requestContext, conflictingHeaders, earlyHints, log, app },
    ...(authorizer === undefined ? {} : { authorizer: handlerOf(authorizer) }),
    ...(filter === undefined ? {} : { filter: handlerOf(filter) }),
    maxResponseHeader: maxResponseHeader ?? 65_536,
    sendfile: sendfileFront(settings.app, () => ({})),
  });
}

/** A gateway with its logs, which close with it. */
export type OpenGateway = Gateway & {
  readonly reopenLogs: () => void;
  /** Answers probes by `token` from now on, for a while. */
  readonly expectProbe: (token: string) => void;
};

export interface OpenOptions {
  readonly dispatcher: Dispatcher;
  readonly address: ListenAddress;
  readonly log: Logger;
  /** Called when it is bound, before the access log is opened. Default: that is opened first. */
  readonly bound?: (() => void) | undefined;
}

/** Resolves when it listens. @throws ConfigError for a log that cannot be opened, ListenError; what `bound` throws */
export async function openGateway(
  plan: GatewayPlan,
  { dispatcher, address, log, bound }: OpenOptions,
): Promise<OpenGateway> {
  const { protocol, settings } = plan;
  let accessLog = bound === undefined ? openAccessLog(plan, log) : null;
  const logged = settings.process.accessLog !== undefined;
  const write = logged ? (record: ExchangeRecord): void => accessLog?.write(record) : undefined;
  const { environ, mount = "auto" } = settings.app;
  const probes = new Probes(dispatcher, mount);
  const gateway = new Gateway({
    dispatcher: environ === undefined ? probes : withEnviron(probes, environ),
    ...{ protocol, options: settings.gateway, log, accessLog: write },
  });
  gateway.listen(address);
  try {
    await once(gateway, "listening");
    if (bound !== undefined) {
      bound();
      accessLog = openAccessLog(plan, log);
    }
  } catch (error) {
    accessLog?.close();
    if (gateway.listening) gateway.close();
    throw error;
  }
  gateway.on("close", () => accessLog?.close());
  gateway.on("error", (error) => log.error(`${TITLES[protocol]}: ${error.message}`));
  return Object.assign(gateway, {
    reopenLogs: () => accessLog?.reopen(),
    expectProbe: (token: string) => probes.expect(token),
  });
}

/** Resolves when its last connection is gone. `handOver`: others take the new ones, kept ones are served until idle. */
export async function closeGateway(gateway: Gateway, handOver: boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    if (handOver) gateway.retire(() => resolve());
    else gateway.close(() => resolve());
  });
}

/**
 * Waits for what the app does after its answers, until `graceful_timeout` has passed since the server began to end.
 *
 * @param since - when that was, by `performance.now()`
 */
export async function finishAfterwards(plan: GatewayPlan, since: number, log: Logger): Promise<void> {
  const left = await hooksAfterResponses(Math.max(0, since + gracefulTimeout(plan) - performance.now()));
  if (left > 0) log.warn(`hooks of afterResponse that were not over within graceful_timeout: ${left}`);
}

/** What a gateway tells its supervisor. */
export function gatewayReport(gateway: Gateway): Omit<ServiceReport, "threads"> {
  const { connections, requests, counters } = gateway;
  const inFlight = requests.length;
  const served = counters.requests - inFlight;
  const upgraded = counters.upgrades - counters.upgradesEnded;
  const shown = requests.slice(0, REQUESTS_SHOWN);
  return { connections, upgraded, inFlight, served, requests: shown, counters: { ...counters } };
}
