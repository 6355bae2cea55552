/** Who a gateway process is and where it works: applied once, before any code of the app is loaded. */
import { readFileSync } from "node:fs";

import { ConfigError, ListenError } from "../errors.ts";
import { groupId, userId } from "../gateway/accounts.ts";
import type { Logger } from "../log.ts";

export interface ProcessSurroundings {
  /** Name or number. */
  readonly user?: string | undefined;
  /** Name or number; the user's own group where only a user is given. */
  readonly group?: string | undefined;
  readonly chdir?: string | undefined;
  readonly umask?: number | undefined;
}

/**
 * Gives up what rights there are for those of `user` and `group`, for good, HOME, USER and LOGNAME with them; then
 * changes to the directory.
 *
 * @throws ConfigError CONFIG_BAD_VALUE for what cannot be had
 */
export function enterSurroundings({ user, group, chdir, umask }: ProcessSurroundings): void {
  if (umask !== undefined) process.umask(umask);
  const account = user === undefined ? undefined : attempt("user", () => findAccount(user));
  const gid = group === undefined ? account?.gid : attempt("group", () => groupId(group));
  if (account !== undefined && gid === undefined) {
    throw new ConfigError("CONFIG_BAD_VALUE", `user ${user} is not in /etc/passwd: a group is needed too`, {
      key: "user",
    });
  }
  if (gid !== undefined) attempt("group", () => changeGroups(gid, account?.name));
  if (account !== undefined) {
    attempt("user", () => process.setuid!(account.uid));
    enterHome(account);
  }
  if (chdir !== undefined) attempt("chdir", () => process.chdir(chdir));
}

/** Where the app would run with all rights of the system and nobody has said that it should. */
export function warnOfRoot(user: string | undefined, log: Logger): void {
  if (process.getuid?.() !== 0 || user !== undefined) return;
  log.warn('THE APP RUNS AS ROOT: write "user = www-data", or another account, into the server\'s section');
}

/** Missing in the types of Node 20. */
interface Initgroups {
  initgroups(user: string, group: number): void;
}

interface Account {
  readonly uid: number;
  /** Of an account that has a name. */
  readonly name?: string | undefined;
  readonly gid?: number | undefined;
  readonly home?: string | undefined;
}

/** Root's own would have the app look for its files where it may not read. Threads copy this environment. */
function enterHome({ name, home }: Account): void {
  process.env["HOME"] = home === undefined || home === "" ? "/" : home;
  for (const key of ["USER", "LOGNAME"]) {
    if (name === undefined) delete process.env[key];
    else process.env[key] = name;
  }
}

function findAccount(user: string): Account {
  const uid = userId(user);
  for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
    const [name, , number, gid, , home] = line.split(":");
    if (Number(number) === uid && (name === user || /^\d+$/.test(user))) return { uid, name, gid: Number(gid), home };
  }
  return { uid };
}

/** The other groups of the user come along; without a user there are no others. Both is for root to do. */
function changeGroups(gid: number, name: string | undefined): void {
  if (process.geteuid!() === 0) {
    if (name === undefined) process.setgroups!([gid]);
    else (process as unknown as Initgroups).initgroups(name, gid);
  }
  process.setgid!(gid);
}

function attempt<Result>(key: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    const { message } = error as Error;
    const why = error instanceof ListenError ? message.slice(`${error.code}: `.length) : message;
    throw new ConfigError("CONFIG_BAD_VALUE", `${why} (as uid ${process.geteuid!()})`, { key }, { cause: error });
  }
}
