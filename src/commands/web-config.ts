/** `propylon web-config`: prints the configuration of a web server, or a unit of systemd, that fits a file. */
import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { type DescribedSite, describeSite } from "../deploy/described-site.ts";
import type { GatewayPlan } from "../deploy/plan.ts";
import { ConfigError, describePlace } from "../errors.ts";
import { type Logger, stderrLogger } from "../log.ts";
import { didYouMean } from "../suggest.ts";
import { apacheConfig } from "../web-config/apache.ts";
import { caddyConfig } from "../web-config/caddy.ts";
import { lighttpdConfig } from "../web-config/lighttpd.ts";
import { nginxConfig } from "../web-config/nginx.ts";
import { checkedHost, checkedUrl, fileName, socketName } from "../web-config/names.ts";
import type { Site, SiteAddress } from "../web-config/site.ts";
import { systemdUnit } from "../web-config/systemd.ts";
import { parseVariables, splitTarget } from "./arguments.ts";
import { UsageError, exitCodeOf, reportFailure } from "./failure.ts";

export interface WebConfigFlags {
  readonly appName?: string;
  readonly serverName?: string;
  readonly prefix?: string;
  /** `URL=DIRECTORY`, each. */
  readonly static?: readonly string[];
  readonly hostName?: string;
  /** `PORT` or `HOST:PORT`. */
  readonly listen?: string;
  readonly root?: string;
  /** Of a server that is handed its socket. */
  readonly socket?: string;
  readonly user?: string;
  readonly group?: string;
  readonly verbose?: boolean;
}

const WRITERS = { apache: apacheConfig, lighttpd: lighttpdConfig, nginx: nginxConfig, caddy: caddyConfig } as const;
const KINDS = [...Object.keys(WRITERS), "systemd"];
/** Web servers that have examples and nothing more. */
const TO_COPY: ReadonlySet<string> = new Set(["h2o", "haproxy"]);

/** Debian's, of all four. */
const USUAL_ROOT = "/var/www/html";
const OF_WEB_SERVERS = ["prefix", "static", "hostName", "listen", "root", "socket"] as const;
const OF_SYSTEMD = ["user", "group"] as const;
const MAX_PORT = 65_535;
/** Milliseconds, of a server whose time to stop is not known. */
const USUAL_GRACE = 30_000;

/** Sets `process.exitCode`: 0, 1, or 2 for wrong usage and what cannot be put together. */
export async function webConfig(
  kind: string,
  target: string,
  variables: readonly string[],
  flags: WebConfigFlags,
): Promise<void> {
  const { verbose = false } = flags;
  try {
    if (TO_COPY.has(kind)) {
      throw new UsageError(`nothing is printed for ${kind}: examples/${kind} has configurations to copy`);
    }
    if (!KINDS.includes(kind)) {
      throw new UsageError(`"${kind}" is none of ${KINDS.join(", ")}${didYouMean(kind, KINDS)}`);
    }
    const idle = (kind === "systemd" ? OF_WEB_SERVERS : OF_SYSTEMD).find((name) => flags[name] !== undefined);
    if (idle !== undefined) {
      const option = idle.replace("N", "-n");
      throw new UsageError(`--${option} is for ${kind === "systemd" ? "web servers" : "systemd"}, and not for ${kind}`);
    }
    const [file, fragment] = splitTarget(target);
    const appName = flags.appName ?? fragment;
    const { serverName } = flags;
    const globalConf = parseVariables(variables);
    const log = stderrLogger("warn");
    const described = await describeSite(file, { appName, serverName, globalConf, log });
    const command = commandOf("serve", file, { appName, serverName }, variables);
    const text =
      kind === "systemd"
        ? unitOf(file, described, { command, reload: commandOf("reload", file, { serverName }, variables) }, flags)
        : configOf(kind as keyof typeof WRITERS, siteOf(file, described, command, flags), log);
    if (kind !== "systemd") sayWhatIsLeft(described, kind, log);
    process.stdout.write(text);
  } catch (error) {
    reportFailure(error, verbose);
    process.exitCode = exitCodeOf(error);
  }
}

/** The text may be for another machine: a directory that is not here is worth a word, and no more. */
function configOf(kind: keyof typeof WRITERS, site: Site, log: Logger): string {
  const text = WRITERS[kind](site);
  for (const { url, directory } of site.files) {
    if (!existsSync(directory)) log.warn(`there is no directory ${directory} on this machine, for the files at ${url}`);
  }
  return text;
}

