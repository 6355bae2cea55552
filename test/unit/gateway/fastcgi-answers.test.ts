import { describe, expect, it } from "vitest";

import {
  ABORT,
  BEGIN,
  get,
  GET_VALUES,
  head,
  HELLO_HEAD,
  pairs,
  PARAMS,
  pause,
  post,
  record,
  start,
  stdin,
  STDIN,
  TestApp,
  until,
  valueOf,
} from "./support.ts";

const COMPLETE = 0;
const CANT_MPX_CONN = 1;
const OVERLOADED = 2;
const UNKNOWN_ROLE = 3;

describe("a FastCGI request", () => {
  it("is answered in one write: head, body, empty STDOUT, END_REQUEST; and the connection closed", async () => {
    const app = new TestApp();
    const peer = await (await start(app)).open();
    let chunks = 0;
    peer.socket.on("data", () => chunks++);
    peer.send(get());
    await peer.closes();
    expect(peer.stdout()).toBe(`${HELLO_HEAD}hello`);
    expect(peer.records.map(({ type, content }) => [type, content.length])).toEqual([
      [6, HELLO_HEAD.length + 5],
      [6, 0],
      [3, 8],
    ]);
    expect(peer.ends()).toEqual([{ appStatus: 0, protocolStatus: COMPLETE }]);
    expect(peer.error).toBe(null);
    expect(chunks).toBe(1);
  });

  it("arrives with role, protocol and variables", async () => {
    const app = new TestApp();
    const peer = await (await start(app)).open();
    peer.send(get({ variables: { REQUEST_URI: "/a%20b", HTTP_X: "\xe9" } }));
    await peer.ended1();
    const { head: request } = app.exchanges[0]!;
    expect(request).toMatchObject({ protocol: "fastcgi", role: "responder", multiplexed: false });
    expect(valueOf(request.params, "REQUEST_URI")).toBe("/a%20b");
    expect(valueOf(request.params, "HTTP_X")).toBe("\xe9");
  });

  it("is served again and again on a kept connection", async () => {
    const app = new TestApp();
    const { open, gateway } = await start(app);
    const peer = await open();
    for (let i = 1; i <= 5; i++) {
      peer.send(get({ keep: true }));
      await peer.ended1(1, i);
    }
    peer.send(get({ keep: true }), get({ keep: true }));
    await peer.ended1(1, 7);
    expect(app.exchanges.length).toBe(7);
    expect(gateway.counters["accepted"]).toBe(1);
    expect(peer.ended).toBe(false);
  });

  it("reaches the app byte by byte as well", async () => {
    const app = new TestApp();
    const peer = await (await start(app)).open();
    peer.socket.setNoDelay(true);
    for (const byte of post("abc")) {
      peer.send(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }
    await peer.ended1();
    expect(peer.stdout()).toBe(`${HELLO_HEAD}hello`);
  });

  it("is answered piece by piece as the app writes, and gets credit for what has left", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app)).open();
    peer.send(get());
    const exchange = await app.exchange();
    exchange.sendHead("Status: 200 OK\r\n\r\n");
    exchange.write("one");
    exchange.write("two");
    await until(() => peer.stdout().endsWith("onetwo"), "the first piece");
    expect(exchange.credited).toBe(6);
    exchange.write("three");
    await until(() => peer.stdout().endsWith("three"), "the second piece");
    expect(peer.ends()).toEqual([]);
    exchange.end();
    await peer.closes();
    expect(exchange.credited).toBe(11);
    expect(peer.ends().length).toBe(1);
  });

  it("passes the app's status on", async () => {
    const app = new TestApp((exchange) => {
      exchange.sendHead();
      exchange.write("hello");
      exchange.end(3);
    });
    const peer = await (await start(app)).open();
    peer.send(get());
    await peer.ended1();
    expect(peer.ends()[0]).toEqual({ appStatus: 3, protocolStatus: COMPLETE });
  });

  it("hears nothing that an app sends after the end", async () => {
    const app = new TestApp((exchange) => {
      exchange.hello();
      exchange.hello();
      exchange.response.send({ type: "fail", status: 500 });
      exchange.response.send({ type: "credit", bytes: 5 });
    });
    const peer = await (await start(app)).open();
    peer.send(get({ keep: true }));
    await peer.ended1();
    peer.send(get({ keep: true }));
    await peer.ended1(1, 2);
    expect(peer.stdout()).toBe(`${HELLO_HEAD}hello`.repeat(2));
  });

  it("is answered 500 where the app ends or fails before its head, or throws", async () => {
    const faults = [
      () => {
        throw new Error("boom");
      },
      (exchange: { end(): void }) => exchange.end(),
      (exchange: { response: { send(event: { type: "fail"; status: 500 }): void } }) =>
        exchange.response.send({ type: "fail", status: 500 }),
    ];
    const app = new TestApp((exchange) => faults[app.exchanges.length - 1]!(exchange));
    const { open, log } = await start(app);
    const peer = await open();
    for (let i = 1; i <= faults.length; i++) {
      peer.send(get({ keep: true }));
      await peer.ended1(1, i);
    }
    expect(peer.stdout().match(/Status: 500 Internal Server Error/g)).toHaveLength(3);
    expect(peer.stdout()).not.toContain("boom");
    expect(log.join()).toContain("boom");
  });

  it("gets the app's error text on STDERR, up to stderrLimit", async () => {
    const app = new TestApp((exchange) => {
      exchange.response.send({ type: "stderr", chunk: Buffer.from("0123456") });
      exchange.response.send({ type: "stderr", chunk: Buffer.from("789abc") });
      exchange.response.send({ type: "stderr", chunk: Buffer.from("lost") });
      exchange.hello();
    });
    const peer = await (await start(app, { options: { stderrLimit: 10 } })).open();
    peer.send(get());
    await peer.ended1();
    expect(peer.stderr()).toBe("0123456789 [cut]\n");
    expect(peer.stdout()).toBe(`${HELLO_HEAD}hello`);
  });
});

