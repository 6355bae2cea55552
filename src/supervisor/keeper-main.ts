/** The thread that binds a socket and then sleeps: see held-listener.ts. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { dirname, resolve } from "node:path";
import { parentPort, workerData } from "node:worker_threads";

import { carryError } from "../carried-error.ts";
import { ListenError } from "../errors.ts";
import { bind, describeAddress } from "../gateway/listen-address.ts";
import type { Logger } from "../log.ts";
import { CLOSED, KEEPING, type KeeperData, type KeeperMessage } from "./held-listener.ts";

const { address, backlog, state } = workerData as KeeperData;

const tell = (message: KeeperMessage): void => parentPort!.postMessage(message);
const logAt =
  (level: keyof Logger) =>
  (message: string): void =>
    tell({ type: "log", level, message });
const log: Logger = { error: logAt("error"), warn: logAt("warn"), info: logAt("info"), debug: logAt("debug") };

// The status may have a socket in the same directory.
const before = listeningInodes({ path: "path" in address ? resolve(address.path) : null, port: null });
const server = createServer();
server.on("error", (error) => tell({ type: "failed", error: carryError(error) }));
const bound = bind(server, address, { backlog, log });
server.on("listening", () => {
  const fd = descriptorOf(ownInodes(server.address()));
  if (fd === undefined) {
    const error = new ListenError("LISTEN_BAD_ADDRESS", "the listening socket cannot be found in /proc/self/fd");
    tell({ type: "failed", error: carryError(error) });
  } else {
    tell({ type: "bound", fd, where: describeAddress(server.address(), address) });
    // No turn of the loop from here on: nothing is accepted.
    while (Atomics.load(state, 0) === KEEPING) Atomics.wait(state, 0, KEEPING);
  }
  bound.close();
  server.close();
  Atomics.store(state, 0, CLOSED);
  Atomics.notify(state, 0);
});

/** The descriptor of this process that is one of these sockets. */
function descriptorOf(inodes: ReadonlySet<string>): number | undefined {
  for (const name of readdirSync("/proc/self/fd")) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${name}`))?.[1];
      if (inode !== undefined && inodes.has(inode)) return Number(name);
    } catch {
      // Closed meanwhile, by another thread.
    }
  }
  return undefined;
}

function ownInodes(bound: AddressInfo | string | null): Set<string> {
  const where = typeof bound === "string" ? { path: bound, port: null } : { path: null, port: bound!.port };
  const inodes = listeningInodes(where);
  for (const inode of before) inodes.delete(inode);
  return inodes;
}

/**
 * The sockets that listen on a port, of whatever process (SO_REUSEPORT allows several), or that were bound beside a
 * path, as ours are. proc(5): state 0A is TCP_LISTEN, an address ends in its port; a Unix socket's flag 0x10000 is
 * __SO_ACCEPTCON, and its name is the one under which it was bound.
 */
function listeningInodes({ path, port }: { path: string | null; port: number | null }): Set<string> {
  const inodes = new Set<string>();
  if (path !== null) {
    for (const row of rowsOf("unix")) {
      // The path is the rest of the row: it may have spaces.
      const [, flags, inode, name = ""] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (.*)$/.exec(row) ?? [];
      const beside = name.startsWith(`${dirname(path)}/.`);
      if (beside && (Number.parseInt(flags!, 16) & 0x10000) !== 0) inodes.add(inode!);
    }
  }
  if (port === null) return inodes;
  const ending = `:${port.toString(16).padStart(4, "0").toUpperCase()}`;
  for (const table of ["tcp", "tcp6"]) {
    for (const row of rowsOf(table)) {
      const [, local, , state, , , , , , inode] = row.trim().split(/\s+/);
      if (state === "0A" && local?.endsWith(ending) === true) inodes.add(inode!);
    }
  }
  return inodes;
}

function rowsOf(table: string): string[] {
  try {
    const [, ...lines] = readFileSync(`/proc/self/net/${table}`, "utf8").trimEnd().split("\n");
    return lines;
  } catch {
    return []; // A kernel without IPv6, for one.
  }
}
