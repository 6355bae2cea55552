import { describe, expect, it } from "vitest";

import type { RequestEvent, RequestHead, ResponseEvent } from "../../../src/exchange.ts";
import { ThreadExchange } from "../../../src/modes/threads/thread-exchange.ts";
import { paramsOf } from "../../support/params.ts";

const HEAD: RequestHead = {
  ...{ id: "a-1", protocol: "fastcgi", role: "responder", multiplexed: false },
  params: paramsOf([
    ["REQUEST_METHOD", "GET"],
    ["REQUEST_URI", "/x"],
  ]),
};

function setUp() {
  const answered: ResponseEvent[] = [];
  const carried: [number, RequestEvent][] = [];
  const left: ThreadExchange[] = [];
  const told: string[] = [];
  const carrier = {
    id: 3,
    leaving: false,
    carry: (number: number, event: RequestEvent) => void carried.push([number, event]),
    answered: () => void told.push("answered"),
    forget: () => void told.push("forget"),
  };
  const exchange = new ThreadExchange(
    HEAD,
    { send: (event) => void answered.push(event) },
    { leave: (each) => void left.push(each) },
  );
  return { exchange, carrier, answered, carried, left, told };
}

const body = (text: string): RequestEvent => ({ type: "body", chunk: Buffer.from(text) });
const END: RequestEvent = { type: "bodyEnd" };

describe("an exchange of the threaded mode", () => {
  it("keeps what comes while it waits, and hands it to the thread in order", () => {
    const { exchange, carrier, carried } = setUp();
    exchange.send(body("a"));
    exchange.send(END);
    expect(carried).toEqual([]);
    exchange.assign(carrier, 9);
    expect(carried).toEqual([
      [9, body("a")],
      [9, END],
    ]);
    expect(exchange.service).toMatchObject({ worker: 3 });
  });

  it("can be given to another thread, with its body, while the app has done nothing with it", () => {
    const { exchange, carrier, carried } = setUp();
    exchange.assign(carrier, 1);
    exchange.send(body("a"));
    exchange.send(END);
    expect(exchange.withdraw()).toBe(true);
    expect(exchange.service).toBeNull();
    exchange.assign(carrier, 2);
    expect(carried).toEqual([
      [1, body("a")],
      [1, END],
      [2, body("a")],
      [2, END],
    ]);
  });

  it("cannot once bytes of its body were read, or something was answered", () => {
    const withBody = setUp();
    withBody.exchange.assign(withBody.carrier, 1);
    withBody.exchange.send(body("a"));
    withBody.exchange.receive({ type: "credit", bytes: 1 });
    expect(withBody.exchange.withdraw()).toBe(false);
    const begun = setUp();
    begun.exchange.assign(begun.carrier, 1);
    begun.exchange.receive({ type: "head", status: 200, block: "Status: 200 OK\r\n\r\n" });
    expect(begun.exchange.withdraw()).toBe(false);
  });

  it("leaves the queue when the web server ends it there, and is then no more answered", () => {
    const { exchange, left, answered } = setUp();
    exchange.send({ type: "abort", code: "CONNECTION_LOST" });
    expect(left).toEqual([exchange]);
    exchange.fail(503);
    expect(answered).toEqual([]);
  });

  it("that has failed gives credit for the rest of its body at once, so that the web server can get rid of it", () => {
    const { exchange, carrier, answered, told } = setUp();
    exchange.assign(carrier, 1);
    exchange.fail(504);
    exchange.send(body("abc"));
    expect(answered).toEqual([
      { type: "fail", status: 504 },
      { type: "credit", bytes: 3 },
    ]);
    expect(told).toEqual(["answered", "forget"]);
  });

  it("fails once only, and not after its end", () => {
    const { exchange, carrier, answered } = setUp();
    exchange.assign(carrier, 1);
    exchange.receive({ type: "head", status: 200, block: "Status: 200 OK\r\n\r\n" });
    exchange.receive({ type: "end", appStatus: 0 });
    exchange.fail(500);
    expect(answered.map(({ type }) => type)).toEqual(["head", "end"]);
  });

  it("does not bother the thread with credit for a short answer, which it has given itself", () => {
    const { exchange, carrier, carried } = setUp();
    exchange.assign(carrier, 1);
    exchange.receive({ type: "head", status: 200, block: "Status: 200 OK\r\n\r\n" });
    exchange.receive({ type: "body", chunk: Buffer.alloc(100) });
    exchange.receive({ type: "end", appStatus: 0 });
    exchange.send({ type: "credit", bytes: 100 });
    expect(carried).toEqual([]);
  });

  it("passes credit on for a long one", () => {
    const { exchange, carrier, carried } = setUp();
    exchange.assign(carrier, 1);
    exchange.receive({ type: "head", status: 200, block: "Status: 200 OK\r\n\r\n" });
    exchange.receive({ type: "body", chunk: Buffer.alloc(100_000) });
    exchange.receive({ type: "end", appStatus: 0 });
    exchange.send({ type: "credit", bytes: 100_000 });
    expect(carried).toEqual([[1, { type: "credit", bytes: 100_000 }]]);
  });

  it("tells what it is for the status", () => {
    expect(setUp().exchange.report).toMatchObject({ id: "a-1", method: "GET", url: "/x", worker: null });
  });
});

