import { describe, expect, it } from "vitest";

import { get, head, HELLO_HEAD, pause, record, start, stdin, STDIN, TestApp, until } from "./support.ts";

const MIB = 1024 * 1024;

describe("demand", () => {
  it("stops reading an upload at bodyHighWater and goes on with the app", async () => {
    const app = new TestApp((exchange) => {
      exchange.reads = false;
      exchange.keeps = false;
    });
    const { open } = await start(app, { options: { bodyHighWater: 256 * 1024 } });
    const peer = await open();
    const total = 32 * MIB;
    peer.send(head({ variables: { CONTENT_LENGTH: String(total) } }));
    const piece = Buffer.concat(stdin(Buffer.alloc(MIB)));
    for (let i = 0; i < 32; i++) peer.socket.write(piece);
    peer.send(record(STDIN, 1));
    const exchange = await app.exchange();
    let most = 0;
    let credited = 0;
    while (!exchange.bodyEnded) {
      await new Promise(setImmediate);
      const waiting = exchange.received - credited;
      most = Math.max(most, waiting);
      credited += waiting;
      if (waiting > 0) exchange.response.send({ type: "credit", bytes: waiting });
    }
    expect(exchange.received).toBe(total);
    expect(most).toBeLessThan(256 * 1024 + 128 * 1024);
    exchange.hello();
    await peer.ended1();
  });

  it("gives an app that writes credit only as the web server reads", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app)).open();
    peer.socket.pause();
    peer.send(get());
    const exchange = await app.exchange();
    exchange.sendHead("Status: 200 OK\r\n\r\n");
    const chunk = Buffer.alloc(64 * 1024, "d");
    const total = 32 * MIB;
    let sent = 0;
    const write = (): void => {
      while (sent < total && sent - exchange.credited < 256 * 1024) {
        exchange.write(chunk);
        sent += chunk.length;
      }
      if (sent === total) exchange.end();
    };
    exchange.onEvent = write;
    write();
    await pause(100);
    const before = sent;
    expect(before).toBeLessThan(16 * MIB);
    await pause(50);
    expect(sent).toBe(before);
    peer.socket.removeAllListeners("data");
    let got = 0;
    peer.socket.on("data", (bytes: Buffer) => (got += bytes.length));
    peer.socket.resume();
    await until(() => exchange.credited === total, "all credit");
    await peer.closes();
    expect(got).toBeGreaterThan(total);
  });

  it("reads no further requests from a peer that does not read its answers", async () => {
    const app = new TestApp((exchange) => {
      exchange.sendHead("Status: 200 OK\r\n\r\n");
      exchange.write(Buffer.alloc(100_000));
      exchange.end();
    });
    const { open } = await start(app, { options: { writeHighWater: 200_000 } });
    const peer = await open();
    peer.socket.pause();
    const many = 8000;
    const one = get({ keep: true });
    for (let i = 0; i < many; i += 100) peer.socket.write(Buffer.concat(Array.from({ length: 100 }, () => one)));
    await pause(200);
    // Two pieces of 64 KiB are in hand: one that was read, and the one that was being read when the reading stopped.
    const inHand = Math.ceil(131_072 / one.length);
    expect(app.exchanges.length).toBeLessThanOrEqual(inHand);
    peer.socket.removeAllListeners("data").resume();
    await until(() => app.exchanges.length > inHand, "more requests");
  });

  it("sends small pieces of one tick in one record, large ones whole and in order", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app)).open();
    peer.send(get());
    const exchange = await app.exchange();
    exchange.sendHead("Status: 200 OK\r\n\r\n");
    for (let i = 0; i < 100; i++) exchange.write(`${i},`);
    exchange.write(Buffer.alloc(300_000, "L"));
    exchange.write("tail");
    exchange.end();
    await peer.closes();
    const numbers = Array.from({ length: 100 }, (_, i) => `${i},`).join("");
    expect(peer.stdout()).toBe(`Status: 200 OK\r\n\r\n${numbers}${"L".repeat(300_000)}tail`);
    expect(peer.records.length).toBeLessThan(12);
    expect(exchange.credited).toBe(numbers.length + 300_004);
  });
});

