import { describe, expect, it } from "vitest";

import { body, CPING, forward, post as ajpPost } from "../../support/ajp-packets.ts";
import { get, head, HELLO_HEAD, pause, post, record, scgi, start, stdin, TestApp, until } from "./support.ts";

/** A small generator with a seed, so that a failure can be repeated. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

describe("whatever bytes come", () => {
  it.each(["fastcgi", "scgi", "ajp"] as const)("%s: broken requests never disturb the next one", async (protocol) => {
    const app = new TestApp((exchange) => {
      if (app.exchanges.length % 3 === 0) exchange.hello();
    });
    const options = { headerTimeout: 100, firstByteTimeout: 100, drainAfterResponseTime: 50, bodyTimeout: 100 };
    const { open, gateway } = await start(app, { protocol, options });
    const random = randomNumbers(7);
    const whole = {
      fastcgi: Buffer.concat([post("some body", { keep: true }), get()]),
      scgi: Buffer.from(scgi("body")),
      ajp: Buffer.concat([CPING, ajpPost(9), body("some body"), forward()]),
    }[protocol];
    for (let round = 0; round < 60; round++) {
      const bytes = Buffer.from(whole);
      for (let i = 0; i < 1 + round / 6; i++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const peer = await open();
      peer.send(bytes.subarray(0, Math.floor(random() * 1.5 * bytes.length)));
      if (round % 4 === 0) peer.socket.destroy();
      else if (round % 4 === 1) peer.socket.end();
    }
    app.handle = (exchange) => exchange.hello();
    const peer = await open();
    peer.send({ fastcgi: get(), scgi: scgi(), ajp: forward() }[protocol]);
    const hello = protocol === "ajp" ? "hello\0" : `${HELLO_HEAD}hello`;
    await until(() => peer.text.includes(hello), "the answer");
    gateway.closeAllConnections();
    await until(() => peer.ended, "the end");
  });

  it("leaves nothing behind: no connections, each exchange ended once", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app, { options: { multiplexed: true } });
    for (let i = 0; i < 20; i++) {
      const peer = await open();
      peer.send(get({ id: 1, keep: true }), head({ id: 2, keep: true }), ...stdin("part", 2), record(4, 3, "x"));
      await until(() => app.exchanges.length === 2 * (i + 1), "two requests");
      peer.socket.destroy();
    }
    const count = (): Promise<number> =>
      new Promise((resolve) => void gateway.getConnections((_error, connections) => resolve(connections)));
    await until(() => app.exchanges.every(({ aborted }) => aborted === "CONNECTION_LOST"), "all aborts");
    await pause(20);
    expect(await count()).toBe(0);
    const aborts = app.exchanges.map(({ events }) => events.filter(({ type }) => type === "abort").length);
    expect(aborts.every((number) => number === 1)).toBe(true);
    expect(gateway.counters["connectionsLost"]).toBe(40);
  });

  it("survives an app's end that throws", async () => {
    const app = new TestApp((exchange) => {
      exchange.onEvent = () => {
        throw new Error("the app's end is broken");
      };
    });
    const { open, log } = await start(app);
    const peer = await open();
    peer.send(post("body", { keep: true }));
    const exchange = await app.exchange();
    exchange.onEvent = null;
    exchange.hello();
    await peer.ended1();
    expect(log.join()).toContain("the app's end is broken");
  });
});