describe("credit for the body of an exchange of the threaded mode", () => {
  it("reaches the gateway although the answer was complete before", () => {
    const { exchange, carrier, answered, told } = setUp();
    exchange.assign(carrier, 1);
    exchange.send(body("abc"));
    exchange.receive({ type: "head", status: 200, block: "Status: 200 OK\r\n\r\n" });
    exchange.receive({ type: "end", appStatus: 0 });
    expect(told).toEqual(["answered"]);
    exchange.receive({ type: "credit", bytes: 3 });
    expect(answered.at(-1)).toEqual({ type: "credit", bytes: 3 });
    exchange.send(END);
    expect(told).toEqual(["answered", "forget"]);
  });

  it("is not waited for once all of the body is there and all of the answer: an app may leave it unread", () => {
    const { exchange, carrier, told } = setUp();
    exchange.assign(carrier, 1);
    exchange.send(body("abc"));
    exchange.send(END);
    exchange.receive({ type: "head", status: 200, block: "Status: 200 OK\r\n\r\n" });
    exchange.receive({ type: "end", appStatus: 0 });
    expect(told).toEqual(["answered", "forget"]);
  });

  it("is given by itself for what a thread had that has died, and for what waited with it in the queue", () => {
    const sent = setUp();
    sent.exchange.assign(sent.carrier, 1);
    sent.exchange.send(body("abc"));
    sent.exchange.fail(500);
    const waiting = setUp();
    waiting.exchange.send(body("abcd"));
    waiting.exchange.fail(503);
    expect([sent.answered, waiting.answered]).toEqual([
      [
        { type: "fail", status: 500 },
        { type: "credit", bytes: 3 },
      ],
      [
        { type: "fail", status: 503 },
        { type: "credit", bytes: 4 },
      ],
    ]);
  });

  it("an abort leaves it in the thread's hand until the thread has heard of it", () => {
    const { exchange, carrier, answered, told } = setUp();
    exchange.assign(carrier, 1);
    exchange.send({ type: "abort", code: "CONNECTION_LOST" });
    expect(told).toEqual([]);
    exchange.receive({ type: "head", status: 200, block: "Status: 200 OK\r\n\r\n" });
    exchange.receive({ type: "fail", status: 500 });
    expect(told).toEqual(["answered", "forget"]);
    expect(answered).toEqual([]);
  });
});

describe("an exchange of the threaded mode that is upgraded", () => {
  const UPGRADED = { type: "head", status: 101, block: "Status: 101 Switching Protocols\r\n\r\n" } as const;

  it("leaves its thread room for others, once, and is told to them no more as a request", () => {
    const { exchange, carrier, told } = setUp();
    exchange.send(END);
    exchange.assign(carrier, 1);
    exchange.receive(UPGRADED);
    expect(told).toEqual(["answered"]);
    expect(exchange.isAnswered).toBe(true);
    exchange.receive({ type: "end", appStatus: 0 });
    expect(told).toEqual(["answered", "forget"]);
  });

  it("reads its end when the thread leaves; what still comes is credited and dropped", () => {
    const { exchange, carrier, answered, carried } = setUp();
    exchange.send(END);
    exchange.assign(carrier, 1);
    exchange.receive(UPGRADED);
    exchange.send(body("a"));
    exchange.endTunnel();
    exchange.endTunnel();
    exchange.send(body("late"));
    exchange.send(END);
    expect(carried.map(([, event]) => event)).toEqual([END, body("a"), END]);
    expect(answered).toEqual([UPGRADED, { type: "credit", bytes: 4 }]);
  });

  it("reads its end at once in a thread that leaves already", () => {
    const { exchange, carrier, carried } = setUp();
    exchange.assign({ ...carrier, leaving: true }, 1);
    exchange.receive(UPGRADED);
    expect(carried.map(([, event]) => event)).toEqual([END]);
  });
});
