import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bind, type Bound, type ListenAddress } from "../../../src/gateway/listen-address.ts";
import { silentLogger } from "../../../src/log.ts";

const isRoot = process.geteuid?.() === 0;
const NOBODY = 65_534;

let directory: string;
let path: string;
const open: { server: Server; bound: Bound }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "listen-"));
  path = join(directory, "app.sock");
});

afterEach(() => {
  for (const { server, bound } of open.splice(0)) {
    bound.close();
    server.close();
  }
  rmSync(directory, { recursive: true });
});

/** A server that greets with `name`, told to listen. */
function serve(address: ListenAddress, name = "hello"): { server: Server; bound: Bound } {
  const server = createServer((socket) => socket.on("error", () => {}).end(name));
  const bound = bind(server, address, { backlog: 16, log: silentLogger });
  open.push({ server, bound });
  return { server, bound };
}

async function errorOf(address: ListenAddress): Promise<unknown> {
  const { server } = serve(address);
  server.once("listening", () => server.emit("error", new Error("it listens")));
  const [error] = (await once(server, "error")) as [unknown];
  expect(server.listening).toBe(false);
  return error;
}

async function greeting(target: { path: string } | { host: string; port: number }): Promise<string> {
  const socket = connect(target);
  const [data] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return data.toString();
}

/** What a killed server leaves behind; libuv removes only the name that was bound. */
async function leaveStaleSocket(): Promise<void> {
  const server = createServer().listen(`${path}.bound`);
  linkSync(`${path}.bound`, path);
  server.close();
  await once(server, "close");
}

describe("a TCP address", () => {
  it.each([
    [undefined, "127.0.0.1", "127.0.0.1"],
    ["", "127.0.0.1", "127.0.0.1"],
    ["localhost", "127.0.0.1", "127.0.0.1"],
    ["0.0.0.0", "0.0.0.0", "127.0.0.1"],
    ["::1", "::1", "::1"],
    ["[::1]", "::1", "::1"],
    ["::", "::", "127.0.0.1"],
  ])("with the host %s is bound to %s when the call returns", async (host, address, reachable) => {
    const { server } = serve({ host, port: 0 });
    const bound = server.address() as AddressInfo;
    expect(bound.address).toBe(address);
    await once(server, "listening");
    expect(await greeting({ host: reachable, port: bound.port })).toBe("hello");
  });

  it("reports a port in use as Node does, since programs look for its code", async () => {
    const { port } = serve({ port: 0 }).server.address() as AddressInfo;
    expect(await errorOf({ port })).toMatchObject({ code: "EADDRINUSE", syscall: "listen", port });
  });

  it("throws for a port that is none", () => {
    const server = createServer();
    expect(() => bind(server, { port: 70_000 }, { backlog: 16, log: silentLogger })).toThrow(RangeError);
  });

  it("leaves name look-up to Node for everything but addresses", async () => {
    expect(await errorOf({ host: "no-such-host.invalid", port: 0 })).toMatchObject({ syscall: "getaddrinfo" });
  });
});

describe("an inherited descriptor", () => {
  it("is handed to the server with the backlog", () => {
    const server = createServer();
    const listen = vi.spyOn(server, "listen").mockReturnValue(server);
    bind(server, { fd: 0 }, { backlog: 16, log: silentLogger }).close();
    expect(listen).toHaveBeenCalledWith({ fd: 0 }, 16);
  });

  it("is refused when it is no socket", async () => {
    expect(await errorOf({ fd: 9_999 })).toMatchObject({ syscall: "listen" });
  });
});

