/** What a web server sends by itself when an app's answer names a file: X-Sendfile, and X-Accel-Redirect of nginx. */
import { isAbsolute, join } from "node:path";

import { ConfigError, type ConfigPlace } from "../errors.ts";

/** As a server's section, or the library's options, say it. */
export interface SendfileSettings {
  /**
   * How the web server is told to send a file (`sendFile`): `x-sendfile` (Apache's mod_xsendfile, lighttpd, Caddy)
   * or `x-accel-redirect` (nginx). Default: it is not told, and this process sends the file.
   */
  readonly sendfile?: "x-sendfile" | "x-accel-redirect";
  /** The directory whose files the web server may send, absolute. Needed with `sendfile`. Others are sent by this process. */
  readonly sendfileRoot?: string;
  /** The internal location whose alias that directory is, `/internal/`. Needed with `x-accel-redirect`. */
  readonly sendfileUri?: string;
}

export interface SendfileFront {
  readonly header: "X-Sendfile" | "X-Accel-Redirect";
  /** With a slash at its end. */
  readonly root: string;
  /** What stands for `root` in nginx's header, with a slash at its end. */
  readonly place: string;
}

/** Undefined where this process sends all files. @throws ConfigError CONFIG_BAD_VALUE */
export function sendfileFront(
  { sendfile, sendfileRoot, sendfileUri }: SendfileSettings,
  placeOf: (name: keyof SendfileSettings) => ConfigPlace,
): SendfileFront | undefined {
  const refuse = (name: keyof SendfileSettings, why: string): never => {
    throw new ConfigError("CONFIG_BAD_VALUE", why, placeOf(name));
  };
  if (sendfile === undefined) {
    if (sendfileRoot !== undefined) refuse("sendfileRoot", "means something with the option sendfile only");
    if (sendfileUri !== undefined) refuse("sendfileUri", "means something with the option sendfile only");
    return undefined;
  }
  if (sendfileRoot === undefined) return refuse("sendfile", "needs sendfile_root, the directory of the files");
  if (!isAbsolute(sendfileRoot)) return refuse("sendfileRoot", `"${sendfileRoot}" is no absolute path`);
  const root = join(sendfileRoot, "/");
  if (sendfile === "x-sendfile") {
    if (sendfileUri !== undefined) refuse("sendfileUri", "means something with x-accel-redirect only");
    return { header: "X-Sendfile", root, place: root };
  }
  if (sendfile !== "x-accel-redirect") {
    return refuse("sendfile", `"${String(sendfile)}" is neither x-sendfile nor x-accel-redirect`);
  }
  if (sendfileUri === undefined) return refuse("sendfile", "needs sendfile_uri, nginx's internal location");
  if (!/^\/[!-~]*$/.test(sendfileUri)) return refuse("sendfileUri", `"${sendfileUri}" is no path such as /internal/`);
  return { header: "X-Accel-Redirect", root, place: sendfileUri.replace(/\/?$/, "/") };
}

/**
 * lighttpd decodes the name of X-Sendfile and mod_xsendfile 0.12 does not, for Caddy it ends at a question mark; and not
 * every name fits into a header.
 */
const AMBIGUOUS = /[%?\x00-\x1f\x7f]|[ \t]$/;

/** The field that makes the web server send `file`, a normal absolute path; null for one that it may not or could mistake. */
export function sendfileField({ header, root, place }: SendfileFront, file: string): string | null {
  if (!file.startsWith(root)) return null;
  if (header === "X-Accel-Redirect") return `${header}: ${place}${encodePath(file.slice(root.length))}`;
  return AMBIGUOUS.test(file) ? null : `${header}: ${Buffer.from(file).toString("latin1")}`;
}

/** Each part of a path percent-encoded. */
export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
