/** What a web server has to know of an app and its server: the one input of every configuration that is printed. */
import { ConfigError, type ConfigPlace } from "../errors.ts";

export type SiteProtocol = "fastcgi" | "scgi" | "ajp";

/** Where the gateway listens, as the web server reaches it. */
export type SiteAddress =
  /** Absolute path of a Unix socket. */
  | { readonly path: string }
  /** `host`: an address without brackets, or a name. */
  | { readonly host: string; readonly port: number }
  /** The web server starts it, with its socket on descriptor 0. The command's words, the program's absolute path first. */
  | { readonly spawn: readonly string[] };

/** Files that the web server answers with by itself. */
export interface SiteFiles {
  /** As clients ask for it, the mount included: `/james/static`. */
  readonly url: string;
  /** Absolute. */
  readonly directory: string;
  /** Seconds that a browser may keep them; undefined where nobody has said. */
  readonly maxAge?: number | undefined;
}

/** What the app would say of them too. */
export function cacheControl(maxAge: number): string {
  return `"public, max-age=${maxAge}"`;
}

/** Files that the app names and the web server sends. */
export interface SiteSendfile {
  readonly header: "X-Sendfile" | "X-Accel-Redirect";
  /** The directory that they are below, absolute, with a slash at its end. */
  readonly root: string;
  /** What stands for it in the header, with a slash at its end. */
  readonly place: string;
}

export interface Site {
  /** What the file is called: letters, digits, `-` and `_`. */
  readonly name: string;
  /** Absolute path of the .ini file. */
  readonly file: string;
  /** Of the server in it. */
  readonly place: ConfigPlace;
  readonly protocol: SiteProtocol;
  readonly address: SiteAddress;
  /** What tells Apache one Unix socket from another. */
  readonly backendName: string;
  /** The group that may write to the Unix socket, where the file says; null where that is not for the file to say. */
  readonly socketGroup?: string | null | undefined;
  /** "" for the root, else `/james`. */
  readonly prefix: string;
  /** Whether the app knows the prefix by itself, since the file has it too. */
  readonly knowsPrefix: boolean;
  /** Of AJP. */
  readonly secret?: string | undefined;
  readonly sendfile?: SiteSendfile | undefined;
  /** Milliseconds that a WebSocket may be silent, 0 for no limit; undefined where the server takes none. */
  readonly upgradeIdleTimeout?: number | undefined;
  readonly files: readonly SiteFiles[];
  /** Files that stay with the app: a line for people each. */
  readonly kept: readonly string[];
  /** A socket of the web server of its own. Default: port 80, as the distribution has it. */
  readonly listen?: { readonly host?: string | undefined; readonly port: number } | undefined;
  readonly hostName?: string | undefined;
  /** Absolute; what is outside of the app. */
  readonly root: string;
}

/** The protocol's module, of those that a web server has; for others what is to be done. */
export const TITLES: Readonly<Record<SiteProtocol, string>> = { fastcgi: "FastCGI", scgi: "SCGI", ajp: "AJP" };

/** `127.0.0.1:6500`, `[::1]:6500`. */
export function hostAndPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Without the slash at its end. @throws ConfigError CONFIG_NOT_SUPPORTED */
export function sendfileRoot(
  sendfile: SiteSendfile,
  server: string,
  header: SiteSendfile["header"],
  at: ConfigPlace,
): string {
  const fail = (key: string, message: string): never => {
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, { ...at, key });
  };
  const kind = header.toLowerCase();
  if (sendfile.header !== header) fail("sendfile", `${server} is told by ${kind}: write "sendfile = ${kind}"`);
  if (sendfile.root === "/") fail("sendfile_root", "all files of the machine are too many: name the directory");
  if (sendfile.place === "/") fail("sendfile_uri", "the app is there: choose a path that no page has");
  return sendfile.root.slice(0, -1);
}

/** For headings: `over a Unix socket, under /james`. */
export function transportOf({ address, prefix }: Site): string {
  const how = "path" in address ? "over a Unix socket" : "port" in address ? "over TCP" : "which starts the app";
  return `${how}, ${prefix === "" ? "for the whole server" : `under ${prefix}`}`;
}

/** What else every heading says: whose socket it is, and which files stay with the app. `user` is the web server's. */
export function remarksOf({ address, socketGroup, kept }: Site, user: string): string[] {
  const needs =
    socketGroup === undefined
      ? `The web server's user needs the socket: write "socket_group = ${user}" into the server's section.`
      : `The web server's user, ${user} as a rule, has to be in the group ${socketGroup}: it has the socket.`;
  return [
    ...("path" in address && socketGroup !== user && socketGroup !== null ? [needs] : []),
    ...kept.map((line) => `The app answers with its own files: ${line}`),
  ];
}
