/** Other hosts, for the tests: network namespaces of this machine on a bridge of their own. Linux and root only. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

/** One of them: what is started by `ip netns exec NAME` sees no other network. */
export interface NetworkHost {
  readonly name: string;
  readonly address: string;
}

/** A private range that hardly anybody uses; the third byte is the network's. */
const RANGE = "10.213";

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** Whether namespaces can be made here. */
export const HAS_NETWORK: boolean = ((): boolean => {
  const probe = `propylon-probe-${process.pid}`;
  try {
    ip("netns", "add", probe);
    ip("netns", "del", probe);
    return true;
  } catch {
    return false;
  }
})();

const bridgeOf = (id: number): string => `ppl${id}`;

/** Others may be at it too. */
function freeId(): number {
  for (let id = 1; id < 255; id++) if (!existsSync(`/sys/class/net/${bridgeOf(id)}`)) return id;
  throw new Error("there is no network left; `ip link` shows those of tests that were killed: ppl…");
}

export class Network {
  /** This machine, as the hosts see it. */
  readonly address: string;
  readonly hosts: readonly NetworkHost[];
  readonly #bridge: string;

  private constructor(bridge: string, address: string, hosts: readonly NetworkHost[]) {
    this.#bridge = bridge;
    this.address = address;
    this.hosts = hosts;
  }

  /** @throws Error with what `ip` says */
  static create(count: number): Network {
    const id = freeId();
    const bridge = bridgeOf(id);
    const address = `${RANGE}.${id}.1`;
    const hosts = Array.from({ length: count }, (_, i) => ({
      name: `${bridge}h${i}`,
      address: `${RANGE}.${id}.${i + 2}`,
    }));
    const network = new Network(bridge, address, hosts);
    ip("link", "add", bridge, "type", "bridge");
    ip("addr", "add", `${address}/24`, "dev", bridge);
    ip("link", "set", bridge, "up");
    for (const host of hosts) {
      ip("netns", "add", host.name);
      ip("link", "add", host.name, "type", "veth", "peer", "name", "eth0", "netns", host.name);
      ip("link", "set", host.name, "master", bridge, "up");
      ip("-n", host.name, "addr", "add", `${host.address}/24`, "dev", "eth0");
      ip("-n", host.name, "link", "set", "eth0", "up");
      ip("-n", host.name, "link", "set", "lo", "up");
    }
    return network;
  }

  /** Pulls the cable of a host, or puts it back. */
  plug({ name }: NetworkHost, connected: boolean): void {
    ip("link", "set", name, connected ? "up" : "down");
  }

  /** Nothing is left of it, whatever of it was there. */
  remove(): void {
    for (const args of [
      ...this.hosts.flatMap(({ name }) => [
        ["link", "del", name],
        ["netns", "del", name],
      ]),
      ["link", "del", this.#bridge],
    ]) {
      try {
        ip(...args);
      } catch {
        // It is not there.
      }
    }
  }
}
