/** The thread that binds a socket and then sleeps: see held-listener.ts. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
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

const before = new Set(listeningDescriptors());
const server = createServer();
server.on("error", (error) => tell({ type: "failed", error: carryError(error) }));
const bound = bind(server, address, { backlog, log });
server.on("listening", () => {
  const fd = listeningDescriptors().find((each) => !before.has(each));
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

/** Descriptors of this process that are listening sockets, TCP or Unix. */
function listeningDescriptors(): number[] {
  const listening = listeningInodes();
  const found: number[] = [];
  for (const name of readdirSync("/proc/self/fd")) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${name}`))?.[1];
      if (inode !== undefined && listening.has(inode)) found.push(Number(name));
    } catch {
      // Closed meanwhile, by another thread.
    }
  }
  return found;
}

/** proc(5): state 0A is TCP_LISTEN; a Unix socket's flag 0x10000 is __SO_ACCEPTCON. */
function listeningInodes(): Set<string> {
  const inodes = new Set<string>();
  for (const table of ["tcp", "tcp6"]) {
    for (const [, , , state, , , , , , inode] of rowsOf(table)) if (state === "0A") inodes.add(inode!);
  }
  for (const [, , , flags, , , inode] of rowsOf("unix")) {
    if ((Number.parseInt(flags!, 16) & 0x10000) !== 0) inodes.add(inode!);
  }
  return inodes;
}

function rowsOf(table: string): string[][] {
  try {
    const [, ...lines] = readFileSync(`/proc/self/net/${table}`, "latin1").trimEnd().split("\n");
    return lines.map((line) => line.trim().split(/\s+/));
  } catch {
    return []; // A kernel without IPv6, for one.
  }
}
