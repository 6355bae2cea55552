/** Where a server's status is asked for: said by its section, or beside what it has. */
import { ConfigError } from "../errors.ts";
import type { TcpAddress } from "../gateway/listen-address.ts";
import type { GatewayPlan } from "./plan.ts";

/** @param file the configuration file; null for a server that was started by the library. */
export function statusAddress({ address, settings }: GatewayPlan, file: string | null): { path: string } | null {
  const { statusSocket } = settings.process;
  if (statusSocket !== undefined) return { path: statusSocket };
  if ("path" in address) return { path: `${address.path}.status` };
  return file === null ? null : { path: `${file.replace(/\.ini$/, "")}.status` };
}

/**
 * What `status_listen` says; null without it.
 *
 * @throws ConfigError CONFIG_BAD_VALUE
 */
export function statusListen({ settings }: GatewayPlan): TcpAddress | null {
  const { statusListen } = settings.process;
  if (statusListen === undefined) return null;
  const [, host = "", digits = ""] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(statusListen) ?? [];
  const port = Number(digits);
  if (host !== "" && port <= 65_535) return { host, port };
  const message = `"${statusListen}" is no address and port such as 127.0.0.1:9000`;
  throw new ConfigError("CONFIG_BAD_VALUE", message, { key: "status_listen" });
}
