/** PasteDeploy's PrefixMiddleware: an app under a prefix that its web server does not tell, and behind proxies. */
import type { IncomingMessage } from "node:http";

import type { NodeHandler } from "../app/handler.ts";
import { percentDecode, percentEncodePath } from "../cgi/path-text.ts";
import { nodeHandler } from "../app/node-handler.ts";
import type { ConfigPlace } from "../errors.ts";
import { type Forwarded, type TrustedProxies, compileTrust, readForwarded, readXForwarded } from "./forwarded.ts";
import { type MountedRequest, changeVariables, partUrl, remount, segmentsOf } from "./mount-point.ts";

export interface PrefixOptions {
  /**
   * Where the app is mounted, such as "/james". It is taken off the URL at the end of a segment only. Default: where the
   * web server says.
   */
  readonly prefix?: string;
  /** The port that URLs shall have; "" for none, which is that of the scheme. Default: the one of the request. */
  readonly forcePort?: number | "";
  /** The scheme that the client is taken to have used. */
  readonly scheme?: "http" | "https";
  /** Whose forwarded headers count. Default: nobody's. */
  readonly trustedProxies?: TrustedProxies;
  /** Which headers these proxies send: X-Forwarded-*, or that of RFC 7239. Default "x-forwarded". */
  readonly forwardedHeader?: "x-forwarded" | "forwarded";
}

/**
 * A handler round `app`, which may have any form that an app may have.
 *
 * Under the prefix `req.url` is what follows it and `req.baseUrl` the prefix. A URL from elsewhere passes as it is, as in
 * PasteDeploy. Where a trusted proxy has sent the request, `req.socket.remoteAddress` and `encrypted`, the Host header
 * and the variables of `req.cgi` say what it tells of the client, and its headers are taken away.
 *
 * @example
 * ```ts
 * import { createServer, type LibraryRequest, prefix } from "propylon";
 *
 * const app = (req: LibraryRequest, res: { end(text: string): void }) => res.end(`${req.baseUrl} ${req.url}`);
 * const server = createServer(prefix(app, { prefix: "/james", trustedProxies: ["loopback", "10.0.0.0/8"] }));
 * server.listen("/run/propylon/app.sock");
 * // GET /james/page: /james /page
 * ```
 *
 * @throws ConfigError CONFIG_BAD_VALUE for trusted proxies that are no addresses; at the first request APP_WRONG_EXPORT
 */
export function prefix(app: unknown, options: PrefixOptions = {}, place: ConfigPlace = {}): NodeHandler {
  const { trustedProxies = [], forwardedHeader = "x-forwarded" } = options;
  const translate = translator(options);
  const trust = compileTrust(trustedProxies, place);
  const believes = typeof trustedProxies === "number" ? trustedProxies > 0 : trustedProxies.length > 0;
  const read = forwardedHeader === "forwarded" ? readForwarded : readXForwarded;
  const made = nodeHandler(app, { where: "the app of prefix()" });
  // Whoever sends a request hears of it.
  made.catch(() => {});
  return async (request, response) => {
    restorePeer(request.socket, (changer) => changer !== request);
    const forwarded = believes ? read(request, trust) : null;
    translate(request, forwarded ?? { headers: [] });
    // After others that hear of the end and may log whose request it was.
    response.once("close", () => process.nextTick(() => restorePeer(request.socket, (changer) => changer === request)));
    return await (
      await made
    )(request, response);
  };
}

