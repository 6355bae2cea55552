/** One app on two addresses of this machine behind one web server; several-hosts.test.ts has hosts of their own. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { describe, expect, it, vi } from "vitest";

import { createServer } from "../../dist/index.js";
import { INSTALLED, type ServerName, freePort, startWebServer } from "../support/front.ts";
import { call } from "../support/http-client.ts";

const TWO_HOSTS: readonly (readonly [ServerName, string])[] = [
  ["nginx", "examples/nginx/fastcgi-two-hosts.conf"],
  ["apache", "apache-examples/mod_proxy_balancer-fcgi-two-hosts.conf"],
  ["haproxy", "examples/haproxy/fastcgi-two-hosts.cfg"],
  ["caddy", "examples/caddy/fastcgi-two-hosts.Caddyfile"],
];
const BOTH = new Set(["200 first", "200 second"]);
/** Clients that ask all the time. */
const CLIENTS = 4;
/** How long one gateway is away, in milliseconds, and how soon it is found again. */
const AWAY = 500;
const FOUND = { timeout: 10_000, interval: 50 };

/** Answers with its name. The function that is returned lets it finish what it has and ends it. */
async function startGateway(name: string, port: number, host: string): Promise<() => Promise<void>> {
  const server = createServer((_req, res) => void res.end(name), { protocol: "fastcgi" });
  server.listen(port, host);
  await once(server, "listening");
  return async () => await new Promise((resolve) => void server.close(() => resolve()));
}

describe.concurrent("two gateways", () => {
  it.for(TWO_HOSTS)(
    "lose no GET behind %s while one of them is away, and both serve again",
    async ([name, file], t) => {
      t.skip(!INSTALLED.has(name), `${name} is not installed`);
      const port = await freePort();
      const [HOST_1, HOST_2] = ["127.0.0.1", "127.0.0.2"];
      let stopFirst = await startGateway("first", port, HOST_1);
      const stopSecond = await startGateway("second", port, HOST_2);
      const config = fileURLToPath(new URL(`../../${file}`, import.meta.url));
      const front = await startWebServer({ name, config, values: { BACKEND_PORT: port, HOST_1, HOST_2 } });
      const ask = async (): Promise<string> => {
        const { status, body } = await call(front.url, { path: "/" });
        return `${status} ${String(body)}`;
      };
      const [all, lately] = [new Set<string>(), new Set<string>()];
      let over = false;
      const client = async (): Promise<void> => {
        while (!over) {
          const answer = await ask().catch(String);
          all.add(answer);
          lately.add(answer);
        }
      };
      const clients = Array.from({ length: CLIENTS }, client);
      try {
        await vi.waitFor(() => expect(lately).toEqual(BOTH), FOUND);
        await stopFirst();
        // What was under way when it ended may still come from it.
        await new Promise((resolve) => setTimeout(resolve, AWAY / 2));
        lately.clear();
        await new Promise((resolve) => setTimeout(resolve, AWAY / 2));
        expect(lately).toEqual(new Set(["200 second"]));
        stopFirst = await startGateway("first", port, HOST_1);
        await vi.waitFor(() => expect(lately).toEqual(BOTH), FOUND);
        expect(all).toEqual(BOTH);
      } finally {
        over = true;
        await Promise.allSettled(clients);
        await front.stop();
        await Promise.all([stopFirst(), stopSecond()]);
      }
    },
  );
});
