import { type AddressInfo, connect } from "node:net";
import { buffer } from "node:stream/consumers";

import { describe, expect, it } from "vitest";

import { get, GET_VALUES, head, HELLO_HEAD, pause, post, record, start, stdin, TestApp, until } from "./support.ts";

describe("a web server that leaves", () => {
  it.each([false, true])("aborts the request that the app works on (Unix socket: %s)", async (unix) => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app, { unix });
    const peer = await open();
    peer.send(get());
    const exchange = await app.exchange();
    peer.socket.destroy();
    await until(() => exchange.aborted !== undefined, "the abort");
    expect(exchange.aborted).toBe("CONNECTION_LOST");
    exchange.hello();
    expect(exchange.credited).toBe(0);
    expect(gateway.counters).toMatchObject({ aborted: 1, connectionsLost: 1 });
  });

  it("aborts in mid-body as well", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app)).open();
    peer.send(head({ variables: { CONTENT_LENGTH: "10" } }), ...stdin("half"));
    const exchange = await app.exchange();
    await until(() => exchange.body === "half", "the half");
    peer.socket.resetAndDestroy();
    await until(() => exchange.aborted !== undefined, "the abort");
    expect(exchange.bodyEnded).toBe(false);
  });

  it("aborts an answer that has not left yet", async () => {
    const app = new TestApp((exchange) => {
      exchange.sendHead("Status: 200 OK\r\n\r\n");
      exchange.write(Buffer.alloc(20_000_000));
      exchange.end();
    });
    const peer = await (await start(app)).open();
    peer.socket.pause();
    peer.send(get());
    const exchange = await app.exchange();
    await pause(30);
    peer.socket.resetAndDestroy();
    await until(() => exchange.aborted !== undefined, "the abort");
    expect(exchange.credited).toBe(0);
  });

  it("is told from one that only ends its sending side by the option halfClose", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, { options: { halfClose: true } })).open();
    peer.socket.end(get());
    const exchange = await app.exchange();
    await pause(30);
    expect(exchange.aborted).toBe(undefined);
    exchange.hello();
    await peer.closes();
    expect(peer.stdout()).toBe(`${HELLO_HEAD}hello`);
    expect(peer.ends().length).toBe(1);
  });

  it("still gets the answer that was complete when it ended its side", async () => {
    const app = new TestApp((exchange) => {
      exchange.sendHead("Status: 200 OK\r\n\r\n");
      exchange.write(Buffer.alloc(9_000_000, "a"));
      exchange.end();
    });
    const peer = await (await start(app)).open();
    peer.socket.end(get({ keep: true }));
    await peer.closes();
    expect(peer.stdout().length).toBe("Status: 200 OK\r\n\r\n".length + 9_000_000);
    expect(peer.ends().length).toBe(1);
  });
});

describe("an answer that breaks off after its head", () => {
  const broken = (): TestApp =>
    new TestApp((exchange) => {
      exchange.sendHead("Status: 200 OK\r\n\r\n");
      exchange.write("half");
      setTimeout(() => exchange.response.send({ type: "fail", status: 500 }), 20);
    });

  it("resets a TCP connection", async () => {
    const { open, gateway } = await start(broken());
    const peer = await open();
    peer.send(get());
    await until(() => peer.closed, "the reset");
    expect(peer.error?.code).toBe("ECONNRESET");
    expect(peer.ends()).toEqual([]);
    expect(gateway.counters["brokenAnswers"]).toBe(1);
  });

  it("ends in a record of an invalid version on a Unix socket", async () => {
    const peer = await (await start(broken(), { unix: true })).open();
    peer.send(get());
    await peer.closes();
    expect(peer.stdout()).toMatch(/half$/);
    expect(peer.ends()).toEqual([]);
    expect(peer.text.endsWith("\xff".repeat(8))).toBe(true);
  });

  it("says so even behind output that has not left", async () => {
    const app = new TestApp((exchange) => {
      exchange.sendHead("Status: 200 OK\r\n\r\n");
      exchange.write(Buffer.alloc(5_000_000));
      exchange.response.send({ type: "fail", status: 500 });
    });
    const peer = await (await start(app, { unix: true })).open();
    peer.socket.pause();
    peer.send(get());
    await pause(50);
    peer.socket.resume();
    await peer.closes();
    expect(peer.text.length).toBeGreaterThan(5_000_000);
    expect(peer.text.endsWith("\xff".repeat(8))).toBe(true);
  });

  it("is told by appStatus alone where neighbours share the connection", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, { options: { multiplexed: true } })).open();
    peer.send(get({ id: 1, keep: true }), get({ id: 3, keep: true }));
    const second = await app.exchange(1);
    second.sendHead();
    second.response.send({ type: "fail", status: 500 });
    await peer.ended1(3);
    expect(peer.ends(3)).toEqual([{ appStatus: 1, protocolStatus: 0 }]);
    app.exchanges[0]!.hello();
    await peer.ended1(1);
  });
});