describe("a multiplexed connection", () => {
  const options = { multiplexed: true, bodyHighWater: 64 * 1024 };

  it("carries many requests at a time, answered in any order", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, { options })).open();
    const ids = [1, 2, 3, 500, 65_535];
    for (const id of ids) peer.send(head({ id, keep: true, variables: { CONTENT_LENGTH: "4" } }));
    for (const id of ids) peer.send(...stdin(`b${id}`.padEnd(4).slice(0, 4), id));
    for (const id of ids) peer.send(record(STDIN, id));
    await until(() => app.exchanges.length === 5 && app.exchanges.every(({ bodyEnded }) => bodyEnded), "all requests");
    expect(app.exchanges.map(({ head: { multiplexed } }) => multiplexed)).toEqual([true, true, true, true, true]);
    for (const exchange of [...app.exchanges].reverse()) {
      exchange.sendHead();
      exchange.write(exchange.body.slice(0, 4));
      exchange.end();
    }
    for (const id of ids) await peer.ended1(id);
    for (const id of ids) expect(peer.stdout(id)).toBe(HELLO_HEAD + `b${id}`.padEnd(4).slice(0, 4));
    expect(peer.ended).toBe(false);
  });

  it("is held up by a full request for muxStall at most: that one alone is aborted, 503", async () => {
    const app = new TestApp((exchange) => (exchange.reads = app.exchanges.length > 1));
    const { open, gateway } = await start(app, { options: { ...options, muxStall: 60 } });
    const peer = await open();
    peer.send(head({ id: 1, keep: true }), head({ id: 2, keep: true }));
    peer.send(...stdin(Buffer.alloc(400_000), 1), ...stdin("small", 2), record(STDIN, 2), record(STDIN, 1));
    const [stuck, neighbour] = [await app.exchange(0), await app.exchange(1)];
    await until(() => neighbour.bodyEnded, "the neighbour's body");
    expect(stuck.aborted).toBe("MUX_STALLED");
    expect(neighbour.aborted).toBe(undefined);
    neighbour.hello();
    await peer.ended1(2);
    await peer.ended1(1);
    expect(peer.stdout(1)).toContain("Status: 503 ");
    expect(gateway.counters["muxStalls"]).toBe(1);
  });

  it("does not count the pause against the neighbours' bodies", async () => {
    const app = new TestApp((exchange) => (exchange.reads = app.exchanges.length > 1));
    const { open } = await start(app, { options: { ...options, muxStall: 400, bodyTimeout: 80 } });
    const peer = await open();
    peer.send(head({ id: 1, keep: true }), head({ id: 2, keep: true }));
    peer.send(...stdin(Buffer.alloc(400_000), 1), ...stdin("small", 2), record(STDIN, 2));
    const neighbour = await app.exchange(1);
    await until(() => neighbour.bodyEnded, "the neighbour's body");
    expect(neighbour.aborted).toBe(undefined);
  });

  it("lets a neighbour download while another one has unread credit", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, { options })).open();
    peer.send(get({ id: 1, keep: true }), get({ id: 2, keep: true }));
    const [first, second] = [await app.exchange(0), await app.exchange(1)];
    first.sendHead("Status: 200 OK\r\n\r\n");
    first.write(Buffer.alloc(2 * MIB));
    second.hello();
    await peer.ended1(2);
    first.end();
    await peer.ended1(1);
    expect(first.credited).toBe(2 * MIB);
    expect(second.credited).toBe(5);
  });

  it("is closed where more requests are open than maxIdsPerConnection", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app, { options: { ...options, maxIdsPerConnection: 4 } });
    const peer = await open();
    for (let id = 1; id <= 5; id++) peer.send(get({ id, keep: true }));
    await peer.closes();
    expect(app.exchanges.length).toBe(4);
    expect(app.exchanges.every(({ aborted }) => aborted === "CONNECTION_LOST")).toBe(true);
    expect(gateway.counters["protocolErrors"]).toBe(1);
  });

  it("closes after the last answer where a request did not ask for keeping", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, { options })).open();
    peer.send(get({ id: 1, keep: false }), get({ id: 2, keep: true }));
    const [first, second] = [await app.exchange(0), await app.exchange(1)];
    first.hello();
    await peer.ended1(1);
    expect(peer.ended).toBe(false);
    second.hello();
    await peer.ended1(2);
    await peer.closes();
  });
});
