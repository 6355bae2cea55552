/** All that a file says of a server, checked as far as that goes without code of the app: for whoever looks at it from outside. */
import { resolve } from "node:path";

import { ConfigError } from "../errors.ts";
import { type GatewayOptions, resolveGatewayOptions } from "../gateway/options.ts";
import type { Context } from "./context.ts";
import { nameOf } from "./create.ts";
import { describeApp } from "./described-app.ts";
import { type ServerChoice, describeServer } from "./described-server.ts";
import { planOf } from "./find-server.ts";
import { checkPlan, withPlace } from "./plan-check.ts";
import type { GatewayPlan } from "./plan.ts";
import { statusAddress } from "./status-address.ts";
import { limitsOf } from "./status.ts";

/** What the configuration puts before the app, by which a request is another one to it than to the server. */
export interface Adjustments {
  /** Apps by URL, or a prefix: the app need not be where the server is mounted. */
  readonly place: boolean;
  /** Headers of proxies count: for the scheme, the host and the client's address. */
  readonly client: boolean;
}

export interface WholeServer extends Pick<GatewayPlan, "protocol" | "mode" | "address"> {
  /** Absolute. */
  readonly file: string;
  readonly mount: string;
  readonly earlyHints: boolean;
  readonly adjusts: Adjustments;
  /** Null where there is no status. */
  readonly statusPath: string | null;
  readonly pidFile: string | null;
  readonly gateway: GatewayOptions;
  /** As the status of the server reports them. */
  readonly limits: Readonly<Record<string, number | string>>;
}

/** @throws ConfigError; CONFIG_NOT_SUPPORTED for a server that is none of ours */
export async function describeWhole(
  file: string,
  { appName, ...choice }: ServerChoice & { readonly appName?: string | undefined } = {},
): Promise<WholeServer> {
  const described = describeServer(file, choice);
  const { server, surroundings } = described;
  const { app } = describeApp(file, appName, surroundings);
  const plan = await planOf(described);
  if (plan === null) {
    const message = `${nameOf(server)} speaks neither FastCGI nor SCGI nor AJP, and nothing is known of it`;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, server.place);
  }
  try {
    checkPlan(plan);
  } catch (error) {
    throw withPlace(error, server);
  }
  const { protocol, mode, address, settings } = plan;
  const absolute = resolve(surroundings.relativeTo, file);
  const { pidFile } = settings.process;
  return {
    ...{ file: absolute, protocol, mode, address, mount: settings.app.mount ?? "auto", limits: limitsOf({ plan }) },
    earlyHints: settings.app.earlyHints === true,
    adjusts: adjustmentsOf(app),
    statusPath: mode === "single" ? null : (statusAddress(plan, absolute)?.path ?? null),
    pidFile: pidFile === undefined || mode === "single" ? null : resolve(pidFile),
    gateway: resolveGatewayOptions(settings.gateway),
  };
}

function adjustmentsOf(context: Context): Adjustments {
  if (context.type === "wrapped") {
    const all = [...context.filters, context.inner].map(adjustmentsOf);
    return { place: all.some(({ place }) => place), client: all.some(({ client }) => client) };
  }
  const { type, factory, localConf } = context;
  const isPrefix = factory.from === "builtin" && factory.entry === "prefix";
  return {
    place: type === "composite" || isPrefix,
    client: isPrefix && (localConf["trusted_proxies"] !== undefined || localConf["scheme"] !== undefined),
  };
}
