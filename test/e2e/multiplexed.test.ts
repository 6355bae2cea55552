/** HAProxy with several requests at a time on one FastCGI connection, as its example says. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import { expect, it } from "vitest";

import { createServer } from "../../dist/index.js";
import { INSTALLED, startWebServer } from "../support/front.ts";
import { call } from "../support/http-client.ts";

const CONFIG = fileURLToPath(new URL("../../examples/haproxy/fastcgi-tcp-multiplexed.cfg", import.meta.url));
/** GETs alone: HAProxy 2.6.12 answers a few POSTs in a hundred with 500 on such a connection (its issue 2568). */
const REQUESTS = 20;

it.skipIf(!INSTALLED.has("haproxy"))("HAProxy puts requests that wait for one another on one connection", async () => {
  const waiting: (() => void)[] = [];
  const server = createServer(
    (req, res) => {
      if (req.url === "/first") return void res.end("first");
      waiting.push(() => res.end(req.url));
      if (waiting.length === REQUESTS) for (const answer of waiting) answer();
    },
    { protocol: "fastcgi", multiplexed: true },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const front = await startWebServer({ name: "haproxy", config: CONFIG, values: { BACKEND_PORT: port } });
  try {
    // HAProxy knows how many requests a connection may carry when the first on it has been answered.
    await call(front.url, { path: "/first" });
    const paths = Array.from({ length: REQUESTS }, (_, i) => `/${i}`);
    const answers = await Promise.all(paths.map(async (path) => await call(front.url, { path })));
    expect(answers.map(({ status, body }) => `${status} ${String(body)}`)).toEqual(paths.map((path) => `200 ${path}`));
    expect(server.counters).toMatchObject({ accepted: 1 });
  } finally {
    await front.stop();
    server.close();
  }
});
