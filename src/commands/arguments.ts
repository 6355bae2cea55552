/** What the arguments of several commands mean: a file with a name in it, variables, the status of a server. */
import { resolve } from "node:path";

import { findStatus } from "../deploy/find-server.ts";
import type { StatusReport } from "../report.ts";
import { fetchStatus } from "../status/client.ts";
import { UsageError } from "./failure.ts";

/** `FILE.ini#NAME`; a name may follow the last `#` only. */
export function splitTarget(target: string): [file: string, name: string | undefined] {
  const at = target.lastIndexOf("#");
  return at < 0 ? [target, undefined] : [target.slice(0, at), target.slice(at + 1)];
}

/** `var=value`, each of them; `what` is what they are called otherwise. @throws UsageError */
export function parseVariables(variables: readonly string[], what = "var=value"): Record<string, string> {
  const pairs = variables.map((variable): [string, string] => {
    const at = variable.indexOf("=");
    if (at < 1) throw new UsageError(`"${variable}" is not ${what}`);
    return [variable.slice(0, at), variable.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

/** Which server is asked. */
export interface ServerFlags {
  readonly serverName?: string;
  /** The Unix socket of its status. */
  readonly socket?: string;
}

/** No server answers where it was looked for. */
export class NotAnswering extends Error {
  override readonly name = "NotAnswering";
}

/**
 * The Unix sockets where the status of a server may be: the one that was named, and the one that a file says.
 *
 * @throws UsageError, ConfigError
 */
export async function statusPaths(
  target: string | undefined,
  variables: readonly string[],
  { serverName, socket }: ServerFlags,
): Promise<string[]> {
  const globalConf = parseVariables(variables);
  if (target === undefined && socket === undefined) throw new UsageError("name the server's FILE.ini, or its --socket");
  const paths = socket === undefined ? [] : [resolve(socket)];
  if (target !== undefined)
    paths.push(resolve((await findStatus(splitTarget(target)[0], { serverName, globalConf })).path));
  return paths;
}

/** @throws NotAnswering, which says what was tried */
export async function fetchFirst(paths: readonly string[]): Promise<StatusReport> {
  const tried: string[] = [];
  for (const path of paths) {
    try {
      return await fetchStatus({ path });
    } catch (error) {
      tried.push(`${path}: ${explain(error as NodeJS.ErrnoException)}`);
    }
  }
  throw new NotAnswering(`no server answers; tried ${tried.join(", ")}`);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket (ENOENT)",
  ENOTSOCK: "that is no socket (ENOTSOCK)",
  ECONNREFUSED: "nobody listens there (ECONNREFUSED)",
  EACCES: "this user may not connect (EACCES)",
};

/** Why one could not connect, in words for those who have not written the program. */
export function explain({ code = "", message }: NodeJS.ErrnoException): string {
  return REASONS[code] ?? message;
}
