/**
 * A Unix socket by its path: bound where nobody can reach it, shown under its name once it is ready, removed while ours.
 *
 * The socket is bound inside a fresh directory of mode 0700 beside the path, gets owner and mode there, and is then
 * hard-linked to the path. So it never stands there with other rights than it shall have, whatever is at the path stays
 * (link fails where rename would replace), and libuv, which removes a socket by the name it was bound under when it
 * closes it, cannot remove the socket that a successor has put there meanwhile.
 */
import { type BigIntStats, chmodSync, chownSync, linkSync, lstatSync, mkdtempSync, rmSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname, join, resolve } from "node:path";
import { ListenError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { groupId, userId } from "./accounts.ts";
import { checkSocketPath } from "./socket-path.ts";

export interface UnixSocketAddress {
  /** Absolute, or relative to the working directory. At most 107 bytes, the directory at most 97. */
  readonly path: string;
  /** The mode is 0777 less these bits, where `mode` is not given. */
  readonly umask?: number | undefined;
  /** Default 0660. Whoever may write to the socket may connect to it. */
  readonly mode?: number | undefined;
  /** Name or uid; default the user of this process. */
  readonly owner?: string | number | undefined;
  /** Name or gid; default the group of this process (or of the directory, where it is set-gid). */
  readonly group?: string | number | undefined;
}

/** chown's word for leaving the owner or the group as it is. */
const UNCHANGED = -1;

/**
 * Makes `server` listen on a Unix socket. It is bound when the call returns, unless something stands at the path: that
 * is probed by connecting, and replaced if it is a socket of ours that nobody serves any more. Faults are emitted as
 * 'error' on the server, in a later tick: ListenError, or what Node reports where that says it all.
 *
 * Returns what removes the path if it is still ours. To be called before the server is closed; harmless when repeated.
 */
export function bindUnixSocket(
  server: Server,
  address: UnixSocketAddress,
  options: { readonly backlog: number; readonly log: Logger },
): () => void {
  const binding = new UnixSocketBinding(server, address, options.backlog, options.log);
  binding.start();
  return () => binding.release();
}

class UnixSocketBinding {
  readonly #server: Server;
  readonly #address: UnixSocketAddress;
  readonly #backlog: number;
  readonly #log: Logger;
  readonly #path: string;
  readonly #directory: string;
  readonly #us: number = process.geteuid?.() ?? 0;
  /** What the path names, while it names our socket as far as we know. */
  #ours: BigIntStats | undefined;
  #listens = false;
  #released = false;

  constructor(server: Server, address: UnixSocketAddress, backlog: number, log: Logger) {
    this.#server = server;
    this.#address = address;
    this.#backlog = backlog;
    this.#log = log;
    this.#path = resolve(address.path);
    this.#directory = dirname(this.#path);
  }

  start(): void {
    this.#reportingFaults(() => {
      checkSocketPath(this.#address.path, this.#us);
      const found = lstat(this.#path);
      if (found === undefined) this.#bind();
      else this.#replaceIfStale(found);
    });
  }

  release(): void {
    this.#released = true;
    const ours = this.#ours;
    if (ours === undefined) return;
    this.#ours = undefined;
    bindings.delete(this);
    if (bindings.size === 0) process.off("exit", releaseAll);
    try {
      const found = lstat(this.#path);
      if (found !== undefined && isSame(found, ours)) unlinkSync(this.#path);
    } catch (error) {
      this.#log.warn(`the socket ${this.#path} could not be removed: ${(error as Error).message}`);
    }
  }

  #bind(): void {
    const { umask, owner, group } = this.#address;
    const uid = owner === undefined ? UNCHANGED : userId(owner);
    const gid = group === undefined ? UNCHANGED : groupId(group);
    const mode = this.#address.mode ?? (umask === undefined ? 0o660 : 0o777 & ~umask);

    const privateDirectory = mkdtempSync(`${this.#directory}/.`);
    try {
      const privatePath = join(privateDirectory, "s");
      // In a cluster's worker an own socket, not one that the primary binds under a name which is gone by then.
      this.#server.listen({ path: privatePath, backlog: this.#backlog, exclusive: true });
      if (!this.#server.listening) return; // The server emits why.
      this.#listens = true;
      chownSync(privatePath, uid, gid);
      chmodSync(privatePath, mode);
      linkSync(privatePath, this.#path);
      this.#ours = lstat(privatePath);
    } finally {
      rmSync(privateDirectory, { recursive: true, force: true });
    }

    const privateAddress = this.#server.address.bind(this.#server);
    this.#server.address = () => {
      const bound = privateAddress();
      return typeof bound === "string" ? this.#path : bound;
    };
    if (bindings.size === 0) process.on("exit", releaseAll);
    bindings.add(this);
  }

  #replaceIfStale(found: BigIntStats): void {
    if (!found.isSocket()) {
      const kind = found.isSymbolicLink() ? "a symbolic link, which is not followed" : "no socket";
      throw new ListenError("LISTEN_NOT_A_SOCKET", `${this.#path} is ${kind}; it is left alone`);
    }
    probe(this.#path, (outcome) => {
      if (this.#released) return;
      this.#reportingFaults(() => {
        if (outcome !== "ENOENT") this.#removeStale(found, outcome);
        this.#bind();
      });
    });
  }

  #removeStale(found: BigIntStats, outcome: string): void {
    const owner = Number(found.uid);
    if (outcome === "EACCES") {
      throw new ListenError(
        "LISTEN_PERMISSION",
        `uid ${this.#us} may not connect to ${this.#path} (of uid ${owner}) to see whether it is in use`,
      );
    }
    if (outcome !== "ECONNREFUSED") {
      throw new ListenError(
        "LISTEN_IN_USE",
        `${this.#path} is being served (${outcome}), by another instance of this server or by another program; ` +
          `the file belongs to uid ${owner}, "ss -xlp" names the process`,
      );
    }
    // Our last run may have given its socket away, as this one will.
    const heir = this.#address.owner === undefined ? this.#us : userId(this.#address.owner);
    if (owner !== this.#us && owner !== heir) {
      throw new ListenError(
        "LISTEN_PERMISSION",
        `${this.#path} was left behind by uid ${owner}; uid ${this.#us} does not remove what others own`,
      );
    }
    const now = lstat(this.#path);
    if (now === undefined) return;
    if (!isSame(now, found)) {
      throw new ListenError("LISTEN_IN_USE", `${this.#path} has just been bound by another process`);
    }
    unlinkSync(this.#path);
    this.#log.info(`removed ${this.#path}, the socket of a server that is gone`);
  }

  /** Emits what `action` throws, when the caller of listen() has had the time to hear it. */
  #reportingFaults(action: () => void): void {
    try {
      action();
    } catch (error) {
      process.nextTick(() => this.#server.emit("error", this.#explain(error as NodeJS.ErrnoException)));
      // A socket that could not be shown under its name serves nobody.
      if (this.#listens) this.#server.close();
    }
  }

  #explain(error: NodeJS.ErrnoException): Error {
    const { code = "", syscall } = error;
    if (syscall === undefined) return error;
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
      const what = syscall === "chown" ? "give the socket the owner or group asked for" : "put a socket there";
      const text = `${this.#path}: uid ${this.#us} may not ${what}: ${code} (${syscall}) in ${this.#directory}`;
      return new ListenError("LISTEN_PERMISSION", text, { cause: error });
    }
    if (code === "EEXIST") {
      return new ListenError("LISTEN_IN_USE", `${this.#path} has just been bound by another process`, { cause: error });
    }
    if (code === "ENOENT" || code === "ENOTDIR") {
      const text = `${this.#path}: there is no directory ${this.#directory}`;
      return new ListenError("LISTEN_BAD_ADDRESS", text, { cause: error });
    }
    return error;
  }
}

/** The sockets to remove when the process leaves without closing them; one listener however many there are. */
const bindings = new Set<UnixSocketBinding>();

function releaseAll(): void {
  for (const binding of bindings) binding.release();
}

/** Tells what came of a connection: "connected", or the code of its failure. */
function probe(path: string, done: (outcome: string) => void): void {
  const socket = connect({ path });
  socket.once("connect", () => {
    socket.destroy();
    done("connected");
  });
  socket.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
}

function lstat(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** The inode's number alone may be given anew once its socket is closed. */
function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.mtimeNs === b.mtimeNs;
}
