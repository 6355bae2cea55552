/** What a supervisor sends to its gateway processes, and how a configuration becomes it. */
import type { ByRole } from "../exchange.ts";
import type { LogLevel } from "../log.ts";
import type { Site } from "../supervisor/supervisor.ts";
import type { AppRecipe } from "./app-recipe.ts";
import type { LoggingPlan } from "./logging-sections.ts";
import { type GatewayPlan, gatewayLimits, poolLimits, valueOf } from "./plan.ts";
import { GATEWAY_OPTIONS } from "../gateway/options.ts";

/** A server and its apps, as plain data. */
export interface GatewayWork {
  readonly plan: GatewayPlan;
  readonly recipes: ByRole<AppRecipe>;
  /** Loggers for the app; null where the configuration has none. */
  readonly logging: LoggingPlan | null;
  readonly level: LogLevel;
}

export function siteOf(work: GatewayWork): Site<GatewayWork> {
  const { plan } = work;
  const { settings, address } = plan;
  const forks = plan.mode === "fork";
  return {
    ...{ work, address, backlog: settings.gateway.backlog ?? (GATEWAY_OPTIONS.backlog.default as number) },
    limits: forks ? poolLimits(plan) : gatewayLimits(plan),
    maxHeap: forks ? valueOf(plan, "pool", "maxHeap") : 0,
    maxRequests: forks ? valueOf(plan, "pool", "maxRequests") : 0,
    inPlace: forks ? null : outsideOfThreads(plan),
  };
}

/** All that a change of threads alone cannot change: as long as this is the same, the gateway process may stay. */
function outsideOfThreads({ settings, ...plan }: GatewayPlan): string {
  const { gateway, listen, process } = settings;
  return JSON.stringify({ ...plan, gateway, listen, process });
}
