import { describe, expect, it } from "vitest";

import { get, head, HELLO_HEAD, pause, post, record, start, stdin, STDIN, TestApp, until } from "./support.ts";

const EMPTY_STDIN = record(STDIN, 1);

describe("a request's body", () => {
  it("reaches the app as it comes, and its end", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app)).open();
    peer.send(head({ variables: { REQUEST_METHOD: "POST", CONTENT_LENGTH: "6" } }));
    const exchange = await app.exchange();
    expect(exchange.bodyEnded).toBe(false);
    peer.send(...stdin("one"));
    await until(() => exchange.body === "one", "the first half");
    peer.send(...stdin("two"), EMPTY_STDIN);
    await until(() => exchange.bodyEnded, "the end");
    expect(exchange.body).toBe("onetwo");
    exchange.hello();
    await peer.ended1();
  });

  it("is read to the empty STDIN where no length is told", async () => {
    for (const length of [undefined, "", "-1"]) {
      const app = new TestApp(() => {});
      const peer = await (await start(app)).open();
      peer.send(
        head({ variables: { REQUEST_METHOD: "POST", ...(length === undefined ? {} : { CONTENT_LENGTH: length }) } }),
      );
      const exchange = await app.exchange();
      peer.send(...stdin("chunked"));
      await until(() => exchange.body === "chunked", "the body");
      expect(exchange.bodyEnded).toBe(false);
      peer.send(EMPTY_STDIN);
      await until(() => exchange.bodyEnded, "the end");
    }
  });

  it("is over at once where CONTENT_LENGTH is 0; the empty STDIN may come later", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app)).open();
    peer.send(head({ keep: true, variables: { CONTENT_LENGTH: "0" } }));
    const exchange = await app.exchange();
    await until(() => exchange.bodyEnded, "the end of the body");
    peer.send(EMPTY_STDIN);
    exchange.hello();
    await peer.ended1();
    expect(exchange.events.filter(({ type }) => type === "bodyEnd")).toHaveLength(1);
    peer.send(get({ keep: true }));
    (await app.exchange(1)).hello();
    await peer.ended1(1, 2);
  });

  it("is refused where its length is no number: 400, and the app hears nothing", async () => {
    const app = new TestApp((exchange) => exchange.hello());
    const peer = await (await start(app)).open();
    peer.send(head({ keep: true, variables: { CONTENT_LENGTH: "5x" } }), ...stdin("abcde"), EMPTY_STDIN);
    await peer.ended1();
    expect(peer.stdout()).toContain("Status: 400 ");
    expect(app.exchanges).toHaveLength(0);
    peer.send(get({ keep: true }));
    await peer.ended1(1, 2);
  });

  it("is not delivered as complete where it ends before its length: 400", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app)).open();
    peer.send(head({ keep: true, variables: { CONTENT_LENGTH: "10" } }), ...stdin("short"), EMPTY_STDIN);
    await peer.ended1();
    const exchange = app.exchanges[0]!;
    expect(exchange.aborted).toBe("BODY_INCOMPLETE");
    expect(exchange.bodyEnded).toBe(false);
    expect(peer.stdout()).toContain("Status: 400 ");
    app.handle = (next) => next.hello();
    peer.send(get({ keep: true }));
    await peer.ended1(1, 2);
  });

  it("is cut at its length; what comes beyond is counted", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app);
    const peer = await open();
    peer.send(head({ variables: { CONTENT_LENGTH: "4" } }), ...stdin("fourmore"), EMPTY_STDIN);
    const exchange = await app.exchange();
    await until(() => exchange.bodyEnded, "the end");
    expect(exchange.body).toBe("four");
    expect(gateway.counters["extraBytes"]).toBe(4);
    exchange.hello();
    await peer.closes();
    expect(peer.error).toBe(null);
  });

  it("is refused with 413 before the app sees it where its told length is above maxBodyBytes", async () => {
    const app = new TestApp();
    const peer = await (await start(app, { options: { maxBodyBytes: 5 } })).open();
    peer.send(post("sixsix", { keep: true }));
    await peer.ended1();
    expect(peer.stdout()).toContain("Status: 413 ");
    expect(app.exchanges).toEqual([]);
    peer.send(post("five5", { keep: true }));
    await peer.ended1(1, 2);
    expect(app.exchanges.length).toBe(1);
  });

  it("is cut off with 413 where an untold length grows above maxBodyBytes", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, { options: { maxBodyBytes: 5 } })).open();
    peer.send(head({ keep: true }), ...stdin("sixsix"), ...stdin("more"), EMPTY_STDIN);
    await peer.ended1();
    expect(app.exchanges[0]!.aborted).toBe("BODY_LIMIT");
    expect(peer.stdout()).toContain("Status: 413 ");
  });
});

