/** What a [server:…] section asks for, as plain data: it is made once and sent to every process that serves it. */
import { availableParallelism } from "node:os";

import { sendfileFront } from "../app/sendfile-front.ts";
import { ConfigError, type ConfigPlace, describePlace } from "../errors.ts";
import type { ProtocolName, Role } from "../exchange.ts";
import { type ListenAddress, isPrivate } from "../gateway/listen-address.ts";
import { GATEWAY_OPTIONS } from "../gateway/options.ts";
import { secretMissing } from "../gateway/secret.ts";
import { accessLogFormat } from "../logging/access-log.ts";
import type { PoolLimits } from "../modes/supervision.ts";
import type { Conf } from "./context.ts";
import { asBool } from "./converters.ts";
import type { FactoryAid } from "./create.ts";
import { listenAddress } from "./listen.ts";
import { ROLES_WITH_APPS, SERVER_OPTIONS, type ServerSettings, readServerSettings } from "./options.ts";

/** Where the app runs: beside the sockets, in worker threads, in gateway processes of its own. */
export type Mode = "single" | "thread" | "fork";

export interface GatewayPlan {
  readonly protocol: ProtocolName;
  readonly mode: Mode;
  readonly address: ListenAddress;
  /** Errors are shown with their stack; never where others than this machine can reach the server. */
  readonly debug: boolean;
  readonly settings: ServerSettings;
}

export interface GatewayKind {
  readonly protocol: ProtocolName;
  readonly mode: Mode;
  /** Where to listen if the section does not say: flup's SCGI and AJP servers have such a default. */
  readonly listen?: ListenAddress | undefined;
}

export const TITLES: Readonly<Record<ProtocolName, string>> = { fastcgi: "FastCGI", scgi: "SCGI", ajp: "AJP" };

/** Those that mean nothing in a mode; the gateway of a single mode has no workers at all. */
const WITHOUT_EFFECT: Readonly<Record<Exclude<Mode, "single">, readonly string[]>> = {
  thread: ["maxChildren"],
  fork: ["maxThreads", "maxZombies"],
};

/** Those that mean nothing in a process that takes what comes. */
const OF_A_QUEUE: ReadonlySet<string> = new Set(["queueLimit", "queueTimeout"]);

/** Of the processes' options those that the single mode has too. */
const OF_EVERY_MODE: ReadonlySet<string> = new Set([
  ...["accessLog", "accessLogFormat", "user", "group", "chdir", "processUmask"],
]);

/** "No limit" where one is needed. Milliseconds; a timer cannot take more. */
const FOREVER = 2 ** 31 - 1;
/** What a process may take beyond `graceful_timeout` to be gone, and a thread's own process beyond the thread. */
const EXIT_TIME = 10_000;
/** Milliseconds. */
const SHORTEST_STALL = 3000;

/** @throws ConfigError CONFIG_UNKNOWN_OPTION, CONFIG_BAD_VALUE, CONFIG_DUPLICATE */
export function readPlan(kind: GatewayKind, globalConf: Conf, localConf: Conf, aid: FactoryAid): GatewayPlan {
  const { protocol, mode, listen } = kind;
  const settings = withRoles(protocol, readServerSettings(localConf, aid), aid);
  const address = listenAddress(settings, aid, listen);
  const debug = asksForDebug(globalConf, settings, aid) && showsFaults(address, aid);
  warnOfNoEffect(mode, settings, aid);
  void sendfileFront(settings.app, (name) => placeOfOption(name, aid));
  if (settings.gateway.upgrade === true && (protocol === "ajp" || settings.gateway.multiplexed === true)) {
    const why = protocol === "ajp" ? "over AJP" : "on multiplexed connections";
    aid.log.warn(`${describePlace({ ...aid.placeOf("upgrade"), key: "upgrade" })}no effect ${why}`);
  }
  if (protocol === "ajp" && settings.gateway.secret === undefined && !isPrivate(address)) {
    throw secretMissing({ ...aid.placeOf("secret"), key: "secret" });
  }
  if (settings.process.accessLogFormat !== undefined) {
    accessLogFormat(settings.process.accessLogFormat, aid.placeOf("access_log_format"));
  }
  const plan = { protocol, mode, address, debug, settings };
  if (mode !== "single") checkLimits(poolLimits(plan), aid);
  return plan;
}

function placeOfOption(name: string, { placeOf }: FactoryAid): ConfigPlace {
  return placeOf(SERVER_OPTIONS.find((option) => option.name === name)?.key);
}

/** Who names the app of a role wants it served. */
function withRoles(protocol: ProtocolName, settings: ServerSettings, { placeOf }: FactoryAid): ServerSettings {
  const { app, gateway } = settings;
  const named = ROLES_WITH_APPS.filter((role) => app[role] !== undefined);
  for (const role of named) {
    if (protocol !== "fastcgi") {
      const message = `${TITLES[protocol]} has no roles, only FastCGI has`;
      throw new ConfigError("CONFIG_BAD_VALUE", message, placeOf(role));
    }
    if (gateway.roles?.includes(role) === false) {
      const message = `the option roles (${gateway.roles.join(", ")}) leaves this role out`;
      throw new ConfigError("CONFIG_BAD_VALUE", message, placeOf(role));
    }
  }
  if (named.length === 0 || gateway.roles !== undefined) return settings;
  const roles: readonly Role[] = ["responder", ...named];
  return { ...settings, gateway: { ...gateway, roles } };
}

