import { describe, expect, it } from "vitest";

import { BEGIN, get, head, pause, record, start, stdin, STDIN, TestApp, until } from "./support.ts";

const BEGIN_RECORD = record(BEGIN, 1, Buffer.from([0, 1, 1, 0, 0, 0, 0, 0]));

describe("timeouts", () => {
  it("close a connection that sends nothing within firstByteTimeout", async () => {
    const { open, gateway } = await start(new TestApp(), { options: { firstByteTimeout: 40 } });
    await (await open()).closes();
    expect(gateway.counters["firstByteTimeouts"]).toBe(1);
  });

  it("close a connection that dribbles its first record beyond headerTimeout", async () => {
    const { open, gateway } = await start(new TestApp(), { options: { headerTimeout: 60 } });
    const peer = await open();
    peer.send(BEGIN_RECORD.subarray(0, 3));
    await pause(40);
    peer.send(BEGIN_RECORD.subarray(3, 6));
    await peer.closes();
    expect(gateway.counters["headerTimeouts"]).toBe(1);
  });

  it("answer 408 where the variables are not complete within headerTimeout, and close", async () => {
    const options = { headerTimeout: 60, drainAfterResponseTime: 20 };
    const { open, gateway } = await start(new TestApp(), { options });
    const peer = await open();
    peer.send(BEGIN_RECORD);
    await peer.closes();
    expect(peer.stdout()).toContain("Status: 408 ");
    expect(peer.ends().length).toBe(1);
    expect(gateway.counters["headerTimeouts"]).toBe(1);
  });

  it("answer 408 and abort where the app waits for a body that does not come", async () => {
    const app = new TestApp(() => {});
    const options = { bodyTimeout: 60, drainAfterResponseTime: 20 };
    const peer = await (await start(app, { options })).open();
    peer.send(head({ variables: { CONTENT_LENGTH: "9" } }));
    for (let i = 0; i < 4; i++) {
      await pause(40);
      peer.send(...stdin("x"));
    }
    expect(app.exchanges[0]!.aborted).toBe(undefined);
    await peer.closes();
    expect(app.exchanges[0]!.aborted).toBe("BODY_TIMEOUT");
    expect(peer.stdout()).toContain("Status: 408 ");
  });

  it("do not blame the web server while the app is the one that does not read", async () => {
    const app = new TestApp((exchange) => (exchange.reads = false));
    const { open } = await start(app, { options: { bodyTimeout: 40, bodyHighWater: 1000 } });
    const peer = await open();
    peer.send(head({ variables: { CONTENT_LENGTH: "3000" } }), ...stdin("x".repeat(2000)));
    const exchange = await app.exchange();
    await pause(150);
    expect(exchange.aborted).toBe(undefined);
    exchange.response.send({ type: "credit", bytes: 2000 });
    peer.send(...stdin("x".repeat(1000)), record(STDIN, 1));
    await until(() => exchange.bodyEnded, "the end of the body");
  });

  it("do not wait for a body that is known to be empty, be there an empty STDIN or not", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, { options: { bodyTimeout: 40, drainAfterResponseTime: 20 } })).open();
    peer.send(head({ variables: { CONTENT_LENGTH: "0" } }));
    await pause(150);
    const exchange = await app.exchange();
    expect(exchange.aborted).toBe(undefined);
    exchange.hello();
    await peer.ended1();
  });

  it("end a body slower than minBodyRate once bodyTimeout has passed", async () => {
    const app = new TestApp(() => {});
    const options = { bodyTimeout: 60, minBodyRate: 1000, drainAfterResponseTime: 20 };
    const peer = await (await start(app, { options })).open();
    peer.send(head({ variables: { CONTENT_LENGTH: "999" } }));
    for (let i = 0; i < 20 && app.exchanges[0]?.aborted === undefined; i++) {
      peer.send(...stdin("x"));
      await pause(20);
    }
    expect(app.exchanges[0]!.aborted).toBe("BODY_TIMEOUT");
  });

  it("answer 504 where the app sends no head within requestTimeout, but leave a begun answer alone", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, { options: { requestTimeout: 60 } })).open();
    peer.send(get({ keep: true }));
    await peer.ended1();
    expect(app.exchanges[0]!.aborted).toBe("REQUEST_TIMEOUT");
    expect(peer.stdout()).toContain("Status: 504 ");
    app.handle = (exchange) => exchange.sendHead("Status: 200 OK\r\n\r\n");
    peer.send(get({ keep: true }));
    const streaming = await app.exchange(1);
    await pause(150);
    streaming.write("late");
    streaming.end();
    await peer.ended1(1, 2);
    expect(peer.stdout()).toMatch(/late$/);
  });

  it("end a kept connection that is idle for keepaliveTimeout by a half-close", async () => {
    const { open, gateway } = await start(new TestApp(), { options: { keepaliveTimeout: 60 } });
    const peer = await open();
    peer.send(get({ keep: true }));
    await peer.ended1();
    await peer.closes();
    expect(peer.closed).toBe(false);
    expect(gateway.counters["keepaliveTimeouts"]).toBe(1);
    peer.socket.end();
    await until(() => peer.closed, "the close");
    expect(peer.error).toBe(null);
  });

  it("destroy a connection whose peer takes no bytes for writeStallTimeout", async () => {
    const app = new TestApp((exchange) => {
      exchange.sendHead("Status: 200 OK\r\n\r\n");
      exchange.write(Buffer.alloc(30_000_000));
    });
    const { open, gateway } = await start(app, { options: { writeStallTimeout: 80 } });
    const peer = await open();
    peer.socket.pause();
    peer.send(get());
    const exchange = await app.exchange();
    await until(() => exchange.aborted !== undefined, "the abort");
    expect(exchange.aborted).toBe("WRITE_STALLED");
    expect(gateway.counters["writeStalls"]).toBe(1);
  });

  it("leave a silent event stream alone", async () => {
    const app = new TestApp((exchange) => exchange.sendHead("Status: 200 OK\r\n\r\n"));
    const options = {
      writeStallTimeout: 40,
      keepaliveTimeout: 40,
      bodyTimeout: 40,
      headerTimeout: 40,
      firstByteTimeout: 40,
    };
    const peer = await (await start(app, { options })).open();
    peer.send(get());
    await pause(200);
    const exchange = await app.exchange();
    exchange.write("event");
    await until(() => peer.stdout().endsWith("event"), "the event");
    expect(exchange.aborted).toBe(undefined);
  });
});