describe("an answer before the body's end", () => {
  it("leaves at once, END_REQUEST when the whole upload was read", async () => {
    const app = new TestApp();
    const peer = await (await start(app, { options: { drainAfterResponseTime: 300 } })).open();
    peer.send(head({ variables: { CONTENT_LENGTH: "2000000" } }), ...stdin("x".repeat(1000)));
    await until(() => peer.stdout() === `${HELLO_HEAD}hello`, "the answer");
    for (let sent = 1000; sent < 2_000_000; sent += 199_900) {
      expect(peer.ends()).toEqual([]);
      peer.send(...stdin(Buffer.alloc(199_900)));
      await pause(60);
    }
    expect(peer.ends()).toEqual([]);
    peer.send(EMPTY_STDIN);
    await peer.closes();
    expect(peer.ends().length).toBe(1);
    expect(peer.error).toBe(null);
    // An app may go on reading, as in node http.
    expect(app.exchanges[0]!.received).toBe(2_000_000);
  });

  it("ends without the rest after drainAfterResponseTime of silence, and the connection without a reset", async () => {
    const app = new TestApp();
    const peer = await (await start(app, { options: { drainAfterResponseTime: 50 } })).open();
    peer.send(head({ variables: { CONTENT_LENGTH: "100000" } }), ...stdin("x".repeat(1000)));
    await peer.closes();
    expect(peer.ends().length).toBe(1);
    peer.send(...stdin("late"));
    await pause(30);
    expect(peer.error).toBe(null);
  });

  it("keeps a kept connection, whose late STDIN records are skipped", async () => {
    const app = new TestApp();
    const { open, gateway } = await start(app, { options: { drainAfterResponseTime: 50 } });
    const peer = await open();
    peer.send(head({ keep: true, variables: { CONTENT_LENGTH: "100000" } }));
    await peer.ended1();
    peer.send(...stdin("late"), EMPTY_STDIN, get({ keep: true }));
    await peer.ended1(1, 2);
    expect(gateway.counters["badRecords"]).toBe(0);
  });

  it("goes on reading an upload that the app had let fill its window", async () => {
    const app = new TestApp((exchange) => (exchange.reads = false));
    const { open } = await start(app, { options: { bodyHighWater: 65_536 } });
    const peer = await open();
    peer.send(head({ variables: { CONTENT_LENGTH: "3000000" } }), ...stdin(Buffer.alloc(3_000_000)), EMPTY_STDIN);
    const exchange = await app.exchange();
    await until(() => exchange.received >= 65_536, "a full window");
    await pause(50);
    expect(exchange.received).toBeLessThan(400_000);
    exchange.hello();
    await peer.ended1();
    await peer.closes();
    expect(peer.error).toBe(null);
  });

  it("that the app leaves in a full window holds up no later request of the connection", async () => {
    const app = new TestApp((exchange) => (exchange.reads = false));
    const { open } = await start(app, { options: { bodyHighWater: 65_536 } });
    const peer = await open();
    peer.send(post("x".repeat(65_536), { keep: true }));
    const exchange = await app.exchange();
    await until(() => exchange.bodyEnded, "the end of the body");
    exchange.hello();
    await peer.ended1();
    peer.send(get({ keep: true }));
    (await app.exchange(1)).hello();
    await peer.ended1(1, 2);
  });
});
