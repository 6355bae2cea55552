import { describe, expect, it } from "vitest";

import type { ExchangeRecord } from "../../../src/exchange.ts";
import {
  ABORT,
  get,
  head,
  HELLO_HEAD,
  pause,
  type Peer,
  post,
  record,
  type Running,
  scgi,
  start,
  type StartOptions,
  stdin,
  TestApp,
  until,
  valueOf,
} from "./support.ts";

interface Logged extends Running {
  readonly records: ExchangeRecord[];
  /** The `count`th record, as soon as it is there. */
  written(count?: number): Promise<ExchangeRecord>;
}

async function logged(app: TestApp, options: StartOptions = {}): Promise<Logged> {
  const records: ExchangeRecord[] = [];
  const running = await start(app, { ...options, accessLog: (record) => void records.push(record) });
  const written = async (count = 1): Promise<ExchangeRecord> => {
    await until(() => records.length >= count, `record ${count}`);
    return records[count - 1]!;
  };
  return { ...running, records, written };
}

const PROTOCOLS = ["fastcgi", "scgi"] as const;

function ask(peer: Peer, protocol: (typeof PROTOCOLS)[number], variables: Record<string, string> = {}): void {
  peer.send(protocol === "fastcgi" ? get({ keep: true, variables }) : scgi("", 0, variables));
}

describe.each(PROTOCOLS)("the access log of a gateway for %s", (protocol) => {
  it("hears of an answered request: its variables, status, bytes and time", async () => {
    const app = new TestApp((exchange) => {
      exchange.response.send({ type: "head", status: 201, block: HELLO_HEAD });
      exchange.write("hello");
      setTimeout(() => {
        exchange.write(", you");
        exchange.end();
      }, 60);
    });
    const { open, records, written } = await logged(app, { protocol });
    const before = Date.now();
    ask(await open(), protocol, { REQUEST_URI: "/a" });
    const record = await written();
    expect(record).toMatchObject({ status: 201, bytes: 10, aborted: false, service: null });
    expect(record.id).toBe(app.exchanges[0]!.head.id);
    expect(valueOf(record.params!, "REQUEST_URI")).toBe("/a");
    expect(record.duration).toBeGreaterThan(50);
    expect(record.begun).toBeGreaterThan(before - 50);
    expect(record.begun + record.duration).toBeLessThan(Date.now() + 50);
    await pause(20);
    expect(records).toHaveLength(1);
  });

  it("hears of it when its last byte has left", async () => {
    const size = 20_000_000;
    const app = new TestApp((exchange) => {
      exchange.sendHead("Status: 200 OK\r\n\r\n");
      exchange.write(Buffer.alloc(size));
      exchange.end();
    });
    const { open, records, written } = await logged(app, { protocol });
    const peer = await open();
    peer.socket.pause();
    ask(peer, protocol);
    await app.exchange();
    await pause(50);
    expect(records).toEqual([]);
    peer.socket.removeAllListeners("data").resume();
    expect(await written()).toMatchObject({ status: 200, bytes: size, aborted: false });
  });

  it("hears how much had left when the web server went in the middle", async () => {
    const size = 20_000_000;
    const app = new TestApp((exchange) => {
      exchange.sendHead("Status: 200 OK\r\n\r\n");
      exchange.write(Buffer.alloc(size));
      exchange.end();
    });
    const { open, written } = await logged(app, { protocol });
    const peer = await open();
    peer.socket.pause();
    ask(peer, protocol);
    await app.exchange();
    await pause(50);
    peer.socket.resetAndDestroy();
    const { status, bytes, aborted } = await written();
    expect({ status, aborted }).toEqual({ status: 200, aborted: true });
    expect(bytes).toBeLessThan(size);
  });

  it("hears of a web server that left before there was an answer, as 499", async () => {
    const app = new TestApp(() => {});
    const { open, written } = await logged(app, { protocol });
    const peer = await open();
    ask(peer, protocol);
    await app.exchange();
    peer.socket.destroy();
    expect(await written()).toMatchObject({ status: 499, bytes: 0, aborted: true });
  });

  it("hears of an answer that was broken off", async () => {
    const app = new TestApp((exchange) => {
      exchange.sendHead("Status: 200 OK\r\n\r\n");
      exchange.write("half");
      setTimeout(() => exchange.response.send({ type: "fail", status: 500 }), 20);
    });
    const { open, records, written } = await logged(app, { protocol });
    ask(await open(), protocol);
    expect(await written()).toMatchObject({ status: 200, bytes: 4, aborted: true });
    await pause(20);
    expect(records).toHaveLength(1);
  });

  it("hears of requests that the gateway refused: 431, 413, 503", async () => {
    const options = { maxParams: 12, maxBodyBytes: 10, maxConnections: 2 };
    const { open, records, written } = await logged(new TestApp(), { protocol, options });
    const peers = [await open(), await open(), await open()] as const;
    ask(peers[0], protocol, Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`HTTP_X${i}`, "x"])));
    expect(await written()).toMatchObject({ id: "", params: null, status: 431, aborted: false });
    peers[1].send(protocol === "fastcgi" ? post("x".repeat(20)) : scgi("x".repeat(20)));
    const tooLarge = await written(2);
    expect(tooLarge).toMatchObject({ id: "", status: 413, bytes: "413 Payload Too Large\n".length });
    expect(valueOf(tooLarge.params!, "REQUEST_URI")).toBe("/");
    ask(peers[2], protocol);
    expect(await written(3)).toMatchObject({ id: "", status: 503 });
    expect(records).toHaveLength(3);
  });

  it("hears of one that nobody has room for, and of whose worker it was", async () => {
    const app = new TestApp((exchange) => exchange.response.send({ type: "fail", status: 503 }));
    const { open, written } = await logged(app, { protocol });
    ask(await open(), protocol, { REQUEST_METHOD: "HEAD" });
    expect(await written()).toMatchObject({ status: 503, bytes: 0, service: null });
    app.handle = (exchange) => {
      Object.assign(exchange, { service: { worker: 4, waited: 1.5 } });
      exchange.hello();
    };
    ask(await open(), protocol);
    expect(await written(2)).toMatchObject({ status: 200, service: { worker: 4, waited: 1.5 } });
  });

  it("still hears of the worker where the request was ended before its time", async () => {
    const app = new TestApp((exchange) => void Object.assign(exchange, { service: { worker: 4, waited: 0 } }));
    const { open, written } = await logged(app, { protocol, options: { requestTimeout: 40 } });
    ask(await open(), protocol);
    expect(await written()).toMatchObject({ status: 504, service: { worker: 4, waited: 0 } });
  });

  it("hears before 'close' of what a closing gateway cut off", async () => {
    const app = new TestApp(() => {});
    const { open, gateway, records } = await logged(app, { protocol, options: { gracefulTimeout: 40 } });
    ask(await open(), protocol);
    await app.exchange();
    const atClose = new Promise<ExchangeRecord[]>((resolve) => void gateway.close(() => resolve([...records])));
    expect(await atClose).toMatchObject([{ status: 503, aborted: true }]);
  });

  it("hears nothing of a connection that brought no request", async () => {
    const { open, gateway, records } = await logged(new TestApp(), { protocol });
    const peer = await open();
    peer.send(protocol === "fastcgi" ? head().subarray(0, 30) : scgi().slice(0, 30));
    await until(() => gateway.connections === 1, "the connection");
    await pause(20);
    peer.socket.destroy();
    await until(() => gateway.connections === 0, "its end");
    expect(records).toEqual([]);
  });
});