describe("a Unix socket", () => {
  it("is bound when the call returns, under its own name, with nothing beside it", async () => {
    const { server } = serve({ path });
    expect(server.listening).toBe(true);
    expect(server.address()).toBe(path);
    expect(readdirSync(directory)).toEqual(["app.sock"]);
    await once(server, "listening");
    expect(await greeting({ path })).toBe("hello");
  });

  it.each([
    ["0660 by default", {}, 0o660],
    ["0777 less the umask", { umask: 0o007 }, 0o770],
    ["the mode asked for, whatever the umask", { mode: 0o666, umask: 0o077 }, 0o666],
  ])("has as mode %s", (_text, options, mode) => {
    serve({ path, ...options });
    expect(lstatSync(path).mode & 0o7777).toBe(mode);
  });

  it.runIf(isRoot)("belongs to the owner and group asked for, by name or number", () => {
    serve({ path, owner: "nobody", group: "root" });
    serve({ path: `${path}2`, owner: "1", group: NOBODY });
    expect(lstatSync(path)).toMatchObject({ uid: NOBODY, gid: 0 });
    expect(lstatSync(`${path}2`)).toMatchObject({ uid: 1, gid: NOBODY });
    expect(lstatSync(path).mode & 0o7777).toBe(0o660);
  });

  it.each([{ owner: "no-such-user" }, { group: "no-such-group" }, { owner: -1 }, { group: 4_294_967_295 }])(
    "is not bound for an account that does not exist: %j",
    async (account) => {
      expect(await errorOf({ path, ...account })).toMatchObject({ code: "LISTEN_BAD_OWNER" });
      expect(readdirSync(directory)).toEqual([]);
    },
  );

  it("is removed by close(), which may be repeated", () => {
    const { bound } = serve({ path });
    bound.close();
    bound.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("is removed when the process exits without closing it, by one listener for all", () => {
    serve({ path });
    const { bound } = serve({ path: `${path}2` });
    const releases = (): NodeJS.ExitListener[] => process.listeners("exit").filter(({ name }) => name === "releaseAll");
    expect(releases()).toHaveLength(1);
    bound.close();
    releases()[0]?.call(process, 0);
    expect(readdirSync(directory)).toEqual([]);
    expect(releases()).toEqual([]);
  });

  it("is not bound by a server that listens already", () => {
    const { server } = serve({ path });
    expect(() => bind(server, { path: `${path}2` }, { backlog: 16, log: silentLogger })).toThrow(
      expect.objectContaining({ code: "ERR_SERVER_ALREADY_LISTEN" }) as Error,
    );
    expect(server.address()).toBe(path);
    expect(readdirSync(directory)).toEqual(["app.sock"]);
  });

  it("of a successor survives the closing of the first server", async () => {
    const first = serve({ path }, "first");
    unlinkSync(path);
    serve({ path }, "second");
    first.bound.close();
    first.server.close();
    await once(first.server, "close");
    expect(await greeting({ path })).toBe("second");
  });

  it("that was moved away and replaced by a file leaves that file alone", () => {
    const { bound } = serve({ path });
    renameSync(path, `${path}.old`);
    writeFileSync(path, "precious");
    bound.close();
    expect(readFileSync(path, "utf8")).toBe("precious");
  });
});

describe("what stands at a Unix socket's path already", () => {
  it("is replaced when it is a socket of ours that nobody serves", async () => {
    await leaveStaleSocket();
    const { server } = serve({ path }, "new");
    await once(server, "listening");
    expect(await greeting({ path })).toBe("new");
  });

  it("is kept when it is served, and the error tells how to find by whom", async () => {
    serve({ path }, "first");
    expect(await errorOf({ path })).toMatchObject({
      code: "LISTEN_IN_USE",
      message: expect.stringMatching(/another instance.*ss -xlp/) as string,
    });
    expect(await greeting({ path })).toBe("first");
  });

  it("is kept when it is no socket", async () => {
    writeFileSync(path, "precious");
    expect(await errorOf({ path })).toMatchObject({ code: "LISTEN_NOT_A_SOCKET" });
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  it("is not followed when it is a symbolic link", async () => {
    await leaveStaleSocket();
    renameSync(path, `${path}.target`);
    symlinkSync(`${path}.target`, path);
    expect(await errorOf({ path })).toMatchObject({
      code: "LISTEN_NOT_A_SOCKET",
      message: expect.stringContaining("symbolic link") as string,
    });
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(lstatSync(`${path}.target`).isSocket()).toBe(true);
  });

  it.runIf(isRoot)("is kept when another user left it, and the error names both", async () => {
    await leaveStaleSocket();
    chownSync(path, NOBODY, NOBODY);
    expect(await errorOf({ path })).toMatchObject({
      code: "LISTEN_PERMISSION",
      message: expect.stringMatching(/left behind by uid 65534; uid 0 /) as string,
    });
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  it.runIf(isRoot)("is replaced when it belongs to the owner whom our sockets are given to", async () => {
    await leaveStaleSocket();
    chownSync(path, NOBODY, NOBODY);
    const { server } = serve({ path, owner: "nobody" });
    await once(server, "listening");
    expect(await greeting({ path })).toBe("hello");
  });

  it("is left alone by a server that was closed while it was looking", async () => {
    await leaveStaleSocket();
    const { ino } = lstatSync(path);
    const { server, bound } = serve({ path });
    bound.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.listening).toBe(false);
    expect(lstatSync(path).ino).toBe(ino);
  });

  it("is kept when it came while we were binding", async () => {
    const server = createServer();
    const genuine = server.listen.bind(server) as (options: { path: string }) => Server;
    server.listen = ((options: { path: string }) => {
      expect(dirname(dirname(options.path))).toBe(directory);
      expect(lstatSync(dirname(options.path)).mode & 0o7777).toBe(0o700);
      writeFileSync(path, "faster");
      return genuine(options);
    }) as typeof server.listen;
    const listening = vi.fn();
    server.on("listening", listening);
    const closed = new Promise((resolve) => server.once("close", resolve));
    const failed = once(server, "error");
    bind(server, { path }, { backlog: 16, log: silentLogger });
    expect((await failed)[0]).toMatchObject({ code: "LISTEN_IN_USE" });
    await closed;
    expect(readFileSync(path, "utf8")).toBe("faster");
    expect(listening).not.toHaveBeenCalled();
    expect(readdirSync(directory)).toEqual(["app.sock"]);
  });
});

describe("a Unix socket's directory", () => {
  it("must not be open to everybody", async () => {
    chmodSync(directory, 0o777);
    expect(await errorOf({ path })).toMatchObject({
      code: "LISTEN_UNSAFE_DIRECTORY",
      message: expect.stringContaining("0777") as string,
    });
  });

  it("may be open to everybody if it is sticky, as /tmp is", () => {
    chmodSync(directory, 0o1777);
    expect(serve({ path }).server.listening).toBe(true);
  });

  it.runIf(isRoot)("must not belong to another user", async () => {
    chownSync(directory, NOBODY, NOBODY);
    expect(await errorOf({ path })).toMatchObject({
      code: "LISTEN_UNSAFE_DIRECTORY",
      message: expect.stringContaining("uid 65534") as string,
    });
  });

  it("must exist", async () => {
    expect(await errorOf({ path: join(directory, "none", "app.sock") })).toMatchObject({
      code: "LISTEN_BAD_ADDRESS",
      message: expect.stringContaining("no directory") as string,
    });
  });

  it.runIf(isRoot)("must be writable for us; the error names the uid that tried", async () => {
    chmodSync(directory, 0o755);
    process.seteuid?.(NOBODY);
    try {
      const failed = errorOf({ path });
      process.seteuid?.(0);
      expect(await failed).toMatchObject({
        code: "LISTEN_PERMISSION",
        message: expect.stringMatching(new RegExp(`uid ${NOBODY} .*EACCES.* in ${directory}$`)) as string,
      });
    } finally {
      process.seteuid?.(0);
    }
  });
});

describe("a Unix socket's path", () => {
  it.each(["", "\0abstract", "a\0b"])("is refused when it is no file name: %j", async (none) => {
    expect(await errorOf({ path: none })).toMatchObject({ code: "LISTEN_BAD_ADDRESS" });
  });

  it("may have 107 bytes, and is refused with its length when it has more", async () => {
    const longest = join(directory, "x".repeat(107 - directory.length - 1));
    const { server } = serve({ path: longest });
    await once(server, "listening");
    expect(await greeting({ path: longest })).toBe("hello");
    expect(await errorOf({ path: `${longest}x` })).toMatchObject({
      code: "LISTEN_BAD_ADDRESS",
      message: expect.stringContaining("108 bytes") as string,
    });
  });

  it("needs a directory of at most 97 bytes", async () => {
    const deep = join(directory, "d".repeat(97 - directory.length - 1));
    mkdirSync(deep);
    mkdirSync(`${deep}d`);
    expect(serve({ path: join(deep, "s") }).server.listening).toBe(true);
    expect(await errorOf({ path: join(`${deep}d`, "s") })).toMatchObject({
      code: "LISTEN_BAD_ADDRESS",
      message: expect.stringContaining("98 bytes") as string,
    });
  });
});
