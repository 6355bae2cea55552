/** Who may connect: Unix sockets, this machine, and the addresses that were named. */
import { BlockList, isIP, type Socket, SocketAddress } from "node:net";
import { ConfigError } from "../errors.ts";

/** Always allowed: whoever sends from here is this machine itself. */
const LOOPBACK = ["127.0.0.0/8", "::1"] as const;

/**
 * Tells the web server from everybody else. The protocols have no password: a peer that is let in may claim any user,
 * any address and any file path.
 */
export class PeerGuard {
  readonly #configured: readonly string[];
  /** One for each family: `::/0` would let every IPv4 peer in, which it does not name. */
  readonly #allowed: Readonly<Record<Family, BlockList>> = { ipv4: new BlockList(), ipv6: new BlockList() };

  /**
   * @param allowedClients addresses and CIDR blocks, IPv4 or IPv6, beyond Unix sockets and loopback.
   * @throws ConfigError CONFIG_BAD_VALUE, naming the entry that is neither.
   */
  constructor(allowedClients: readonly string[]) {
    this.#configured = allowedClients;
    for (const entry of [...LOOPBACK, ...allowedClients]) {
      const block = parseBlock(entry);
      if (block === undefined) {
        throw new ConfigError("CONFIG_BAD_VALUE", `${JSON.stringify(entry)} is no address and no CIDR block`, {
          key: "allowed_clients",
        });
      }
      this.#allowed[block.family].addSubnet(block.address, block.prefix, block.family);
    }
  }

  /** To be asked when a connection has been accepted, before its first byte is looked at. */
  allows(socket: Socket): boolean {
    return socket.remoteAddress === undefined ? isUnix(socket) : this.covers(socket.remoteAddress);
  }

  /** Whether connections from that IP address are let in. */
  covers(address: string): boolean {
    const peer = canonical(address);
    return peer !== undefined && this.#allowed[peer.family].check(peer.address, peer.family);
  }

  /** The line for the log when a peer was not allowed, with the setting that would let it in. */
  describe(socket: Socket): string {
    const peer = canonical(socket.remoteAddress ?? "");
    if (peer === undefined) return "refused a connection whose peer had left before it could be told who it was";
    const setting = [...this.#configured, peer.address].join(" ");
    return `refused a connection from ${peer.address}; if that is your web server, set: allowed_clients = ${setting}`;
  }
}

type Family = "ipv4" | "ipv6";

/** A TCP peer that has reset the connection has no address any more either, but its socket still has ours. */
function isUnix(socket: Socket): boolean {
  return !socket.destroyed && socket.localAddress === undefined;
}

/** IPv4 in IPv6 dress (`::ffff:10.0.0.1`) as IPv4, without zone (`%eth0`), in one spelling. */
function canonical(text: string): { address: string; family: Family } | undefined {
  const [plain = ""] = text.split("%", 1);
  const version = isIP(plain);
  if (version === 0) return undefined;
  if (version === 4) return { address: plain, family: "ipv4" };
  const { address } = new SocketAddress({ address: plain, family: "ipv6" });
  const mapped = /^::ffff:([\d.]+)$/.exec(address)?.[1];
  return mapped === undefined ? { address, family: "ipv6" } : { address: mapped, family: "ipv4" };
}

function parseBlock(entry: string): { address: string; family: Family; prefix: number } | undefined {
  const match = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry);
  const block = canonical(match?.[1] ?? "");
  if (match === null || block === undefined) return undefined;
  const written = match[1]?.includes(":") === true ? 128 : 32;
  const bits = block.family === "ipv6" ? 128 : 32;
  // A block of mapped addresses counts the 96 bits in front of the IPv4 address.
  const prefix = Number(match[2] ?? written) - (written - bits);
  return prefix >= 0 && prefix <= bits ? { ...block, prefix } : undefined;
}
