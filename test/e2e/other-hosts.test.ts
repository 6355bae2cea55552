/** A web server on another host than the app: each in a network namespace of its own. Needs root, on Linux. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { HAS_NETWORK, Network, type NetworkHost } from "../support/network.ts";
import { type Protocol, SupervisedServer } from "../support/supervised.ts";

const BIN = fileURLToPath(new URL("../../bin/propylon.js", import.meta.url));
const PROTOCOLS: readonly Protocol[] = ["fastcgi", "scgi", "ajp"];
const MODES = ["single", "thread", "fork"] as const;
/** AJP is not spoken beyond this machine without one. */
const SECRET = "of-the-test";

if (!HAS_NETWORK) console.warn("SKIPPED: web servers on other hosts; that needs root and network namespaces");

describe.skipIf(!HAS_NETWORK)("a web server on another host", () => {
  let network: Network;
  let server: SupervisedServer | undefined;

  beforeAll(() => void (network = Network.create(3)));
  afterAll(() => network?.remove());
  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });

  const cases = MODES.flatMap((mode) => PROTOCOLS.map((protocol) => ({ mode, protocol })));
  it.for(cases)("is served over $protocol in $mode mode if allowed_clients names it, and no other is", async (kind) => {
    const [app, front, stranger] = network.hosts as [NetworkHost, NetworkHost, NetworkHost];
    const secret: Record<string, string> = kind.protocol === "ajp" ? { secret: SECRET } : {};
    server = await SupervisedServer.start({
      ...{ ...kind, host: app },
      server: { allowed_clients: `${front.address}/32`, ...secret },
    });
    expect(await ask(front, server)).toEqual({ code: 0, out: expect.stringContaining('"version":"0"') as unknown });
    const refused = await ask(stranger, server);
    expect(refused.code).toBe(1);
    const name = `refused a connection from ${stranger.address}`;
    await server.said(new RegExp(`${name}.*allowed_clients = ${front.address}/32 ${stranger.address}`));
    expect(await ask(front, server)).toMatchObject({ code: 0 });
  });

  it.for([
    ["0/24", 0],
    ["2/31", 1],
  ] as const)(
    "is served if allowed_clients names the network, or the part of it, that it is in: %s",
    async ([range, code]) => {
      // They are .2, .3 and .4 of a network of /24.
      const [app, front, outermost] = network.hosts as [NetworkHost, NetworkHost, NetworkHost];
      const allowed = front.address.replace(/\d+$/, range);
      server = await SupervisedServer.start({ mode: "single", host: app, server: { allowed_clients: allowed } });
      expect(await ask(front, server)).toMatchObject({ code: 0 });
      expect(await ask(outermost, server)).toMatchObject({ code });
    },
  );

  it("is refused where nobody is named, and told which setting would let it in", async () => {
    const [app, front] = network.hosts as [NetworkHost, NetworkHost];
    server = await SupervisedServer.start({ mode: "single", host: app });
    expect((await ask(front, server)).code).toBe(1);
    await server.said(new RegExp(`allowed_clients = ${front.address}`));
  });

  it("cannot reach an app on loopback", async () => {
    const [app, front] = network.hosts as [NetworkHost, NetworkHost];
    const local = { name: app.name, address: "127.0.0.1" };
    server = await SupervisedServer.start({ mode: "single", host: local });
    expect((await ask(local, server)).code).toBe(0);
    const missed = await ask(front, server, app.address);
    expect(missed.code).toBe(1);
    expect(server.output).not.toContain("refused");
  });

  /** `propylon request`, run on `from`. */
  async function ask(
    from: NetworkHost,
    { target, file }: SupervisedServer,
    address = (target as { host: string }).host,
  ): Promise<{ code: number | null; out: string }> {
    const args = ["request", file, "/who", "--host", address, "--port", String((target as { port: number }).port)];
    const command = ["netns", "exec", from.name, process.execPath, BIN, ...args];
    const child = spawn("ip", command, { stdio: ["ignore", "pipe", "ignore"] });
    const [out, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    return { code: code as number | null, out };
  }
});
