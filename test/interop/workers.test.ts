/** Both worker modes on every Node: requests of all kinds, one fault, a reload, the queue. */
import { connect } from "node:net";
import { text } from "node:stream/consumers";

import { afterEach, describe, expect, it } from "vitest";

import { FastCgiClient } from "../../dist/client/fastcgi-client.js";
import { FastCgiClientReader } from "../../dist/protocol/fastcgi/client-reader.js";
import { FastCgiClientWriter } from "../../dist/protocol/fastcgi/client-writer.js";
import { BusyConnections } from "../support/busy-connections.ts";
import { type Mode, type Protocol, SupervisedServer, sleep, until, variables } from "../support/supervised.ts";

const MODES: readonly Mode[] = ["thread", "fork"];
const cases = MODES.flatMap((mode) =>
  (["fastcgi", "scgi"] as const).map((protocol): [Mode, Protocol] => [mode, protocol]),
);

let server: SupervisedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

describe("worker modes", { timeout: 60_000 }, () => {
  it.for(cases)(
    "%s over %s: small and large answers, uploads, a worker that exits, a reload",
    async ([mode, protocol]) => {
      server = await SupervisedServer.start({
        mode,
        protocol,
        server: { pm: "static", maxThreads: 2, maxChildren: 2 },
      });
      expect(await server.ask("/a?b=c")).toEqual({ status: 200, body: "hello GET /a?b=c\n" });
      expect((await server.ask("/download?n=3000000")).body.length).toBe(3_000_000);
      const upload = await server.ask("/upload", { method: "POST", body: Buffer.alloc(3_000_000, "u") });
      expect(upload).toEqual({ status: 200, body: "3000000\n" });
      expect((await server.ask("/throw")).status).toBe(500);

      const busy = new BusyConnections(server.target, protocol, { count: 4, perConnection: 20 });
      const reply = await server.try("/exit");
      expect("error" in reply ? "lost" : reply.status).toBe(mode === "thread" ? 500 : "lost");
      const seen = new Set<string>();
      await until(
        async () => {
          const { pid, thread } = await server!.who();
          return seen.add(`${pid} ${thread}`).size >= 2;
        },
        () => "two workers",
      );
      await busy.stop();
      const failed = busy.failures.length;
      // The four that were busy may all have been the culprit's.
      expect(failed).toBeLessThanOrEqual(4);

      await server.configure({ app: { version: 2 } });
      await server.reload();
      expect((await server.who()).version).toBe("2");
      expect(await server.stop()).toBe(0);
    },
  );

  it("thread: one multiplexed connection spreads over all threads", async () => {
    const pool = { pm: "static", maxThreads: 2, multiplexed: "true" };
    server = await SupervisedServer.start({ mode: "thread", transport: "tcp", server: pool });
    const socket = connect(server.target as { port: number });
    const reader = new FastCgiClientReader();
    const bodies = new Map<number, string>();
    let ended = 0;
    socket.on("data", (chunk) => {
      reader.receive(chunk);
      for (let event = reader.nextEvent(); event !== null; event = reader.nextEvent()) {
        if (event.type === "stdout")
          bodies.set(event.requestId, (bodies.get(event.requestId) ?? "") + Buffer.from(event.content).toString());
        else if (event.type === "endRequest") ended++;
      }
    });
    const writer = new FastCgiClientWriter();
    for (let requestId = 1; requestId <= 8; requestId++) {
      for (const event of [
        { type: "beginRequest", requestId, role: 1, keepConn: true },
        { type: "params", requestId, pairs: variables("/wait?n=100") },
        { type: "paramsEnd", requestId },
        { type: "stdinEnd", requestId },
      ] as const) {
        writer.send(event);
      }
    }
    for (const bytes of writer.take()) socket.write(bytes);
    await until(
      () => ended === 8,
      () => "eight answers",
    );
    socket.destroy();
    expect(new Set(Array.from(bodies.values(), (body) => body.trim().split("\n").at(-1))).size).toBe(2);
  });

  it("thread: a body that the app does not read holds up nothing on the same connection", async () => {
    server = await SupervisedServer.start({ mode: "thread", server: { pm: "static", maxThreads: 1 } });
    const client = new FastCgiClient(server.target, { maxConnections: 1 });
    for (const size of [1000, 262_144, 280_000, 300_000, 1_000_000]) {
      const body = Buffer.alloc(size, "b");
      const answer = await client.request({ params: variables("/a", "POST", size), body, headTimeout: 10_000 });
      expect([answer.status, await text(answer.body)]).toEqual([200, "hello POST /a\n"]);
    }
    client.close();
  });

  it("thread: a full queue is answered 503, and so is a request that has waited too long", async () => {
    server = await SupervisedServer.start({
      mode: "thread",
      server: { pm: "static", maxThreads: 1, concurrency: 1, queue_limit: 2, queue_timeout: "500ms" },
    });
    const replies = await Promise.all(Array.from({ length: 5 }, async () => await server!.ask("/wait?n=1500")));
    const count = (status: number): number => replies.filter((reply) => reply.status === status).length;
    expect([count(200), count(503)]).toEqual([1, 4]);
    expect((await server.ask("/a")).status).toBe(200);
  });

  it("thread: the pool grows while requests wait, and shrinks again", async () => {
    server = await SupervisedServer.start({
      mode: "thread",
      server: { minSpare: 1, maxSpare: 1, maxThreads: 3, concurrency: 1, queue_timeout: "20s" },
    });
    const workers = new Set<string>();
    // A machine under load may take long to start a thread.
    for (let round = 0; workers.size < 3 && round < 10; round++) {
      const replies = await Promise.all(Array.from({ length: 9 }, async () => await server!.ask("/wait?n=300")));
      expect(replies.every(({ status }) => status === 200)).toBe(true);
      for (const { body } of replies) workers.add(body);
    }
    expect(workers.size).toBe(3);
    await until(
      () => server!.output.match(/retires: surplus/g)?.length === 2,
      () => `two to go\n${server!.output}`,
    );
  });

  it("thread, on demand: without requests no thread stays", async () => {
    server = await SupervisedServer.start({ mode: "thread", server: { pm: "ondemand", idle_timeout: "500ms" } });
    await until(
      () => /retires: idle/.test(server!.output),
      () => `the first to go\n${server!.output}`,
    );
    expect((await server.ask("/a")).status).toBe(200);
  });

  it("fork, on demand: the last process stays, since nobody else would hear of a request", async () => {
    server = await SupervisedServer.start({ mode: "fork", server: { pm: "ondemand", idle_timeout: "500ms" } });
    expect(await server.children()).toHaveLength(1);
    await sleep(1500);
    expect((await server.ask("/a")).status).toBe(200);
    expect(await server.children()).toHaveLength(1);
  });
});
