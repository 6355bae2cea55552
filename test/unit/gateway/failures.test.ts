import { describe, expect, it } from "vitest";

import type { FailStatus } from "../../../src/exchange.ts";
import { get, HELLO_HEAD, post, scgi, start, TestApp } from "./support.ts";

const COMPLETE = 0;
const OVERLOADED = 2;

function failing(status: FailStatus): TestApp {
  return new TestApp((exchange) => exchange.response.send({ type: "fail", status }));
}

describe("a request that nobody answers", () => {
  it.each([
    [500, COMPLETE, "appFailures"],
    [503, OVERLOADED, "queueRefusals"],
    [504, COMPLETE, "stalledRequests"],
  ] as const)("is answered %i, with protocolStatus %i, and counted as %s", async (status, protocolStatus, counter) => {
    const app = failing(status);
    const { open, gateway } = await start(app);
    const peer = await open();
    peer.send(get({ keep: true }));
    await peer.ended1();
    expect(peer.stdout()).toMatch(new RegExp(`^Status: ${status} `));
    expect(peer.stdout().includes("\r\nRetry-After: 1\r\n")).toBe(status === 503);
    expect(peer.ends()).toEqual([{ appStatus: 0, protocolStatus }]);
    const counts = { appFailures: 0, queueRefusals: 0, stalledRequests: 0, [counter]: 1 };
    expect(gateway.counters).toMatchObject({ ...counts, refusedRequests: 1, brokenAnswers: 0 });

    app.handle = (exchange) => exchange.hello();
    peer.send(get({ keep: true }));
    await peer.ended1(1, 2);
    expect(peer.stdout().endsWith(`${HELLO_HEAD}hello`)).toBe(true);
    expect(peer.ends()[1]).toEqual({ appStatus: 0, protocolStatus: COMPLETE });
  });

  it("is answered 503 with Retry-After over SCGI too", async () => {
    const peer = await (await start(failing(503), { protocol: "scgi" })).open();
    peer.send(scgi());
    await peer.closes();
    expect(peer.text).toMatch(/^Status: 503 [^]*\r\nRetry-After: 1\r\n/);
  });

  it("is told from one that ends too slowly: 503 for a connection that it held up is no overload", async () => {
    const app = new TestApp((exchange) => void (exchange.reads = false));
    const options = { multiplexed: true, bodyHighWater: 1024, muxStall: 40 };
    const { open, gateway } = await start(app, { options });
    const peer = await open();
    peer.send(post("x".repeat(4096), { keep: true }));
    await peer.ended1();
    expect(peer.stdout()).toMatch(/^Status: 503 /);
    expect(peer.ends()).toEqual([{ appStatus: 0, protocolStatus: COMPLETE }]);
    expect(gateway.counters).toMatchObject({ muxStalls: 1, queueRefusals: 0 });
  });

  it("breaks the answer off where its head has left", async () => {
    const app = new TestApp((exchange) => {
      exchange.sendHead("Status: 200 OK\r\n\r\n");
      exchange.write("half");
      exchange.response.send({ type: "fail", status: 504 });
    });
    const { open, gateway } = await start(app, { unix: true });
    const peer = await open();
    peer.send(get());
    await peer.closes();
    expect(peer.ends()).toEqual([]);
    expect(gateway.counters).toMatchObject({ stalledRequests: 1, brokenAnswers: 1 });
  });
});