describe("the access log of a gateway for FastCGI", () => {
  it("hears of each request on a kept connection", async () => {
    const { open, records } = await logged(new TestApp());
    const peer = await open();
    peer.send(get({ keep: true }), post("body", { keep: true }), get({ keep: true }));
    await peer.ended1(1, 3);
    expect(records.map(({ status, bytes }) => [status, bytes])).toEqual([
      [200, 5],
      [200, 5],
      [200, 5],
    ]);
    expect(new Set(records.map(({ id }) => id)).size).toBe(3);
  });

  it("hears of a request that the web server aborted", async () => {
    const app = new TestApp(() => {});
    const { open, records } = await logged(app);
    const peer = await open();
    peer.send(get({ keep: true }));
    await app.exchange();
    peer.send(record(ABORT, 1));
    await peer.ended1();
    expect(records).toMatchObject([{ status: 499, aborted: true }]);
  });

  it("hears of a role that nobody serves", async () => {
    const { open, records } = await logged(new TestApp(), { serves: () => false });
    const peer = await open();
    peer.send(get());
    await peer.closes();
    expect(records).toMatchObject([{ id: "", status: 500 }]);
  });

  it("hears of an answer once its upload was read to the end", async () => {
    const { open, records } = await logged(new TestApp());
    const peer = await open();
    peer.send(head({ keep: true, variables: { CONTENT_LENGTH: "6" } }), ...stdin("one"));
    await until(() => peer.stdout().endsWith("hello"), "the answer");
    expect(records).toEqual([]);
    peer.send(...stdin("two"), record(5, 1));
    await peer.ended1();
    expect(records).toMatchObject([{ status: 200, bytes: 5, aborted: false }]);
  });
});
