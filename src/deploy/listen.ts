/** Where a [server:…] section says to listen. */
import { fstatSync } from "node:fs";

import { ConfigError, type ConfigPlace } from "../errors.ts";
import { listens } from "../gateway/descriptor.ts";
import type { DescriptorAddress, ListenAddress } from "../gateway/listen-address.ts";
import type { FactoryAid } from "./create.ts";
import type { ServerSettings } from "./options.ts";
import { describePassed, passedSockets } from "./passed-sockets.ts";

/** Where a web server puts the socket of what it starts. */
const STDIN = 0;
/** Of an address that is missing, and nobody can tell which it would be. */
const NO_DESCRIPTOR = -1;

/**
 * Without a word of it: the socket that systemd passes, if it is one, else `fallback`, else the descriptor 0 that a web
 * server passes to what it starts. A descriptor that nobody has handed over is `missing`: see `checkListener`.
 *
 * @throws ConfigError CONFIG_BAD_VALUE
 */
export function listenAddress({ listen }: ServerSettings, aid: FactoryAid, fallback?: ListenAddress): ListenAddress {
  const [passed, ...others] = passedSockets();
  const { host, port, socket, fd, umask, socketMode, socketOwner, socketGroup } = listen;
  if (fd !== undefined && (socket ?? host ?? port) !== undefined) {
    throw new ConfigError(
      "CONFIG_BAD_VALUE",
      "listen on the descriptor or on another address, not on both",
      aid.placeOf("fd"),
    );
  }
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
  if (fd !== undefined) return descriptor(fd, aid.placeOf("fd"));
  if (port !== undefined) return host === undefined ? { port } : { host, port };
  if (fallback !== undefined && host !== undefined && "port" in fallback) return { ...fallback, host };
  if (host !== undefined) throw new ConfigError("CONFIG_BAD_VALUE", "a host needs a port", aid.placeOf("host"));
  if (others.length > 0) {
    return missing(`say which socket is meant, by fd = NAME: ${describePassed()}`, aid.placeOf());
  }
  if (passed !== undefined) return handedOver(passed, aid.placeOf());
  if (fallback !== undefined) return fallback;
  if (fstatSync(STDIN).isSocket() && listens(STDIN) !== false) return { fd: STDIN };
  const advice =
    aid.placeOf().file === undefined
      ? "give socket=PATH, or port=NUMBER"
      : 'write "socket = %(here)s/app.sock", or "host = 127.0.0.1" and "port = 6500"';
  return missing(
    `nothing says where to listen, and nobody has handed over a socket, on descriptor 0 or otherwise: ${advice}`,
    aid.placeOf(),
    STDIN,
  );
}

/** @throws ConfigError CONFIG_BAD_VALUE for a descriptor that nobody has handed over */
export function checkListener(address: ListenAddress): void {
  if (!("fd" in address) || address.missing === undefined) return;
  throw new ConfigError("CONFIG_BAD_VALUE", address.missing.why, address.missing.place);
}

/** By number, else by name: no name of systemd's is needed that is one. */
function descriptor(wanted: string, place: ConfigPlace): DescriptorAddress {
  const sockets = passedSockets();
  if (/^\d{1,9}$/.test(wanted)) {
    const fd = Number(wanted);
    return handedOver(sockets.find((each) => each.fd === fd) ?? { fd }, place);
  }
  const [found, ...others] = sockets.filter(({ name }) => name === wanted);
  if (found === undefined) return missing(`no socket "${wanted}" was handed over: ${describePassed()}`, place);
  if (others.length === 0) return handedOver(found, place);
  return missing(`several sockets have the name ${wanted}, say which by its number: ${describePassed()}`, place);
}

function handedOver(address: DescriptorAddress, place: ConfigPlace): DescriptorAddress {
  const { fd, name } = address;
  if (listens(fd) !== false) return address;
  const which = name === undefined ? `descriptor ${fd}` : `descriptor ${fd} (${name})`;
  const why = `${which} is no socket that listens (ListenStream= and Accept=no of a .socket unit give one)`;
  return missing(why, place, fd);
}

function missing(why: string, place: ConfigPlace, fd: number = NO_DESCRIPTOR): DescriptorAddress {
  return { fd, missing: { why, place } };
}

function numberOrName(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}
