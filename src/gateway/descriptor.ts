/** What is known of a descriptor that was inherited, from proc(5): on another system nothing is. */
import { readFileSync, readlinkSync } from "node:fs";

/** The column of a table of sockets that has the inode. */
const INODE = { unix: 6, tcp: 9, tcp6: 9 } as const;
/** A Unix socket's flag __SO_ACCEPTCON; of TCP the state TCP_LISTEN. */
const ACCEPTS = 0x10000;
const TCP_LISTEN = "0A";

/** False also where that cannot be known. */
export function isUnixSocket(fd: number): boolean {
  return rowOf(fd, "unix") !== undefined;
}

/** Whether it is a socket that listens; null where that cannot be known. */
export function listens(fd: number): boolean | null {
  try {
    readFileSync("/proc/self/net/unix");
  } catch {
    return null;
  }
  const unix = rowOf(fd, "unix");
  if (unix !== undefined) return (Number.parseInt(unix[3]!, 16) & ACCEPTS) !== 0;
  return (["tcp", "tcp6"] as const).some((table) => rowOf(fd, table)?.[3] === TCP_LISTEN);
}

/** The columns of its row. */
function rowOf(fd: number, table: keyof typeof INODE): string[] | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
    if (inode === undefined) return undefined;
    const rows = readFileSync(`/proc/self/net/${table}`, "latin1").split("\n");
    return rows.map((row) => row.trim().split(/\s+/)).find((columns) => columns[INODE[table]] === inode);
  } catch {
    return undefined; // Another system, no such descriptor, a kernel without IPv6.
  }
}
