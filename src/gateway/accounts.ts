/** Users by name: Node cannot ask the system for them, so that the account files are read as they stand. */
import { readFileSync } from "node:fs";
import { ListenError } from "../errors.ts";

/** The uid of `owner`, which is a number, a number in text, or a name in /etc/passwd. */
export function userId(owner: string | number): number {
  return accountId(owner, "/etc/passwd", "user");
}

/** The gid of `group`, which is a number, a number in text, or a name in /etc/group. */
export function groupId(group: string | number): number {
  return accountId(group, "/etc/group", "group");
}

/** @throws ListenError LISTEN_BAD_OWNER where the name is unknown or the number is none. */
function accountId(account: string | number, file: string, kind: string): number {
  const id = /^\d+$/.test(String(account)) ? Number(account) : lookUp(String(account), file);
  // The highest number is chown's word for "unchanged".
  if (id === undefined || id >= 0xffffffff) {
    throw new ListenError(
      "LISTEN_BAD_OWNER",
      `${kind} ${JSON.stringify(account)} is not in ${file}; accounts from elsewhere are given by number`,
    );
  }
  return id;
}

/** Both files have one account a line: `name:password:number:...` (passwd(5), group(5)). */
function lookUp(name: string, file: string): number | undefined {
  const line = readFileSync(file, "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const id = line?.split(":")[2];
  return id === undefined || !/^\d+$/.test(id) ? undefined : Number(id);
}
