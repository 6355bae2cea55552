/** The composition root: server factories, each a protocol and a mode put together, as configurations name them. */
import { once } from "node:events";
import { fstatSync } from "node:fs";

import { type AppHandler, adaptApp } from "../app/adapt.ts";
import { ConfigError } from "../errors.ts";
import type { ProtocolName } from "../exchange.ts";
import type { ListenAddress } from "../gateway/listen-address.ts";
import { Gateway } from "../gateway/server.ts";
import { singleMode } from "../modes/single.ts";
import type { Conf } from "./context.ts";
import { asBool } from "./converters.ts";
import type { FactoryAid } from "./create.ts";
import { type ServerSettings, readServerSettings } from "./options.ts";

/** A server at work. */
export interface RunningServer {
  /** For people: `FastCGI on /run/app.sock`. */
  readonly where: string;
  /** Accepts nothing more and resolves when the requests in hand are answered, or cut off after `graceful_timeout`. */
  close(): Promise<void>;
}

/** What makes a server run: gets the app that a configuration made; `where` is what errors call that app. */
export type StartServer = (app: unknown, options?: { readonly where?: string }) => Promise<RunningServer>;

/** A server factory that comes with propylon. */
export type ServerFactory = (globalConf: Conf, localConf: Conf, aid: FactoryAid) => StartServer;

interface GatewayServer {
  readonly protocol: ProtocolName;
  /** Said once if the name asks for workers: this version serves in one thread. */
  readonly workers?: "threads" | "processes" | undefined;
  /** Where to listen if the section does not say: flup's SCGI servers have such a default. */
  readonly listen?: ListenAddress | undefined;
}

const TITLES: Readonly<Record<ProtocolName, string>> = { fastcgi: "FastCGI", scgi: "SCGI" };

/** A factory of FastCGI or SCGI servers in the single mode: the app runs in the thread that has the sockets. */
export function gatewayServer({ protocol, workers, listen }: GatewayServer): ServerFactory {
  return (globalConf, localConf, aid) => {
    const settings = readServerSettings(localConf, aid);
    const address = listenAddress(settings, aid, listen);
    const debug = settings.app.debug ?? asBool(globalConf["debug"] ?? "false", aid.placeOf());
    warnOfWorkers(workers, settings, aid);
    return async (app, { where = "the app" } = {}) => {
      const dispatcher = singleMode({ ...appOptions(settings, debug, aid), app: await adaptApp(app, { where }) });
      const gateway = new Gateway({ dispatcher, protocol, options: settings.gateway, log: aid.log });
      gateway.listen(address);
      await once(gateway, "listening");
      gateway.on("error", (error) => aid.log.error(`${TITLES[protocol]}: ${error.message}`));
      return {
        where: `${TITLES[protocol]} on ${describeAddress(gateway.address(), address)}`,
        close: async () => await new Promise<void>((resolve) => void gateway.close(() => resolve())),
      };
    };
  };
}

/** A factory that knows its name but cannot serve yet. */
export function notSupported(what: string): (...conf: unknown[]) => never {
  return (...conf) => {
    const aid = conf.at(-1) as FactoryAid;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", `${what} is not part of this version of propylon`, aid.placeOf());
  };
}

function appOptions({ app }: ServerSettings, debug: boolean, { log }: FactoryAid): Omit<HostOptions, "app"> {
  const { mount = "auto", captureConsole = false, conflictingHeaders = "merge", maxResponseHeader = 65_536 } = app;
  return { mount, debug, captureConsole, conflictingHeaders, maxResponseHeader, log };
}

type HostOptions = Parameters<typeof singleMode>[0] & { readonly app: AppHandler };

function listenAddress({ listen }: ServerSettings, aid: FactoryAid, fallback?: ListenAddress): ListenAddress {
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
  if (fstatSync(0).isSocket()) return { fd: 0 };
  const advice = 'write "socket = %(here)s/app.sock", or "host = 127.0.0.1" and "port = 6500"';
  const message = `nothing says where to listen, and the web server has passed no socket on descriptor 0: ${advice}`;
  throw new ConfigError("CONFIG_BAD_VALUE", message, aid.placeOf());
}

function numberOrName(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** One line, whatever was asked for. */
function warnOfWorkers(
  workers: GatewayServer["workers"],
  { pool }: ServerSettings,
  { log, placeOf }: FactoryAid,
): void {
  const keys = Object.keys(pool);
  const wishes = [...(workers === undefined ? [] : [workers]), ...keys].join(", ");
  if (wishes === "") return;
  const { file, line, section } = placeOf();
  log.warn(`${file}:${line} [${section}] asks for ${wishes}: not yet in force, the app runs in one thread`);
}

function describeAddress(bound: ReturnType<Gateway["address"]>, wanted: ListenAddress): string {
  if ("path" in wanted) return wanted.path;
  if ("fd" in wanted) return `descriptor ${wanted.fd}`;
  if (bound === null || typeof bound === "string") return String(wanted.port);
  return bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}