describe("closing the gateway", () => {
  it("closes idle connections and lets a request in hand finish", async () => {
    const app = new TestApp();
    const { open, gateway } = await start(app, { options: { retireIdle: 200 } });
    const idle = await open();
    idle.send(get({ keep: true }));
    await idle.ended1();
    app.handle = () => {};
    const busy = await open();
    busy.send(get({ keep: true }));
    const exchange = await app.exchange(1);
    const closed = new Promise<void>((resolve) => void gateway.close(() => resolve()));
    await idle.closes();
    idle.socket.end();
    expect(busy.ended).toBe(false);
    expect(exchange.aborted).toBe(undefined);
    exchange.hello();
    await busy.closes();
    busy.socket.end();
    expect(busy.stdout()).toBe(`${HELLO_HEAD}hello`);
    await closed;
  });

  it("answers the request that was on its way to it, and closes the connection together with the answer", async () => {
    const { open, gateway } = await start(new TestApp(), { options: { retireIdle: 5000 } });
    const [kept, fresh] = [await open(), await open()];
    kept.send(get({ keep: true }));
    await kept.ended1();
    await until(() => gateway.connections === 2, "both connections");
    const begun = performance.now();
    const closed = new Promise<void>((resolve) => void gateway.close(() => resolve()));
    for (const peer of [kept, fresh]) {
      peer.send(get({ keep: true }));
      await peer.closes();
      peer.socket.end();
    }
    expect(kept.stdout()).toBe(`${HELLO_HEAD}hello`.repeat(2));
    expect(fresh.stdout()).toBe(`${HELLO_HEAD}hello`);
    await closed;
    expect(performance.now() - begun).toBeLessThan(4000);
  });

  it("waits for no request behind a management record for longer than retireIdle", async () => {
    const { open, gateway } = await start(new TestApp(), { options: { retireIdle: 100 } });
    const kept = await open();
    kept.send(get({ keep: true }));
    await kept.ended1();
    const closed = new Promise<void>((resolve) => void gateway.close(() => resolve()));
    kept.send(record(GET_VALUES, 0));
    await kept.closes();
    expect(kept.records.at(-1)!.type).toBe(GET_VALUES + 1);
    kept.socket.end();
    await closed;
  });

  it("answers all connections that waited to be accepted", async () => {
    const { gateway } = await start(new TestApp());
    const { port } = gateway.address() as AddressInfo;
    const sockets = Array.from({ length: 20 }, () => connect({ port, host: "127.0.0.1" }));
    // The system has them then; the event loop has not turned since.
    await new Promise((resolve) => process.nextTick(resolve));
    gateway.close();
    for (const socket of sockets) socket.end(get());
    const answers = await Promise.all(sockets.map(async (socket) => (await buffer(socket)).includes("hello")));
    expect(answers).toEqual(sockets.map(() => true));
  });

  it("closes within gracefulTimeout, however many come", async () => {
    const app = new TestApp((exchange) => {
      // So that the next ones come before this one is over.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      exchange.hello();
    });
    const { gateway } = await start(app, { options: { gracefulTimeout: 1000 } });
    const { port } = gateway.address() as AddressInfo;
    let over = false;
    const ask = (): void => {
      if (over) return;
      const socket = connect({ port, host: "127.0.0.1" }, () => socket.end(get()));
      socket.on("error", () => {}).resume();
      socket.once("close", () => setImmediate(ask));
    };
    for (let i = 0; i < 20; i++) ask();
    await until(() => app.exchanges.length > 20, "some requests");
    const begun = performance.now();
    await new Promise<void>((resolve) => void gateway.close(() => resolve()));
    over = true;
    expect(performance.now() - begun).toBeLessThan(1200);
  });

  it("ends what such a connection asks for after gracefulTimeout, too", async () => {
    const app = new TestApp(() => {});
    const { gateway } = await start(app, { options: { gracefulTimeout: 60 } });
    const { port } = gateway.address() as AddressInfo;
    const socket = connect({ port, host: "127.0.0.1" }).on("error", () => {});
    await new Promise((resolve) => process.nextTick(resolve));
    const closed = new Promise<void>((resolve) => void gateway.close(() => resolve()));
    socket.write(get());
    await closed;
    expect((await app.exchange()).aborted).toBe("SHUTTING_DOWN");
  });

  it("answers 503 on a connection that several requests share, where there may be no last one", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app, { options: { multiplexed: true } });
    const peer = await open();
    peer.send(get({ id: 1, keep: true }));
    const first = await app.exchange();
    gateway.close();
    peer.send(get({ id: 2, keep: true }));
    await peer.ended1(2);
    expect(peer.stdout(2)).toMatch(/^Status: 503 /);
    first.hello();
    await peer.closes();
    expect(peer.stdout(1)).toBe(`${HELLO_HEAD}hello`);
  });

  it("ends what is not finished after gracefulTimeout", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app, { options: { gracefulTimeout: 60 } });
    const peer = await open();
    peer.send(get());
    const exchange = await app.exchange();
    await new Promise<void>((resolve) => void gateway.close(() => resolve()));
    expect(exchange.aborted).toBe("SHUTTING_DOWN");
  });

  it("goes on although it is told to listen before it has closed", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app);
    const peer = await open();
    peer.send(get({ keep: true }));
    const exchange = await app.exchange();
    gateway.close();
    expect(() => gateway.listen({ port: 0 })).toThrow("Listen method");
    expect([gateway.listening, gateway.setting.draining]).toEqual([false, true]);
    exchange.hello();
    await peer.closes();
  });

  it("tells its callback that it was not listening", async () => {
    const { gateway } = await start(new TestApp());
    await new Promise<void>((resolve) => void gateway.close(() => resolve()));
    const error = await new Promise((resolve) => void gateway.close(resolve));
    expect(error).toMatchObject({ code: "ERR_SERVER_NOT_RUNNING" });
  });

  it("closes idle connections, or all, when told to", async () => {
    const app = new TestApp();
    const { open, gateway } = await start(app);
    const idle = await open();
    idle.send(get({ keep: true }));
    await idle.ended1();
    app.handle = () => {};
    const busy = await open();
    busy.send(post("x", { keep: true }));
    await app.exchange(1);
    gateway.closeIdleConnections();
    await idle.closes();
    expect(busy.ended).toBe(false);
    gateway.closeAllConnections();
    await busy.closes();
    expect(app.exchanges[1]!.aborted).toBe("SHUTTING_DOWN");
  });
});
