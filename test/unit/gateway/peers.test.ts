import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../src/errors.ts";
import { PeerGuard } from "../../../src/gateway/peers.ts";

/** A socket as the guard sees it: only the addresses count. */
function from(remoteAddress: string): Socket {
  return { destroyed: false, remoteAddress, localAddress: "192.0.2.1" } as Socket;
}

const allows = (clients: string[], peer: string): boolean => new PeerGuard(clients).allows(from(peer));

/** Asks the guard about a genuine connection to `server`. */
async function acceptOn(server: Server, guard: PeerGuard, connectTo: () => unknown): Promise<boolean> {
  try {
    await once(server, "listening");
    const accepted = once(server, "connection") as Promise<[Socket]>;
    connectTo();
    const [socket] = await accepted;
    const allowed = guard.allows(socket);
    socket.destroy();
    return allowed;
  } finally {
    server.close();
  }
}

describe("without allowed_clients", () => {
  it.each(["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])("allows this machine: %s", (peer) => {
    expect(allows([], peer)).toBe(true);
  });

  it.each(["10.0.0.1", "128.0.0.1", "::2", "::ffff:10.0.0.1", "fe80::1%eth0", "::"])("refuses %s", (peer) => {
    expect(allows([], peer)).toBe(false);
  });

  it("allows a genuine Unix socket", async () => {
    const path = join(tmpdir(), `peers-${process.pid}.sock`);
    const server = createServer().listen(path);
    expect(await acceptOn(server, new PeerGuard([]), () => connect(path).unref())).toBe(true);
  });

  it("does not take a TCP peer that has sent its bytes and reset the connection for a Unix socket", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    const guard = new PeerGuard([]);
    const sendAndReset = (): void => {
      const { port } = server.address() as AddressInfo;
      const script = `const s = require("node:net").connect(${port}, "127.0.0.1", () => s.write("x", () => s.resetAndDestroy()))`;
      expect(spawnSync(process.execPath, ["-e", script]).status).toBe(0);
    };
    expect(await acceptOn(server, guard, sendAndReset)).toBe(false);
  });
});

describe("allowed_clients", () => {
  it.each([
    ["10.1.2.3", "10.1.2.3", "10.1.2.4"],
    ["10.1.0.0/16", "10.1.255.255", "10.2.0.0"],
    ["10.1.2.3/20", "10.1.15.255", "10.1.16.0"],
    ["2001:db8::1", "2001:db8::1", "2001:db8::2"],
    ["2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"],
    ["2001:DB8:0::/48", "2001:db8::ffff", "2001:db8:1::"],
    ["fe80::1%eth0", "fe80::1%eth1", "fe80::2%eth0"],
  ])("%s lets %s in and keeps %s out", (entry, inside, outside) => {
    expect(allows([entry], inside)).toBe(true);
    expect(allows([entry], outside)).toBe(false);
  });

  it("compares all 128 bits: peers that differ only in the last 32 are told apart", () => {
    expect(allows(["2001:db8:1:2:3:4:aaaa:1"], "2001:db8:1:2:3:4:aaaa:1")).toBe(true);
    for (const peer of ["2001:db8:1:2:3:4:aaaa:2", "2001:db8:1:2:3:4:aaab:1", "2001:db8:1:2:3:4::"]) {
      expect(allows(["2001:db8:1:2:3:4:aaaa:1"], peer)).toBe(false);
    }
  });

  it.each([
    ["10.0.0.0/8", "::ffff:10.9.9.9"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::ffff:a00:1", "::ffff:10.0.0.1"],
    ["::ffff:10.0.0.0/104", "10.9.9.9"],
  ])("takes IPv4 in IPv6 dress for IPv4: %s lets %s in", (entry, peer) => {
    expect(allows([entry], peer)).toBe(true);
    expect(allows([entry], "11.0.0.1")).toBe(false);
    expect(allows([entry], "::ffff:11.0.0.1")).toBe(false);
  });

  it("can name everybody, each family on its own", () => {
    expect(allows(["0.0.0.0/0"], "203.0.113.9")).toBe(true);
    expect(allows(["0.0.0.0/0"], "2001:db8::1")).toBe(false);
    expect(allows(["::/0"], "2001:db8::1")).toBe(true);
    expect(allows(["::/0"], "203.0.113.9")).toBe(false);
  });

  it.each([
    "",
    "localhost",
    "10.0.0",
    "010.0.0.1",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "::/129",
    "::ffff:10.0.0.0/95",
    "10.0.0.1, 10.0.0.2",
  ])("names the entry that is no address: %j", (entry) => {
    expect(() => new PeerGuard(["10.0.0.1", entry])).toThrow(
      expect.objectContaining({
        name: ConfigError.name,
        code: "CONFIG_BAD_VALUE",
        message: expect.stringContaining(JSON.stringify(entry)) as string,
      }) as Error,
    );
  });
});

describe("the line for the log", () => {
  it("says what to set, keeping what is set already", () => {
    expect(new PeerGuard([]).describe(from("::ffff:10.0.0.9"))).toBe(
      "refused a connection from 10.0.0.9; if that is your web server, set: allowed_clients = 10.0.0.9",
    );
    expect(new PeerGuard(["10.1.0.0/16"]).describe(from("10.2.0.1"))).toContain(
      "allowed_clients = 10.1.0.0/16 10.2.0.1",
    );
  });

  it("admits it when the peer had left already", () => {
    expect(new PeerGuard([]).describe({} as Socket)).toContain("had left");
  });
});