/** What an option of the section needs of the web server beside, and is not in the text. */
function sayWhatIsLeft({ plan, keys, place, gateway }: DescribedSite, kind: string, log: Logger): void {
  if (plan === null) return;
  const { authorizer, earlyHints } = plan.settings.app;
  const say = (key: string, what: string): void => log.warn(`${describePlace(keys.get(key) ?? place)}${what}`);
  if (authorizer !== undefined) {
    say("authorizer", "needs lines of the web server that are not printed: docs/web-server.md has them");
  }
  if (earlyHints === true && kind !== "lighttpd") {
    say("early_hints", `${kind} passes no early hints on: leave the line out`);
  }
  // Of AJP the plan has said so.
  if (gateway?.upgrade !== true || plan.protocol === "ajp") return;
  if (kind === "lighttpd") say("upgrade", "needs lines that are not printed: docs/websockets.md has them");
  else if (kind !== "nginx") say("upgrade", `${kind} carries no WebSockets: leave the line out`);
  else if (plan.protocol !== "scgi")
    say("upgrade", "nginx carries WebSockets over SCGI alone: serve SCGI, or leave the line out");
}

/** A command line for the file, from any directory. */
function commandOf(
  command: "serve" | "reload",
  file: string,
  { appName, serverName }: { readonly appName?: string | undefined; readonly serverName: string | undefined },
  variables: readonly string[],
): string[] {
  const program = realpathSync(fileURLToPath(new URL("../../bin/propylon.js", import.meta.url)));
  const options = [
    ...(appName === undefined ? [] : ["--app-name", appName]),
    ...(serverName === undefined ? [] : ["--server-name", serverName]),
  ];
  return [process.execPath, program, command, ...options, resolve(file), ...variables];
}

