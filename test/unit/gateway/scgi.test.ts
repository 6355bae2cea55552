import { describe, expect, it } from "vitest";

import { HELLO_HEAD, pause, scgi, start, type StartOptions, TestApp, until, valueOf } from "./support.ts";

const SCGI: StartOptions = { protocol: "scgi" };

describe("an SCGI request", () => {
  it("is answered and the connection closed, in one write", async () => {
    const app = new TestApp();
    const peer = await (await start(app, SCGI)).open();
    let chunks = 0;
    peer.socket.on("data", () => chunks++);
    peer.send(scgi());
    await until(() => peer.ended, "the close");
    expect(peer.text).toBe(`${HELLO_HEAD}hello`);
    expect(chunks).toBe(1);
    expect(app.exchanges[0]!.head).toMatchObject({ protocol: "scgi", role: "responder", multiplexed: false });
    expect(valueOf(app.exchanges[0]!.head.params, "REQUEST_URI")).toBe("/");
  });

  it("brings its body, and exactly that: what follows is counted and drained", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app, SCGI);
    const peer = await open();
    peer.send(scgi("body", 4), "extra");
    const exchange = await app.exchange();
    await until(() => exchange.bodyEnded, "the end of the body");
    expect(exchange.body).toBe("body");
    exchange.hello();
    await peer.closes();
    expect(peer.text).toBe(`${HELLO_HEAD}hello`);
    expect(peer.error).toBe(null);
    expect(gateway.counters["extraBytes"]).toBe(5);
  });

  it("is answered early, and the rest of its body read before the close", async () => {
    const app = new TestApp();
    const peer = await (await start(app, SCGI)).open();
    peer.send(scgi("12345", 1_000_005));
    await until(() => peer.text === `${HELLO_HEAD}hello`, "the answer");
    await pause(20);
    expect(peer.ended).toBe(false);
    peer.send(Buffer.alloc(1_000_000));
    await peer.closes();
    expect(peer.error).toBe(null);
  });

  it("streams large answers whole, in order, with credit", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, SCGI)).open();
    peer.send(scgi());
    const exchange = await app.exchange();
    exchange.sendHead("Status: 200 OK\r\n\r\n");
    exchange.write("first");
    exchange.write(Buffer.alloc(3_000_000, "L"));
    exchange.write("last");
    exchange.end();
    await peer.closes();
    expect(peer.text).toBe(`Status: 200 OK\r\n\r\nfirst${"L".repeat(3_000_000)}last`);
    await until(() => exchange.credited === 3_000_009, "all credit");
  });

  it("is aborted when the web server leaves", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, SCGI)).open();
    peer.send(scgi("half", 10));
    const exchange = await app.exchange();
    peer.socket.end();
    await until(() => exchange.aborted !== undefined, "the abort");
    expect(exchange.aborted).toBe("CONNECTION_LOST");
  });

  it("is closed unanswered where it breaks the grammar", async () => {
    const app = new TestApp();
    const { open, gateway, log } = await start(app, SCGI);
    for (const junk of [
      "GET / HTTP/1.1\r\n",
      "01:x,",
      "5:\0\0\0\0\0,",
      scgi().replace("CONTENT_LENGTH\x000", "CONTENT_LENGTH\x00+1"),
    ]) {
      const peer = await open();
      peer.send(junk);
      await peer.closes();
      expect(peer.text).toBe("");
    }
    expect(app.exchanges).toEqual([]);
    expect(gateway.counters["protocolErrors"]).toBe(4);
    expect(log).toHaveLength(4);
  });

  it("is answered 431 where it has too many variables", async () => {
    const app = new TestApp();
    const peer = await (await start(app, { ...SCGI, options: { maxParams: 8 } })).open();
    peer.send(scgi("", 0, { A: "1", B: "2", C: "3" }));
    await peer.closes();
    expect(peer.text).toContain("Status: 431 ");
    expect(app.exchanges).toEqual([]);
  });

  it("is reset where the answer breaks off, as far as TCP can say it", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, SCGI)).open();
    peer.send(scgi());
    const exchange = await app.exchange();
    exchange.sendHead("Status: 200 OK\r\n\r\n");
    exchange.write("half");
    await until(() => peer.text.endsWith("half"), "the half");
    exchange.response.send({ type: "fail", status: 500 });
    await until(() => peer.closed, "the reset");
    expect(peer.error?.code).toBe("ECONNRESET");
  });

  it("has its error text logged, and head and idle timeouts", async () => {
    const app = new TestApp((exchange) => {
      exchange.response.send({ type: "stderr", chunk: Buffer.from("for the log") });
      exchange.hello();
    });
    const { open, log, gateway } = await start(app, { ...SCGI, options: { headerTimeout: 50 } });
    const peer = await open();
    peer.send(scgi());
    await peer.closes();
    expect(log).toEqual(["for the log"]);
    const slow = await open();
    slow.send("70:CONTENT");
    await slow.closes();
    expect(gateway.counters["headerTimeouts"]).toBe(1);
  });
});
