import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";

import { describe, expect, it } from "vitest";

import { get, head, HELLO_HEAD, pause, scgi, start, TestApp, until } from "./support.ts";

describe("a gateway that another one replaces", () => {
  it("serves a kept connection as long as requests come, and closes it when it has been silent", async () => {
    const app = new TestApp();
    const { open, gateway } = await start(app, { options: { retireIdle: 600 } });
    const peer = await open();
    peer.send(get({ keep: true }));
    await peer.ended1();
    let closed = false;
    gateway.retire(() => (closed = true));
    for (let i = 2; i <= 6; i++) {
      await pause(200);
      peer.send(get({ keep: true }));
      await peer.ended1(1, i);
    }
    expect(peer.ended).toBe(false);
    expect(closed).toBe(false);
    const silent = performance.now();
    await peer.closes();
    expect(performance.now() - silent).toBeGreaterThan(450);
    expect(peer.stdout()).toBe(`${HELLO_HEAD}hello`.repeat(6));
    peer.socket.end();
    await until(() => closed, "the last connection to be gone");
    expect(peer.error).toBe(null);
  });

  it("takes no more connections", async () => {
    const { open, gateway } = await start(new TestApp());
    const { port } = gateway.address() as AddressInfo;
    const peer = await open();
    peer.send(get({ keep: true }));
    await peer.ended1();
    gateway.retire();
    const [error] = (await once(connect({ port, host: "127.0.0.1" }), "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
    expect(peer.ended).toBe(false);
  });

  it("gives a connection without a request the same time, and answers what comes in it", async () => {
    const app = new TestApp();
    const { open, gateway } = await start(app, { options: { retireIdle: 500, firstByteTimeout: 60_000 } });
    const [silent, late] = [await open(), await open()];
    await until(() => gateway.connections === 2, "both connections");
    gateway.retire();
    await pause(150);
    expect(silent.ended).toBe(false);
    late.send(get());
    await late.closes();
    expect(late.stdout()).toBe(`${HELLO_HEAD}hello`);
    await silent.closes();
    expect(silent.error).toBe(null);
  });

  it("does not wait for a request that does not end: gracefulTimeout is its bound", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app, { options: { gracefulTimeout: 400, retireIdle: 50 } });
    const peer = await open();
    peer.send(get({ keep: true }));
    const exchange = await app.exchange();
    let closed = false;
    gateway.retire(() => (closed = true));
    await pause(200);
    expect(exchange.aborted).toBe(undefined);
    await until(() => closed, "the end");
    expect(exchange.aborted).toBe("SHUTTING_DOWN");
  });

  it("ends a kept connection with its next answer in the last quarter of gracefulTimeout", async () => {
    const { open, gateway } = await start(new TestApp(), { options: { gracefulTimeout: 2000, retireIdle: 10_000 } });
    const [one, other] = [await open(), await open()];
    for (const peer of [one, other]) {
      peer.send(get({ keep: true }));
      await peer.ended1();
    }
    gateway.retire();
    await pause(1000);
    one.send(get({ keep: true }));
    await one.ended1(1, 2);
    await pause(700);
    expect(one.ended || other.ended).toBe(false);
    one.send(get({ keep: true }));
    await one.closes();
    expect(one.stdout()).toBe(`${HELLO_HEAD}hello`.repeat(3));
    expect(other.ended).toBe(false);
    await other.closes();
  });
});

describe("the requests that a gateway tells of", () => {
  it("have method, URL, id and the time of their beginning", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app);
    expect(gateway.requests).toEqual([]);
    const peer = await open();
    const before = Date.now();
    peer.send(
      head({ variables: { REQUEST_METHOD: "POST", REQUEST_URI: `/${"u".repeat(1000)}`, CONTENT_LENGTH: "3" } }),
    );
    const { head: request } = await app.exchange();
    const after = Date.now();
    const [report, ...others] = gateway.requests;
    expect(others).toEqual([]);
    expect(report).toMatchObject({ id: request.id, method: "POST", worker: null });
    expect(report!.url).toBe(`/${"u".repeat(255)}`);
    // The gateway's clock is coarse: a tick of at most 250 ms.
    expect(report!.since).toBeGreaterThan(before - 600);
    expect(report!.since).toBeLessThan(after + 600);
  });

  it("are those that are not answered, the oldest first", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app, { protocol: "scgi", options: { firstByteTimeout: 60 } });
    for (const [index, path] of ["/one", "/two"].entries()) {
      (await open()).send(scgi("", 0, { REQUEST_URI: path }));
      await app.exchange(index);
      await pause(100);
    }
    expect(gateway.requests.map(({ url }) => url)).toEqual(["/one", "/two"]);
    expect(new Set(gateway.requests.map(({ id }) => id)).size).toBe(2);
    app.exchanges[0]!.hello();
    await until(() => gateway.requests.length === 1, "the answer");
    expect(gateway.requests[0]!.url).toBe("/two");
  });
});
