/** Where a [server:…] section says to listen. */
import { fstatSync } from "node:fs";

import { ConfigError } from "../errors.ts";
import type { ListenAddress } from "../gateway/listen-address.ts";
import type { FactoryAid } from "./create.ts";
import type { ServerSettings } from "./options.ts";

/**
 * Without a word of it: `fallback`, else the descriptor 0 that a web server passes to what it starts.
 *
 * @throws ConfigError CONFIG_BAD_VALUE
 */
export function listenAddress({ listen }: ServerSettings, aid: FactoryAid, fallback?: ListenAddress): ListenAddress {
  const { host, port, socket, umask, socketMode, socketOwner, socketGroup } = listen;
  if (socket !== undefined) {
    if (host !== undefined || port !== undefined) {
      throw new ConfigError(
        "CONFIG_BAD_VALUE",
        "listen on the socket or on host and port, not on both",
        aid.placeOf("socket"),
      );
    }
    return {
      path: socket,
      ...(umask === undefined ? {} : { umask }),
      ...(socketMode === undefined ? {} : { mode: socketMode }),
      ...(socketOwner === undefined ? {} : { owner: numberOrName(socketOwner) }),
      ...(socketGroup === undefined ? {} : { group: numberOrName(socketGroup) }),
    };
  }
  for (const key of ["umask", "socket_mode", "socket_owner", "socket_group"]) {
    if (aid.placeOf(key).key !== key) continue;
    throw new ConfigError("CONFIG_BAD_VALUE", "means something with a socket only", aid.placeOf(key));
  }
  if (port !== undefined) return host === undefined ? { port } : { host, port };
  if (fallback !== undefined && host === undefined) return fallback;
  if (fallback !== undefined && "port" in fallback) return { ...fallback, host: host! };
  if (host !== undefined) throw new ConfigError("CONFIG_BAD_VALUE", "a host needs a port", aid.placeOf("host"));
  if (aid.onlyDescribes === true || fstatSync(0).isSocket()) return { fd: 0 };
  const advice =
    aid.placeOf().file === undefined
      ? "give socket=PATH, or port=NUMBER"
      : 'write "socket = %(here)s/app.sock", or "host = 127.0.0.1" and "port = 6500"';
  const message = `nothing says where to listen, and the web server has passed no socket on descriptor 0: ${advice}`;
  throw new ConfigError("CONFIG_BAD_VALUE", message, aid.placeOf());
}

function numberOrName(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}
