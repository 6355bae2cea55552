import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { RequestEvent, RequestHead, RequestSink, ResponseEvent, ResponseSink } from "../../../src/exchange.ts";
import { RequestLimit } from "../../../src/modes/request-limit.ts";
import { paramsOf } from "../../support/params.ts";

interface Begun {
  readonly id: string;
  readonly response: ResponseSink;
  readonly received: RequestEvent[];
}

function setUp({ concurrency = 1, queueLimit = 2, queueTimeout = 1000, atOnce = false } = {}) {
  const begun: Begun[] = [];
  const limit = new RequestLimit(
    {
      dispatch: ({ id }, response) => {
        const received: RequestEvent[] = [];
        begun.push({ id, response, received });
        if (atOnce) response.send(END);
        return { send: (event) => void received.push(event) };
      },
    },
    { concurrency, queueLimit, queueTimeout },
  );
  const ask = (id: string): { sink: RequestSink; answered: ResponseEvent[] } => {
    const answered: ResponseEvent[] = [];
    const head: RequestHead = {
      ...{ id, protocol: "fastcgi", role: "responder", multiplexed: false, params: paramsOf([]) },
    };
    return { sink: limit.dispatch(head, { send: (event) => void answered.push(event) }), answered };
  };
  return { limit, begun, ask, ids: () => begun.map(({ id }) => id) };
}

const body = (text: string): RequestEvent => ({ type: "body", chunk: Buffer.from(text) });
const END: ResponseEvent = { type: "end", appStatus: 0 };
const OVERLOADED: ResponseEvent = { type: "fail", status: 503 };

describe("a limit of requests", () => {
  it("of none lets all wait until it is opened, and from then on none", () => {
    const { limit, ask, ids, begun } = setUp({ concurrency: 0, queueLimit: 2 });
    ask("a").sink.send(body("of a"));
    ask("b");
    expect(ask("c").answered).toEqual([OVERLOADED]);
    expect(ids()).toEqual([]);
    limit.open();
    ask("d");
    expect(ids()).toEqual(["a", "b", "d"]);
    expect(begun[0]!.received).toEqual([body("of a")]);
  });

  it("counts no connection that is upgraded", () => {
    const { ask, begun, ids } = setUp();
    ask("a");
    ask("b");
    begun[0]!.response.send({ type: "head", status: 101, block: "" });
    expect(ids()).toEqual(["a", "b"]);
    ask("c");
    begun[0]!.response.send(END);
    expect(ids()).toEqual(["a", "b"]);
  });

  it("has room again after an upgrade that the gateway refuses while the app begins it, and tells the app", () => {
    const { ask, begun, ids } = setUp();
    ask("a");
    const refused = ask("b");
    ask("c");
    const abort: RequestEvent = { type: "abort", code: "UPGRADE_REFUSED" };
    refused.answered.push = () => {
      refused.sink.send(abort);
      return 0;
    };
    const { push } = begun;
    begun.push = (item: Begun) => {
      if (item.id === "b") item.response.send({ type: "head", status: 101, block: "" });
      return push.call(begun, item);
    };
    begun[0]!.response.send(END);
    expect(ids()).toEqual(["a", "b", "c"]);
    expect(begun[1]!.received).toEqual([abort]);
  });

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("gives the next one when one is answered, with what came for it, in the order in which they came", () => {
    const { begun, ask, ids, limit } = setUp();
    ask("a");
    const b = ask("b");
    ask("c");
    b.sink.send(body("1"));
    b.sink.send({ type: "bodyEnd" });
    expect(ids()).toEqual(["a"]);
    begun[0]!.response.send(END);
    expect(ids()).toEqual(["a", "b"]);
    expect(begun[1]!.received).toEqual([body("1"), { type: "bodyEnd" }]);
    begun[1]!.response.send({ type: "fail", status: 500 });
    expect(ids()).toEqual(["a", "b", "c"]);
    expect(b.answered).toEqual([{ type: "fail", status: 500 }]);
    expect(limit.counters).toEqual({ queued: 2, queueOverflows: 0, queueTimeouts: 0 });
  });

  it("counts one answer once, whatever follows it", () => {
    const { begun, ask, ids } = setUp();
    const a = ask("a");
    ask("b");
    ask("c");
    begun[0]!.response.send(END);
    begun[0]!.response.send({ type: "credit", bytes: 3 });
    a.sink.send({ type: "abort", code: "CONNECTION_LOST" });
    expect(ids()).toEqual(["a", "b"]);
  });

  it("answers 503 where no more may wait, and credits the body that nobody reads", () => {
    const { ask, limit } = setUp({ queueLimit: 0 });
    ask("a");
    const { sink, answered } = ask("b");
    sink.send(body("four"));
    expect(answered).toEqual([OVERLOADED, { type: "credit", bytes: 4 }]);
    expect(limit.counters.queueOverflows).toBe(1);
  });

  it("answers 503 to each that has waited for the time, and not before", () => {
    const { ask, limit, begun, ids } = setUp();
    ask("a");
    const b = ask("b");
    b.sink.send(body("four"));
    vi.advanceTimersByTime(600);
    const c = ask("c");
    vi.advanceTimersByTime(399);
    expect(b.answered).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(b.answered).toEqual([OVERLOADED, { type: "credit", bytes: 4 }]);
    expect(c.answered).toEqual([]);
    vi.advanceTimersByTime(600);
    expect(c.answered).toEqual([OVERLOADED]);
    expect(limit.counters.queueTimeouts).toBe(2);
    begun[0]!.response.send(END);
    expect(ids()).toEqual(["a"]);
  });

  it("forgets one that leaves while it waits, and has room when one in hand leaves", () => {
    const { ask, ids, begun } = setUp();
    const a = ask("a");
    const b = ask("b");
    ask("c");
    b.sink.send({ type: "abort", code: "CONNECTION_LOST" });
    a.sink.send({ type: "abort", code: "CONNECTION_LOST" });
    expect(begun[0]!.received).toEqual([{ type: "abort", code: "CONNECTION_LOST" }]);
    expect(ids()).toEqual(["a", "c"]);
    expect(b.answered).toEqual([]);
  });

  it("does not go deeper with each one that is answered as soon as it begins", () => {
    const { ask, ids } = setUp({ concurrency: 1, queueLimit: 20_000, atOnce: true });
    for (let i = 0; i < 5; i++) ask(String(i));
    expect(ids()).toHaveLength(5);
    const held = setUp({ concurrency: 1, queueLimit: 20_000 });
    held.ask("first");
    let depth = 0;
    let deepest = 0;
    for (let i = 0; i < 10_000; i++) held.ask(String(i));
    const { push } = held.begun;
    held.begun.push = (...items) => {
      const length = push.apply(held.begun, items);
      deepest = Math.max(deepest, ++depth);
      items[0]!.response.send(END);
      depth--;
      return length;
    };
    held.begun[0]!.response.send(END);
    expect(held.begun).toHaveLength(10_001);
    expect(deepest).toBe(1);
  });
});
