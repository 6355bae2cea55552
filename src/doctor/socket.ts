/** The Unix socket as a file: whether it is there, and whether the web server's user gets to it. */
import { type Stats, existsSync, lstatSync, realpathSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { connect, discard } from "../client/target.ts";
import type { Context } from "./context.ts";
import { type Finding, found } from "./finding.ts";
import { type Account, accountOf, frontAccounts, webServers } from "./machine.ts";

const READ = 4;
const WRITE = 2;
const ENTER = 1;

export async function checkSocket(context: Context): Promise<Finding[]> {
  const { target, patient } = context;
  if (target === null || !("path" in target)) return [];
  const path = resolve(target.path);
  const start = `start the server, with "propylon serve ${patient.file}"`;
  let socket: Stats;
  try {
    socket = statSync(path);
  } catch (error) {
    return [missing(path, error as NodeJS.ErrnoException, start, context)].flat();
  }
  if (!socket.isSocket()) {
    const what = socket.isDirectory() ? "a directory" : "a file that is no socket";
    return [found("SOCKET_NO_SOCKET", `${path} is ${what}`, "move it away, or choose another path for socket")];
  }
  const stale = await isStale(path, context);
  if (stale !== null) return [found("SOCKET_STALE", `${path} is a socket on which nobody listens`, start)];
  return [...checkRights(path, socket, context), ...checkSight(path, socket, context)];
}

function missing(path: string, { code }: NodeJS.ErrnoException, start: string, { skip }: Context): Finding[] {
  if (code !== "ENOENT" && code !== "ENOTDIR") {
    skip(`the socket ${path} (${code}: this user may not look there; ask as root)`);
    return [];
  }
  const directory = dirname(path);
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) {
    return [found("SOCKET_MISSING", `there is no directory ${directory} for the socket`, `make it, then ${start}`)];
  }
  const dangling = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return [found("SOCKET_MISSING", `there is no socket ${path}${dangling ? ", only a link to nothing" : ""}`, start)];
}

async function isStale(path: string, { bounds, signal }: Context): Promise<true | null> {
  try {
    discard(await connect({ path }, { connectTimeout: bounds.short, signal }), "now");
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ECONNREFUSED" ? true : null;
  }
}

/** It is enough that one of the users gets there: which of them is the one that matters is not known. */
function checkRights(path: string, socket: Stats, { asked, skip }: Context): Finding[] {
  const accounts = frontAccounts(asked.frontUser);
  if (accounts.length === 0) {
    skip("whether the web server may connect (no web server runs here, and --front-user names none)");
    return [];
  }
  const results = accounts.map((account) => obstacleOf(path, socket, account));
  return results.includes(null) ? [] : results.filter((each) => each !== null).slice(0, 1);
}

function obstacleOf(path: string, socket: Stats, account: Account): Finding | null {
  for (const directory of above(path)) {
    const stats = statSync(directory, { throwIfNoEntry: false });
    if (stats === undefined || may(account, stats, ENTER)) continue;
    const seen = `${account.name} cannot enter ${directory} (${rightsOf(stats)}), which is above the socket`;
    const cure = `let it in, with "chmod o+x ${directory}" or a group of its own, or move the socket, say below /run`;
    return found("DIRECTORY_CLOSED_TO_FRONT", seen, cure);
  }
  if (may(account, socket, READ | WRITE)) return null;
  const seen = `${account.name} may not connect to ${path} (${rightsOf(socket)})`;
  const cure = `write "socket_group = ${account.name}", or its group, into the server's section, and restart`;
  return found("SOCKET_CLOSED_TO_FRONT", seen, cure);
}

/** The directories that are entered on the way, the root first, links followed. */
function above(path: string): string[] {
  const directories: string[] = [];
  for (let at = realpathSync(dirname(path)); ; at = dirname(at)) {
    directories.unshift(at);
    if (at === dirname(at)) return directories;
  }
}

/** By owner, group and others alone; access control lists are not seen, but for what they add to the group's bits. */
function may({ uid, gids }: Account, { uid: owner, gid, mode }: Stats, wanted: number): boolean {
  if (uid === 0) return true;
  const bits = uid === owner ? mode >> 6 : gids.has(gid) ? mode >> 3 : mode;
  return (bits & wanted) === wanted;
}

function rightsOf({ uid, gid, mode }: Stats): string {
  return `mode ${(mode & 0o7777).toString(8).padStart(4, "0")}, uid ${uid}, gid ${gid}`;
}

/** A web server with a /tmp of its own, or in a container, sees other files under the same names. */
function checkSight(path: string, socket: Stats, { asked }: Context): Finding[] {
  const named = asked.frontUser === undefined ? null : accountOf(asked.frontUser);
  const ofFront = webServers().filter(({ uid }) => named === null || uid === named.uid);
  const running = ofFront.flatMap((server) => {
    try {
      const root = `/proc/${server.pid}/root`;
      const seen = statSync(`${root}${path}`, { throwIfNoEntry: false });
      // It has ended meanwhile.
      if (seen === undefined && !existsSync(`${root}/`)) return [];
      return [{ ...server, sees: seen?.ino === socket.ino && seen.dev === socket.dev }];
    } catch {
      // This user may not look.
      return [];
    }
  });
  const [first] = running;
  if (first === undefined || running.some(({ sees }) => sees)) return [];
  const seen = `${first.program} (pid ${first.pid}) has another file system, in which ${path} is not this socket`;
  const cure =
    "put the socket below /run, since systemd's PrivateTmp= hides /tmp; share the directory with a container";
  return [found("SOCKET_HIDDEN_FROM_FRONT", seen, cure)];
}