describe("a FastCGI connection", () => {
  it("is answered FCGI_GET_VALUES, the unknown names left out", async () => {
    const { open } = await start(new TestApp(), { options: { maxConnections: 50 }, values: { EXTRA: "7" } });
    const peer = await open();
    const names = { FCGI_MAX_CONNS: "", FCGI_MAX_REQS: "", FCGI_MPXS_CONNS: "", NOBODY: "", EXTRA: "", toString: "" };
    peer.send(record(GET_VALUES, 0, pairs(names)));
    await until(() => peer.records.length > 0, "the values");
    expect(peer.records[0]).toMatchObject({ type: 10, id: 0 });
    expect(peer.records[0]!.content).toEqual(
      pairs({ FCGI_MAX_CONNS: "50", FCGI_MAX_REQS: "50", FCGI_MPXS_CONNS: "0", EXTRA: "7" }),
    );
    peer.send(get());
    await peer.ended1();
  });

  it("is answered FCGI_UNKNOWN_TYPE for a management record of a type nobody knows, and lives on", async () => {
    const { open, gateway } = await start(new TestApp());
    const peer = await open();
    peer.send(record(77, 0, "what"));
    await until(() => peer.records.length > 0, "the answer");
    expect(peer.records[0]).toMatchObject({ type: 11, id: 0 });
    expect(peer.records[0]!.content[0]).toBe(77);
    peer.send(get());
    await peer.ended1();
    expect(gateway.counters["badRecords"]).toBe(1);
  });

  it("is closed after more bad records than badRecordsPerConnection", async () => {
    const { open, gateway, log } = await start(new TestApp(), { options: { badRecordsPerConnection: 3 } });
    const peer = await open();
    for (let i = 0; i < 3; i++) peer.send(record(STDIN, 9, "lost"));
    peer.send(get({ keep: true }));
    await peer.ended1();
    peer.send(record(STDIN, 9, "lost"));
    await peer.closes();
    expect(gateway.counters).toMatchObject({ badRecords: 4, protocolErrors: 1 });
    expect(log.join()).toContain("FCGI_TOO_MANY_BAD_RECORDS");
  });

  it("is closed where it breaks the protocol; the open request is aborted, the error told", async () => {
    const app = new TestApp(() => {});
    const { open, gateway, log } = await start(app);
    const errors: Error[] = [];
    gateway.on("clientError", (error) => void errors.push(error));
    const peer = await open();
    peer.send(head(), Buffer.alloc(16, 7));
    await peer.closes();
    expect((await app.exchange()).aborted).toBe("CONNECTION_LOST");
    expect(errors).toMatchObject([{ code: "FCGI_BAD_VERSION" }]);
    expect(log.join()).toContain("FCGI_BAD_VERSION");
  });

  it("answers a second BEGIN_REQUEST with CANT_MPX_CONN, finishes the first request and closes", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app)).open();
    peer.send(get({ id: 1, keep: true }), get({ id: 2, keep: true }));
    await peer.ended1(2);
    expect(peer.ends(2)).toEqual([{ appStatus: 0, protocolStatus: CANT_MPX_CONN }]);
    (await app.exchange()).hello();
    await peer.closes();
    expect(app.exchanges.length).toBe(1);
    expect(peer.ends(1)).toEqual([{ appStatus: 0, protocolStatus: COMPLETE }]);
  });

  it("is answered 500 and UNKNOWN_ROLE for a role that nobody serves", async () => {
    const app = new TestApp();
    const peer = await (await start(app)).open();
    peer.send(get({ role: 3, keep: true }));
    await peer.ended1();
    peer.send(get({ role: 9, keep: true }));
    await peer.ended1(1, 2);
    expect(peer.stdout().match(/Status: 500/g)).toHaveLength(2);
    expect(peer.ends()).toEqual([
      { appStatus: 0, protocolStatus: UNKNOWN_ROLE },
      { appStatus: 0, protocolStatus: UNKNOWN_ROLE },
    ]);
    expect(app.exchanges).toEqual([]);
    peer.send(get());
    await peer.ended1(1, 3);
    expect(app.exchanges.length).toBe(1);
  });

  it("sends no body with its own answer to HEAD", async () => {
    const peer = await (await start(new TestApp(), { serves: () => false })).open();
    peer.send(get({ variables: { REQUEST_METHOD: "HEAD" } }));
    await peer.ended1();
    expect(peer.stdout()).toMatch(/^Status: 500 [^]*\r\n\r\n$/);
  });

  it("does not judge an authorizer's request by a body that it does not get", async () => {
    const app = new TestApp((exchange) => exchange.hello());
    const { open } = await start(app, { options: { roles: ["authorizer"], maxBodyBytes: 1 } });
    for (const length of ["9", "5x"]) {
      const peer = await open();
      peer.send(head({ role: 2, variables: { REQUEST_METHOD: "POST", CONTENT_LENGTH: length } }));
      await until(() => peer.ends().length === 1, "the end");
      expect(peer.stdout()).toMatch(/^Status: 200/);
    }
  });

  it("starts an authorizer at the end of PARAMS: STDIN may never come", async () => {
    const app = new TestApp((exchange) => {
      exchange.onEvent = (event) => {
        if (event.type === "bodyEnd") exchange.hello();
      };
    });
    const peer = await (await start(app, { options: { roles: ["authorizer"] } })).open();
    peer.send(head({ role: 2, variables: { REQUEST_METHOD: "POST", HTTP_CONTENT_LENGTH: "9" } }));
    await peer.closes();
    expect(peer.ends()).toEqual([{ appStatus: 0, protocolStatus: COMPLETE }]);
    expect(peer.error).toBe(null);
  });

  it("gives a filter its file beside the body", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, { options: { roles: ["filter"] } })).open();
    peer.send(head({ role: 3, variables: { CONTENT_LENGTH: "2" } }), ...stdin("in"), record(STDIN, 1));
    peer.send(record(8, 1, "file"), record(8, 1));
    const exchange = await app.exchange();
    await until(() => exchange.events.some(({ type }) => type === "dataEnd"), "the file's end");
    expect(exchange.events.map(({ type }) => type)).toEqual(["body", "bodyEnd", "data", "dataEnd"]);
    exchange.hello();
    await peer.ended1();
  });

  it("ends a request that the web server aborts, and is kept if it asked so", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app)).open();
    peer.send(head({ keep: true }), ...stdin("some"), record(ABORT, 1));
    await peer.ended1();
    const exchange = await app.exchange();
    expect(exchange.aborted).toBe("ABORTED_BY_WEB_SERVER");
    expect(peer.ends()).toEqual([{ appStatus: 0, protocolStatus: COMPLETE }]);
    exchange.hello();
    app.handle = (next) => next.hello();
    peer.send(record(STDIN, 1), get({ keep: true }));
    await peer.ended1(1, 2);
    expect(peer.stdout()).toBe(`${HELLO_HEAD}hello`);
  });

  it("answers variables beyond the limits 431 and goes on behind them", async () => {
    const app = new TestApp();
    const peer = await (await start(app, { options: { maxParamValue: 1000 } })).open();
    const before = performance.now();
    peer.send(get({ keep: true, variables: { HTTP_COOKIE: "c".repeat(5000) } }));
    await peer.ended1();
    expect(performance.now() - before).toBeLessThan(900);
    expect(peer.stdout()).toContain("Status: 431 ");
    peer.send(get({ keep: true }));
    await peer.ended1(1, 2);
    expect(peer.stdout()).toContain("hello");
    expect(app.exchanges.length).toBe(1);
  });

  it("answers 503 and OVERLOADED above maxConnections, and closes", async () => {
    const app = new TestApp();
    const { open, gateway } = await start(app, { options: { maxConnections: 1 } });
    const first = await open();
    first.send(get({ keep: true }));
    await first.ended1();
    const second = await open();
    second.send(get({ keep: true }));
    await second.closes();
    expect(second.stdout()).toMatch(/^Status: 503 [^]*Retry-After: 1\r\n/);
    expect(second.ends()).toEqual([{ appStatus: 0, protocolStatus: OVERLOADED }]);
    expect(gateway.counters["overloaded"]).toBe(1);
    first.send(get());
    await first.ended1(1, 2);
    expect(app.exchanges.length).toBe(2);
  });

  it("is closed after keepaliveRequests, with the answer whole", async () => {
    const { open } = await start(new TestApp(), { options: { keepaliveRequests: 2 } });
    const peer = await open();
    let sent = 0;
    while (!peer.ended) {
      peer.send(get({ keep: true }));
      sent++;
      await until(() => peer.ended || peer.ends().length === sent, "an answer");
      await pause(10);
    }
    expect(sent).toBeLessThanOrEqual(3);
    expect(peer.stdout()).toBe(`${HELLO_HEAD}hello`.repeat(peer.ends().length));
    expect(peer.error).toBe(null);
  });

  it("refuses a request that begins anew while it is open", async () => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app, { options: { multiplexed: true } });
    const peer = await open();
    peer.send(get({ keep: true }), record(BEGIN, 1, Buffer.from([0, 1, 1, 0, 0, 0, 0, 0])), record(PARAMS, 1));
    await peer.closes();
    expect(gateway.counters["protocolErrors"]).toBe(1);
    expect(app.exchanges[0]!.aborted).toBe("CONNECTION_LOST");
  });
});