/** Turns a request into what it was for its client; `said` is what the proxies say of that. */
function translator({ prefix: mount, forcePort, scheme: forcedScheme }: PrefixOptions) {
  const moveMount = mount === undefined ? (): void => {} : mover(mount);
  return (request: MountedRequest, said: Forwarded): void => {
    moveMount(request);
    const { address, host: saidHost } = said;
    const scheme = forcedScheme ?? said.scheme;
    const secure = scheme === undefined ? isSecure(request) : scheme === "https";
    for (const name of said.headers) changeHeader(request, name, undefined);
    const host = withPort(saidHost ?? request.headers.host, forcePort);
    if (host !== undefined && host !== request.headers.host) changeHeader(request, "Host", host);
    if (address !== undefined || scheme !== undefined)
      changePeer(request, address, scheme === undefined ? undefined : secure);
    changeVariables(request, {
      ...(address === undefined ? {} : { REMOTE_ADDR: address }),
      ...(scheme === undefined ? {} : { REQUEST_SCHEME: scheme, HTTPS: secure ? "on" : undefined }),
      ...(saidHost === undefined ? {} : { SERVER_NAME: hostName(saidHost) }),
      ...(forcePort === undefined ? {} : { SERVER_PORT: String(forcePort === "" ? (secure ? 443 : 80) : forcePort) }),
    });
  };
}

function mover(mount: string): (request: MountedRequest) => void {
  const segments = segmentsOf(mount);
  const scriptName = segments.map((segment) => `/${segment}`).join("");
  const baseUrl = percentEncodePath(scriptName);
  return (request) => {
    // A web server that tells the mount has had it taken off already.
    if (request.baseUrl !== undefined && percentDecode(request.baseUrl) === scriptName) return;
    const { url = "/" } = request;
    const parts = partUrl(url, segments);
    remount(request, { url: parts?.[1] ?? url, baseUrl });
    // The front has taken the prefix off: for its client the URL had it.
    if (parts === null && url.startsWith("/")) request.originalUrl = baseUrl + url;
  };
}

function withPort(host: string | undefined, port: number | "" | undefined): string | undefined {
  if (host === undefined || port === undefined) return host;
  const name = hostName(host);
  return port === "" ? name : `${name}:${port}`;
}

/** The colons of an IPv6 address in brackets are not those of a port. */
function hostName(host: string): string {
  return host.replace(/:\d*$/, "");
}

function isSecure(request: IncomingMessage): boolean {
  return (request.socket as { encrypted?: boolean }).encrypted === true;
}

/** The header everywhere that node shows it. */
function changeHeader(request: IncomingMessage, name: string, value: string | undefined): void {
  const key = name.toLowerCase();
  const { headers, rawHeaders, headersDistinct } = request;
  let at = -1;
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    if (rawHeaders[i]!.toLowerCase() !== key) continue;
    at = i;
    if (value === undefined) rawHeaders.splice(i, 2);
    else rawHeaders[i + 1] = value;
  }
  if (value === undefined) {
    delete headers[key];
    delete headersDistinct[key];
    return;
  }
  if (at === -1) rawHeaders.push(name, value);
  headers[key] = value;
  headersDistinct[key] = [value];
}

/** A connection of node's own server carries one request after another: what was changed for one is not the next one's. */
const CHANGED = ["remoteAddress", "encrypted"] as const;

interface PeerChange {
  readonly request: IncomingMessage;
  readonly before: readonly (PropertyDescriptor | undefined)[];
}

const changed = new WeakMap<object, PeerChange>();

/** Undoes the change that is `whose`: one prefix may lie in another, and what that has changed for the same request holds. */
function restorePeer(socket: object, whose: (changer: IncomingMessage) => boolean): void {
  const change = changed.get(socket);
  if (change === undefined || !whose(change.request)) return;
  changed.delete(socket);
  for (const [i, name] of CHANGED.entries()) {
    Reflect.deleteProperty(socket, name);
    if (change.before[i] !== undefined) Object.defineProperty(socket, name, change.before[i]);
  }
}

function changePeer(request: IncomingMessage, address: string | undefined, secure: boolean | undefined): void {
  const { socket } = request;
  if (!changed.has(socket)) {
    changed.set(socket, { request, before: CHANGED.map((name) => Object.getOwnPropertyDescriptor(socket, name)) });
  }
  const values = { remoteAddress: address, encrypted: secure };
  for (const name of CHANGED) {
    if (values[name] !== undefined) Object.defineProperty(socket, name, { value: values[name], configurable: true });
  }
}
