/** What of a plan only the machine can tell that is to serve it: its accounts, directories and logs. */
import { statSync } from "node:fs";
import { dirname } from "node:path";

import { ConfigError, type ConfigPlace, ListenError, describePlace } from "../errors.ts";
import { groupId, userId } from "../gateway/accounts.ts";
import { PeerGuard } from "../gateway/peers.ts";
import { logPath } from "./access-log.ts";
import type { Context } from "./context.ts";
import { SERVER_OPTIONS } from "./options.ts";
import type { GatewayPlan } from "./plan.ts";
import { statusListen } from "./status-address.ts";

/**
 * Binds and opens nothing.
 *
 * @throws ConfigError CONFIG_BAD_VALUE with the key alone: see `withPlace`
 */
export function checkPlan(plan: GatewayPlan): void {
  const { listen, gateway, process } = plan.settings;
  // What has no effect can do no harm.
  const supervised = plan.mode === "single" ? {} : process;
  void new PeerGuard(gateway.allowedClients ?? []);
  if (plan.mode !== "single") statusListen(plan);
  for (const [key, find, account] of [
    ["socket_owner", userId, listen.socketOwner],
    ["socket_group", groupId, listen.socketGroup],
    ["user", userId, process.user],
    ["group", groupId, process.group],
  ] as const) {
    if (account !== undefined) attempt(key, () => find(account));
  }
  if (process.chdir !== undefined) needDirectory("chdir", process.chdir);
  for (const [key, path] of [
    ["access_log", process.accessLog],
    ["slow_log", supervised.slowLog],
    ["pid_file", supervised.pidFile],
  ] as const) {
    const file = path === undefined ? "stderr" : logPath(path);
    if (file !== "stdout" && file !== "stderr") needDirectory(key, dirname(file));
  }
}

function needDirectory(key: string, path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new ConfigError("CONFIG_BAD_VALUE", `there is no directory ${path}`, { key });
}

function attempt(key: string, action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    const why = error.message.slice(`${error.code}: `.length);
    throw new ConfigError("CONFIG_BAD_VALUE", why, { key }, { cause: error });
  }
}

/** The same error with file and line, where it knows no more than a key of this server. */
export function withPlace(error: unknown, server: Context): unknown {
  if (!(error instanceof ConfigError)) return error;
  const { code, place, message, cause } = error;
  if (place.file !== undefined || place.key === undefined) return error;
  const found = placeOfOption(server, place.key);
  const why = message.slice(`${code}: ${describePlace(place)}`.length);
  return found === undefined ? error : new ConfigError(code, why, found, { cause });
}

function placeOfOption({ keys }: Context, key: string): ConfigPlace | undefined {
  const { aliases = [] } = SERVER_OPTIONS.find((option) => option.key === key) ?? {};
  return [key, ...aliases].map((word) => keys.get(word)).find((place) => place?.file !== undefined);
}