function siteOf(
  file: string,
  { plan, place, keys, serverName, app, gateway, sendfile }: DescribedSite,
  command: readonly string[],
  flags: WebConfigFlags,
): Site {
  if (plan === null || gateway === null) {
    const message =
      `${serverName} speaks neither FastCGI nor SCGI nor AJP; name a section of one that does by --server-name, ` +
      'or write "use = package:propylon#fcgi"';
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  const prefix = prefixOf(plan, { place, keys, app }, flags);
  const address = addressOf(plan, { place, keys }, command, flags);
  const { hostName, root = USUAL_ROOT } = flags;
  const { secret, upgrade, upgradeIdleTimeout } = gateway;
  return {
    ...{ name: fileName(file), file: resolve(file), place, protocol: plan.protocol, address, prefix },
    backendName: "path" in address ? socketName(address.path) : "localhost",
    socketGroup: "fd" in plan.address ? null : plan.settings.listen.socketGroup,
    knowsPrefix: knownPrefix(plan, app.prefix) !== undefined,
    secret: plan.protocol === "ajp" && secret !== "" ? secret : undefined,
    sendfile,
    upgradeIdleTimeout: upgrade ? upgradeIdleTimeout : undefined,
    files: filesOf(
      app.files.map((each) => ({ ...each, url: checkedUrl(prefix + each.url, "a path of files", place) })),
      (flags.static ?? []).map(staticOf),
    ),
    kept: app.kept,
    listen: flags.listen === undefined ? undefined : listenOf(flags.listen),
    hostName: hostName === undefined ? undefined : namedHost(hostName),
    root: resolve(root),
  };
}

/** The command line's win. The longest URL is first, since some web servers take the first that fits. */
function filesOf(found: Site["files"], asked: Site["files"]): Site["files"] {
  const byUrl = new Map([...found, ...asked].map((each) => [each.url, each]));
  return [...byUrl.values()].toSorted((a, b) => b.url.length - a.url.length);
}

/** What the file says of it: the option, else the filter. */
function knownPrefix({ settings }: GatewayPlan, ofFilter: string | undefined): string | undefined {
  const { mount = "auto" } = settings.app;
  return mount === "auto" || mount === "/" ? ofFilter : mount;
}

function prefixOf(
  plan: GatewayPlan,
  { place, keys, app }: Pick<DescribedSite, "place" | "keys" | "app">,
  { prefix }: WebConfigFlags,
): string {
  const known = knownPrefix(plan, app.prefix);
  const isMount = known !== undefined && known === plan.settings.app.mount;
  const mountPlace = keys.get("mount") ?? keys.get("scriptName") ?? place;
  const said = known === undefined ? undefined : checkedUrl(known, "the prefix", isMount ? mountPlace : place);
  const asked = prefix === undefined ? undefined : usage("--prefix", () => checkedUrl(prefix, "the prefix", {}));
  if (asked !== undefined && said !== undefined && asked !== said) {
    const message = `the app is at ${said || "/"}, and not at the --prefix ${asked || "/"}: leave one of them out, or make them agree`;
    throw new ConfigError("CONFIG_BAD_VALUE", message, isMount ? mountPlace : place);
  }
  if (asked !== undefined && asked !== "" && said === undefined && plan.settings.app.mount === "/") {
    const message = `says that the app is at /, and --prefix that it is at ${asked}: leave one of them out`;
    throw new ConfigError("CONFIG_BAD_VALUE", message, mountPlace);
  }
  return asked ?? said ?? "";
}

/** Those that listen on all addresses are asked at the one that this machine has for sure. */
const ALL_ADDRESSES: ReadonlySet<string> = new Set(["", "0.0.0.0", "::", "localhost"]);

function addressOf(
  { address }: GatewayPlan,
  { place, keys }: Pick<DescribedSite, "place" | "keys">,
  command: readonly string[],
  { socket }: WebConfigFlags,
): SiteAddress {
  if ("fd" in address) {
    if (socket !== undefined) return { path: resolve(socket) };
    if (address.fd === 0) return { spawn: command };
    const message = "another program than the web server hands the socket over: say by --socket where it is";
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  if (socket !== undefined) {
    throw new UsageError(
      "--socket is for a server that is handed its socket; this one's section says where it listens",
    );
  }
  if ("path" in address) return { path: absolute(address.path, { place, keys }) };
  const { port } = address;
  if (port === 0) {
    const message = "0 is another port at each start: the web server needs one that stays";
    throw new ConfigError("CONFIG_BAD_VALUE", message, keys.get("port") ?? place);
  }
  const host = address.host?.replace(/^\[(.*)\]$/, "$1") ?? "";
  return { host: ALL_ADDRESSES.has(host) ? "127.0.0.1" : checkedHost(host, keys.get("host") ?? place), port };
}

/** What a relative path is relative to only the one knows who starts the server. */
function absolute(path: string, { place, keys }: Pick<DescribedSite, "place" | "keys">): string {
  if (path.startsWith("/")) return path;
  const message = `"${path}" is relative to where the server is started; write %(here)s/${path}`;
  throw new ConfigError("CONFIG_BAD_VALUE", message, keys.get("socket") ?? place);
}

function unitOf(
  file: string,
  { plan, place, keys, gateway }: DescribedSite,
  { command, reload }: { readonly command: readonly string[]; readonly reload: readonly string[] },
  flags: WebConfigFlags,
): string {
  const address = plan?.address ?? null;
  if (address !== null && "fd" in address) {
    const message =
      'who starts it hands over its socket: examples/systemd has units for that; or write "socket = /run/propylon/app.sock"';
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  const own = plan?.settings.process ?? {};
  const { user = own.user, group = own.group } = flags;
  const { socketGroup, socketOwner } = plan?.settings.listen ?? {};
  if (socketOwner !== undefined && socketOwner !== user) {
    const message =
      "only root may give a socket away, and the service does not run as root: leave it out, or make it the user";
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, keys.get("socket_owner") ?? place);
  }
  return systemdUnit({
    ...{ name: fileName(file), file: resolve(file), place, user, group, socketGroup },
    command: [...command, ...overruled("--user", user, own.user), ...overruled("--group", group, own.group)],
    socket: address !== null && "path" in address ? absolute(address.path, { place, keys }) : null,
    port: address !== null && "port" in address ? address.port : null,
    reload: plan !== null && plan.mode !== "single" ? reload : null,
    gracefulTimeout: gateway?.gracefulTimeout ?? USUAL_GRACE,
  });
}

/** What the file says otherwise the server would want to become. */
function overruled(option: string, given: string | undefined, own: string | undefined): string[] {
  return given === undefined || own === undefined || given === own ? [] : [option, given];
}

function staticOf(given: string): { readonly url: string; readonly directory: string } {
  const at = given.indexOf("=");
  const url = at < 0 ? "" : given.slice(0, at);
  if (!url.startsWith("/") || /^\/+$/.test(url) || at === given.length - 1) {
    throw new UsageError(`--static: "${given}" is not URL=DIRECTORY, such as /static=/srv/wiki/public`);
  }
  if (given.startsWith("~", at + 1)) {
    throw new UsageError(`--static: no shell replaces the ~ of "${given}"; write the path in full`);
  }
  return {
    url: usage("--static", () => checkedUrl(url, "the path", {})),
    directory: resolve(given.slice(at + 1)),
  };
}

function listenOf(given: string): { readonly host?: string; readonly port: number } {
  const [, brackets, name, digits] = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d+)$/.exec(given) ?? [];
  const port = Number(digits);
  if (!(port > 0 && port <= MAX_PORT)) {
    throw new UsageError(`--listen: "${given}" is no port and no HOST:PORT, such as 8080 or 127.0.0.1:8080`);
  }
  const host = brackets ?? name;
  return host === undefined ? { port } : { host: usage("--listen", () => checkedHost(host, {})), port };
}

function namedHost(name: string): string {
  if (name.includes(":"))
    throw new UsageError(`--host-name: "${name}" has a port or more in it; --listen says the port`);
  return usage("--host-name", () => checkedHost(name, {})).toLowerCase();
}

/** What the file would be blamed for is the command line's here. */
function usage<Result>(option: string, check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new UsageError(`${option}: ${error.message.slice(`${error.code}: `.length)}`);
  }
}