function asksForDebug(globalConf: Conf, { app }: ServerSettings, { placeOf }: FactoryAid): boolean {
  return app.debug ?? asBool(globalConf["debug"] ?? "false", placeOf());
}

/** A stack tells a stranger where to look for more. */
function showsFaults(address: ListenAddress, { log, placeOf }: FactoryAid): boolean {
  if (isPrivate(address)) return true;
  log.warn(
    `${describePlace({ ...placeOf(), key: "debug" })}shows no stacks, since others than this machine can reach the server`,
  );
  return false;
}

/** The same for another account, where one is given. */
export function runAs(
  plan: GatewayPlan,
  account: { readonly [Key in "user" | "group"]?: string | undefined },
): GatewayPlan {
  const { user = plan.settings.process.user, group = plan.settings.process.group } = account;
  const process = {
    ...plan.settings.process,
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
  };
  return { ...plan, settings: { ...plan.settings, process } };
}

/** Of an option that is not the gateway's: what was given, else what the table says. */
export function valueOf<Scope extends "pool" | "process", Name extends keyof ServerSettings[Scope] & string>(
  { settings }: GatewayPlan,
  scope: Scope,
  name: Name,
): Required<ServerSettings[Scope]>[Name] {
  const option = SERVER_OPTIONS.find((option) => option.name === name && option.scope === scope)!;
  const given = (settings[scope] as Record<string, unknown>)[name];
  return (given ?? option.default) as Required<ServerSettings[Scope]>[Name];
}

/** How many workers: threads, or gateway processes. */
export function poolLimits(plan: GatewayPlan): PoolLimits {
  const manager = valueOf(plan, "pool", "poolManager");
  const max = plan.mode === "fork" ? valueOf(plan, "pool", "maxChildren") : threadsAtMost(plan);
  const minSpare = Math.min(max, valueOf(plan, "pool", "minSpare"));
  return {
    ...{ manager, max, minSpare, maxSpare: Math.min(max, valueOf(plan, "pool", "maxSpare")) },
    idleTimeout: valueOf(plan, "pool", "idleTimeout"),
    // Connections that nobody accepts are not heard of, nor is a request that may not wait for a thread.
    leastOnDemand: plan.mode === "fork" || valueOf(plan, "pool", "queueLimit") === 0 ? 1 : 0,
    maxLifetime: valueOf(plan, "pool", "maxLifetime"),
    maxMemory: valueOf(plan, "pool", "maxMemory"),
    startTimeout: valueOf(plan, "pool", "startTimeout"),
    stallTimeout: plan.mode === "fork" ? processStall(plan) : valueOf(plan, "pool", "stallTimeout"),
    gracefulTimeout: gracefulTimeout(plan) + (plan.mode === "fork" ? EXIT_TIME : 0),
  };
}

/** The one gateway process over the threads: it is there as long as the server, and given longer than its threads. */
export function gatewayLimits(plan: GatewayPlan): PoolLimits {
  const { startTimeout } = poolLimits(plan);
  return {
    ...{ manager: "static", max: 1, minSpare: 1, maxSpare: 1, idleTimeout: FOREVER, leastOnDemand: 0 },
    ...{ maxLifetime: 0, maxMemory: 0, stallTimeout: processStall(plan), startTimeout: startTimeout + EXIT_TIME },
    gracefulTimeout: gracefulTimeout(plan) + EXIT_TIME,
  };
}

/** A process is heard of once a second: one that is a little late has not stalled. */
function processStall(plan: GatewayPlan): number {
  const timeout = valueOf(plan, "pool", "stallTimeout");
  return timeout === 0 ? 0 : Math.max(SHORTEST_STALL, timeout);
}

/** Milliseconds; very many for no limit. */
export function gracefulTimeout({ settings }: GatewayPlan): number {
  return (
    (settings.gateway.gracefulTimeout ?? (GATEWAY_OPTIONS.gracefulTimeout.default as number)) || FOREVER - EXIT_TIME
  );
}

/** flup's threads have no maximum. A static pool has no other number, and takes one for each processor. */
function threadsAtMost(plan: GatewayPlan): number {
  const max = valueOf(plan, "pool", "maxThreads");
  if (max > 0) return max;
  return valueOf(plan, "pool", "poolManager") === "static" ? availableParallelism() : Number.MAX_SAFE_INTEGER;
}

function checkLimits({ minSpare, maxSpare }: PoolLimits, { placeOf }: FactoryAid): void {
  if (minSpare <= maxSpare) return;
  const message = `minSpare (${minSpare}) is more than maxSpare (${maxSpare})`;
  throw new ConfigError("CONFIG_BAD_VALUE", message, placeOf("minSpare"));
}

function warnOfNoEffect(mode: Mode, { pool, process }: ServerSettings, { log, placeOf }: FactoryAid): void {
  const names = Object.keys({ ...pool, ...(mode === "single" ? process : {}) });
  const unlimited = mode === "fork" && pool.concurrency === undefined;
  const isIdle = (name: string): boolean =>
    mode === "single"
      ? !OF_EVERY_MODE.has(name)
      : WITHOUT_EFFECT[mode].includes(name) || (unlimited && OF_A_QUEUE.has(name));
  const idle = new Set(names.filter(isIdle));
  for (const { key, aliases } of SERVER_OPTIONS.filter(({ name }) => idle.has(name))) {
    const place = [key, ...aliases].map(placeOf).find((each) => each.key !== undefined);
    log.warn(`${describePlace(place ?? { ...placeOf(), key })}no effect in the ${mode} mode`);
  }
}
