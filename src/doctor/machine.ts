/** What this machine tells of accounts, processes and limits: account files and /proc, read as they stand. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

import type { Target } from "../client/target.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gids: ReadonlySet<number>;
}

export interface RunningProgram {
  readonly pid: number;
  /** Its short name. */
  readonly program: string;
}

/** A program by its short name, as /proc has it. */
const WEB_SERVERS = new Set(["apache2", "httpd", "nginx", "lighttpd", "caddy", "h2o", "haproxy", "litespeed"]);
const USUAL_USERS = ["www-data", "nginx", "http", "apache", "caddy", "lighttpd", "wwwrun"] as const;

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** By name or number, with the groups it is a member of; null for one that is not in /etc/passwd. */
export function accountOf(user: string | number): Account | null {
  for (const line of read("/etc/passwd").split("\n")) {
    const [name = "", , uid = "", gid = ""] = line.split(":");
    if (name === "" || (name !== user && uid !== String(user))) continue;
    const gids = new Set([Number(gid)]);
    for (const group of read("/etc/group").split("\n")) {
      const [, , number = "", members = ""] = group.split(":");
      if (members.split(",").includes(name)) gids.add(Number(number));
    }
    return { name, uid: Number(uid), gids };
  }
  return null;
}

/** Processes of web servers that run here and have given up root's rights; the others wait for requests of nobody. */
export function webServers(): (RunningProgram & { readonly uid: number })[] {
  return processes().flatMap((pid) => {
    const program = read(`/proc/${pid}/comm`).trim();
    if (!WEB_SERVERS.has(program)) return [];
    const uid = uidOf(pid);
    return uid === null || uid === 0 ? [] : [{ pid, program, uid }];
  });
}

/** The accounts that a web server here may have: the one that was named, those that run, the usual ones. */
export function frontAccounts(named: string | undefined): Account[] {
  if (named !== undefined) return [accountOf(named)].filter((each) => each !== null);
  const running = [...new Set(webServers().map(({ uid }) => uid))];
  const accounts = (running.length > 0 ? running : USUAL_USERS).map((user) => accountOf(user));
  return accounts.filter((each) => each !== null);
}

/** The effective one. */
export function uidOf(pid: number): number | null {
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1];
  return uid === undefined ? null : Number(uid);
}

/** How many files a process may open; null where that is not known. */
export function openFilesOf(pid: number): number | null {
  const soft = /^Max open files +(\d+)/m.exec(read(`/proc/${pid}/limits`))?.[1];
  return soft === undefined ? null : Number(soft);
}

/** To how many the system cuts a backlog. */
export function somaxconn(): number | null {
  const text = read("/proc/sys/net/core/somaxconn").trim();
  return text === "" ? null : Number(text);
}

/** Who listens there, as far as this user may see it. */
export function holderOf(target: Target): RunningProgram | null {
  const inodes = new Set("path" in target ? unixInodes(target.path) : tcpInodes(target.port));
  if (inodes.size === 0) return null;
  for (const pid of processes()) {
    if (descriptorsOf(pid).some((inode) => inodes.has(inode)))
      return { pid, program: read(`/proc/${pid}/comm`).trim() };
  }
  return null;
}

/** proc(5): fields of /proc/net/tcp; state 0A is LISTEN. */
function tcpInodes(port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) =>
    read(table)
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local = "", , state]) => local.endsWith(wanted) && state === "0A")
      .flatMap((fields) => fields[9] ?? []),
  );
}

function unixInodes(path: string): string[] {
  return read("/proc/net/unix")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[7] === path)
    .flatMap((fields) => fields[6] ?? []);
}

function descriptorsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

function processes(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}
