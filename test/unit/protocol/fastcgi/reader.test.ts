import { describe, expect, it } from "vitest";

import { FASTCGI_LIMITS, newFastCgiReader } from "../../../support/codec.ts";
import { codeOf, pairsOf, readChunks, readFourWays, type Reading } from "../../../support/four-ways.ts";
import { begin, data, pair, params, record, size, stdin } from "../../../support/records.ts";

const BEGUN = { type: "beginRequest", requestId: 1, role: 1, keepConn: true };
const GET = pair("REQUEST_METHOD", "GET");
const GOT = { type: "params", requestId: 1, params: [["REQUEST_METHOD", "GET"]] };

function read(...records: Uint8Array[]): Reading {
  return readFourWays(newFastCgiReader(), Buffer.concat(records));
}

describe("a request", () => {
  it("is told as begin, params, stdin and its end", () => {
    const reading = read(begin(1), params(1, GET), params(1), stdin(1, "body"), stdin(1));
    expect(reading).toEqual({
      events: [BEGUN, GOT, { type: "stdin", requestId: 1, content: "body" }, { type: "stdinEnd", requestId: 1 }],
      failure: null,
      ending: null,
    });
  });

  it("tells its role and whether the connection is kept", () => {
    const { events } = read(begin(258, 2, 0), begin(65535, 770, 255));
    expect(events).toEqual([
      { type: "beginRequest", requestId: 258, role: 2, keepConn: false },
      { type: "beginRequest", requestId: 65535, role: 770, keepConn: true },
    ]);
  });

  it("has DATA beside STDIN, as a filter's has", () => {
    const { events, ending } = read(begin(1, 3), params(1), stdin(1), data(1, "file"), data(1));
    expect(events.slice(1)).toEqual([
      { type: "params", requestId: 1, params: [] },
      { type: "stdinEnd", requestId: 1 },
      { type: "data", requestId: 1, content: "file" },
      { type: "dataEnd", requestId: 1 },
    ]);
    expect(ending).toBeNull();
  });

  it("is aborted by ABORT_REQUEST", () => {
    const { events } = read(begin(1), params(1, GET), params(1), record(2, 1, "", 5));
    expect(events).toEqual([BEGUN, GOT, { type: "abortRequest", requestId: 1 }]);
  });

  it("passes on content as a view on the received chunk", () => {
    const reader = newFastCgiReader()();
    const chunk = Buffer.concat([begin(1), params(1), stdin(1, "x".repeat(1000))]);
    reader.receive(chunk);
    reader.nextEvent();
    reader.nextEvent();
    const event = reader.nextEvent();
    expect(event?.type === "stdin" && event.content.buffer === chunk.buffer).toBe(true);
  });

  it("is read as well if all of it is received before any is taken", () => {
    const bytes = Buffer.concat([begin(1), params(1, GET, 3), params(1), stdin(1, "body", 4), stdin(1)]);
    for (const size of [1, 3, 8, 20]) {
      const reader = newFastCgiReader()();
      for (let at = 0; at < bytes.length; at += size) reader.receive(bytes.subarray(at, at + size));
      expect(reader.buffered).toBe(bytes.length);
      expect(readChunks(reader, [new Uint8Array(0)]).events.map(({ type }) => type)).toEqual([
        "beginRequest",
        "params",
        "stdin",
        "stdinEnd",
      ]);
    }
  });

  it("takes a plain Uint8Array", () => {
    const bytes = new Uint8Array(Buffer.concat([begin(1), params(1, GET), params(1)]));
    expect(readChunks(newFastCgiReader()(), [bytes]).events).toEqual([BEGUN, GOT]);
  });
});

describe("padding", () => {
  it.each([0, 1, 7, 8, 254, 255])("of %i bytes is passed over, wherever it is", (padding) => {
    const { events, ending } = read(
      record(1, 1, Buffer.of(0, 1, 1, 0, 0, 0, 0, 0), padding),
      params(1, GET, padding),
      params(1, "", padding),
      stdin(1, "b", padding),
      stdin(1, "", padding),
    );
    expect(events.map(({ type }) => type)).toEqual(["beginRequest", "params", "stdin", "stdinEnd"]);
    expect(ending).toBeNull();
  });

  it("belongs to its record: a connection does not end in it", () => {
    const bytes = Buffer.concat([begin(1), params(1), stdin(1, "", 3)]);
    expect(readChunks(newFastCgiReader()(), [bytes.subarray(0, -1)]).ending).toBe("FCGI_TRUNCATED");
  });

  it("of 255 bytes follows the largest content", () => {
    const body = "0123456789abcdef".repeat(4096).slice(1);
    const bytes = Buffer.concat([begin(1), params(1), stdin(1, body, 255), stdin(1)]);
    const reading = readFourWays(newFastCgiReader(), bytes, { places: 30 });
    expect(reading.events[2]).toEqual({ type: "stdin", requestId: 1, content: body });
    expect(reading.ending).toBeNull();
  });
});

describe("PARAMS", () => {
  it("have lengths of one or four bytes", () => {
    const long = "v".repeat(128);
    const { events } = read(
      begin(1),
      params(1, Buffer.concat([pair("A", "v".repeat(127)), pair("B", long), pair("C", "short", true), pair("D", "")])),
      params(1),
    );
    expect(events[1]?.["params"]).toEqual([
      ["A", "v".repeat(127)],
      ["B", long],
      ["C", "short"],
      ["D", ""],
    ]);
  });

  it("are split over records anywhere, inside lengths too", () => {
    const content = Buffer.concat([pair("HTTP_COOKIE", "c".repeat(300)), pair("N", "n".repeat(130), true), GET]);
    for (let at = 1; at < content.length; at++) {
      const bytes = [begin(1), params(1, content.subarray(0, at), at % 9), params(1, content.subarray(at)), params(1)];
      expect(readChunks(newFastCgiReader()(), [Buffer.concat(bytes)]).events[1]?.["params"]).toEqual([
        ["HTTP_COOKIE", "c".repeat(300)],
        ["N", "n".repeat(130)],
        ["REQUEST_METHOD", "GET"],
      ]);
    }
  });

  it("come in records of one byte each", () => {
    const content = Buffer.concat([pair("A", "v".repeat(200)), GET]);
    const records = Array.from(content, (byte) => params(1, Buffer.of(byte), 1));
    const bytes = Buffer.concat([begin(1), ...records, params(1)]);
    expect(readFourWays(newFastCgiReader(), bytes, { places: 60 }).events[1]?.["params"]).toEqual([
      ["A", "v".repeat(200)],
      ["REQUEST_METHOD", "GET"],
    ]);
  });

  it("are far larger than a record, up to the limit", () => {
    const pairs = Array.from({ length: 4 }, (_, i) => pair(`HTTP_X_${i}`, String(i).repeat(60_000)));
    const content = Buffer.concat(pairs);
    const records: Buffer[] = [];
    for (let at = 0; at < content.length; at += 65535) records.push(params(1, content.subarray(at, at + 65535), 7));
    const bytes = Buffer.concat([begin(1), ...records, params(1), stdin(1)]);
    const exactly = { maxParamsBytes: content.length };
    const { events } = readChunks(newFastCgiReader(exactly)(), [bytes]);
    expect((events[1]!["params"] as string[][]).map(([name, value]) => [name, value?.length])).toEqual([
      ["HTTP_X_0", 60_000],
      ["HTTP_X_1", 60_000],
      ["HTTP_X_2", 60_000],
      ["HTTP_X_3", 60_000],
    ]);
    const oneLess = readChunks(newFastCgiReader({ maxParamsBytes: content.length - 1 })(), [bytes]);
    expect(oneLess.events[1]).toEqual({ type: "requestError", requestId: 1, error: "FCGI_PARAMS_TOO_LARGE" });
  });

  it("keep repeated names, empty names, and every byte of a value", () => {
    const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    const { events } = read(
      begin(1),
      params(1, Buffer.concat([pair("A", "1"), pair("A", "2"), pair("", ""), pair("B", all)])),
      params(1),
    );
    expect(events[1]?.["params"]).toEqual([
      ["A", "1"],
      ["A", "2"],
      ["", ""],
      ["B", all],
    ]);
  });

  it("stay what they are, however many requests come after them", () => {
    const reader = newFastCgiReader()();
    const all = Array.from({ length: 3000 }, (_, i) => {
      reader.receive(
        Buffer.concat([begin(1), params(1, Buffer.concat([pair("N", String(i)), GET])), params(1), stdin(1)]),
      );
      reader.nextEvent();
      const event = reader.nextEvent();
      while (reader.nextEvent() !== null);
      reader.forget(1);
      return event;
    });
    for (const [i, event] of all.entries()) {
      expect(event?.type === "params" && pairsOf(event.params)).toEqual([
        ["N", String(i)],
        ["REQUEST_METHOD", "GET"],
      ]);
    }
  });
});

describe("a request that cannot be served", () => {
  const next = [begin(2), params(2, GET), params(2), stdin(2)];
  const served = [
    { ...BEGUN, requestId: 2 },
    { ...GOT, requestId: 2 },
    { type: "stdinEnd", requestId: 2 },
  ];

  it.each([
    ["a pair longer than PARAMS", Buffer.of(5, 5, 65, 66), "FCGI_BAD_PARAMS"],
    ["a name without a value's length", Buffer.of(1), "FCGI_BAD_PARAMS"],
    ["a length of four bytes, of which two are missing", Buffer.of(1, 128, 0), "FCGI_BAD_PARAMS"],
    ["a good pair, then half a pair", Buffer.concat([GET, Buffer.of(3, 3, 65)]), "FCGI_BAD_PARAMS"],
    ["too long a name", pair("N".repeat(257), ""), "FCGI_PARAMS_TOO_LARGE"],
    ["too long a value", pair("N", "v".repeat(1001)), "FCGI_PARAMS_TOO_LARGE"],
    ["a value of 2 GiB", Buffer.concat([size(1), size(0x7fffffff)]), "FCGI_PARAMS_TOO_LARGE"],
    ["a name of 2 GiB", Buffer.concat([size(0x7fffffff), size(1)]), "FCGI_PARAMS_TOO_LARGE"],
    ["too many pairs", Buffer.concat([GET, GET, GET, GET]), "FCGI_TOO_MANY_PARAMS"],
  ])("for %s is told; the next one is read", (_, content, error) => {
    const bytes = Buffer.concat([begin(1), params(1, content), params(1), stdin(1, "body"), stdin(1), ...next]);
    const reading = readFourWays(newFastCgiReader({ maxParamValue: 1000, maxParams: 3 }), bytes);
    expect(reading.events).toEqual([BEGUN, { type: "requestError", requestId: 1, error }, ...served]);
    expect(reading).toMatchObject({ failure: null, ending: null });
  });

  it.each([
    ["a name", size(257)],
    ["a value", Buffer.concat([size(3), size(70_000)])],
  ])("for %s that only claims to be too long is refused without waiting for it", (_, claim) => {
    const bytes = Buffer.concat([begin(1), params(1, Buffer.concat([GET, claim, size(0)])), params(1, "x")]);
    for (const chunks of [[bytes], Array.from(bytes, (byte) => Buffer.of(byte))]) {
      const reader = newFastCgiReader()();
      const { events } = readChunks(reader, chunks);
      expect(events[1]).toEqual({ type: "requestError", requestId: 1, error: "FCGI_PARAMS_TOO_LARGE" });
      expect(reader.buffered).toBe(0);
    }
  });

  it.each([
    ["a pair that claims too much", Buffer.concat([GET, size(3), size(70_000)]), "FCGI_PARAMS_TOO_LARGE"],
    ["too many pairs", Buffer.concat([GET, GET, GET, GET]), "FCGI_TOO_MANY_PARAMS"],
  ])("for %s is refused before anything that follows, however the bytes arrive", (_, content, error) => {
    const bytes = Buffer.concat([begin(1), params(1, content), begin(2), params(1), stdin(1)]);
    expect(readFourWays(newFastCgiReader({ maxParams: 3 }), bytes).events).toEqual([
      BEGUN,
      { type: "requestError", requestId: 1, error },
      { ...BEGUN, requestId: 2 },
    ]);
  });

  it("says 431 where a limit was reached and 400 where the bytes are wrong", () => {
    const hints = [pair("N".repeat(300), ""), Buffer.of(9)].map((content) => {
      const reader = newFastCgiReader()();
      reader.receive(Buffer.concat([begin(1), params(1, content), params(1)]));
      reader.nextEvent();
      const event = reader.nextEvent();
      return event?.type === "requestError" && event.error.statusHint;
    });
    expect(hints).toEqual([431, 400]);
  });

  it("is one whose body comes before its variables have ended", () => {
    const { events } = read(begin(1), params(1, GET), stdin(1, "early"), params(1), stdin(1), ...next);
    expect(events).toEqual([BEGUN, { type: "requestError", requestId: 1, error: "FCGI_BAD_PARAMS" }, ...served]);
  });

  it("stays open until it is forgotten", () => {
    const reader = newFastCgiReader()();
    readChunks(reader, [Buffer.concat([begin(1), params(1, "\x05"), params(1)])]);
    expect(reader.open).toBe(1);
    reader.forget(1);
    expect(reader.open).toBe(0);
  });
});

describe("requests that share a connection", () => {
  it("are told apart, their records in any order", () => {
    const { events } = read(
      begin(1),
      begin(3),
      params(3, pair("N", "3").subarray(0, 2)),
      params(1, pair("N", "1")),
      params(3, pair("N", "3").subarray(2)),
      params(1),
      stdin(1, "one "),
      params(3),
      stdin(3, "three "),
      stdin(1, "ONE"),
      stdin(3),
      stdin(1),
    );
    expect(events.map(({ type, requestId }) => `${type} ${String(requestId)}`)).toEqual([
      "beginRequest 1",
      "beginRequest 3",
      "params 1",
      "stdin 1",
      "params 3",
      "stdin 3",
      "stdin 1",
      "stdinEnd 3",
      "stdinEnd 1",
    ]);
    expect(events[2]?.["params"]).toEqual([["N", "1"]]);
    expect(events[4]?.["params"]).toEqual([["N", "3"]]);
  });

  it("are as many as the limit says", () => {
    const limits = { maxIdsPerConnection: 2 };
    const reading = readFourWays(newFastCgiReader(limits), Buffer.concat([begin(1), begin(2), begin(3)]));
    expect(reading.events).toHaveLength(2);
    expect(reading.failure).toBe("FCGI_TOO_MANY_REQUESTS");
  });

  it("hold no more unfinished variables than the limit says", () => {
    const limits = { maxHeadersTotalConnection: 1000 };
    const part = (id: number): Buffer => Buffer.concat([begin(id), params(id, pair("N", "v".repeat(330)))]);
    const fits = readChunks(newFastCgiReader(limits)(), [Buffer.concat([part(1), part(2)])]);
    expect(fits.failure).toBeNull();
    const reading = readFourWays(newFastCgiReader(limits), Buffer.concat([part(1), part(2), part(3)]));
    expect(reading.failure).toBe("FCGI_HEADS_TOO_LARGE");
    const ended = Buffer.concat([part(1), params(1), part(2), params(2), part(3), params(3), part(4)]);
    expect(readChunks(newFastCgiReader(limits)(), [ended]).failure).toBeNull();
  });
});

describe("the connection cannot be followed any more", () => {
  it.each([
    ["a version that is not 1", Buffer.concat([begin(1), Buffer.of(2, 4, 0, 1, 0, 0, 0, 0)]), "FCGI_BAD_VERSION"],
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "FCGI_BAD_VERSION"],
    ["BEGIN_REQUEST of 7 bytes", Buffer.concat([begin(1), record(1, 2, "1234567")]), "FCGI_BAD_BEGIN_REQUEST"],
    ["BEGIN_REQUEST of 9 bytes", Buffer.concat([begin(1), record(1, 2, "123456789")]), "FCGI_BAD_BEGIN_REQUEST"],
    ["BEGIN_REQUEST of none", Buffer.concat([begin(1), record(1, 2)]), "FCGI_BAD_BEGIN_REQUEST"],
    ["an id that is in use", Buffer.concat([begin(1), begin(1)]), "FCGI_REQUEST_ID_IN_USE"],
  ])("after %s", (_, bytes, failure) => {
    const reading = readFourWays(newFastCgiReader(), bytes);
    expect(reading.failure).toBe(failure);
    expect(reading.events.every((event) => event.type === "beginRequest" && event["requestId"] === 1)).toBe(true);
  });

  it("so the same error comes ever after, whatever is received", () => {
    const reader = newFastCgiReader()();
    reader.receive(Buffer.of(7, 0, 0, 0, 0, 0, 0, 0));
    expect(codeOf(() => reader.nextEvent())).toBe("FCGI_BAD_VERSION");
    reader.receive(begin(1));
    expect(codeOf(() => reader.nextEvent())).toBe("FCGI_BAD_VERSION");
  });
});

describe("management records", () => {
  it("ask for values", () => {
    const content = Buffer.concat([pair("FCGI_MAX_CONNS", ""), pair("FCGI_MPXS_CONNS", "")]);
    const { events, ending } = read(record(9, 0, content, 2), begin(1));
    expect(events[0]).toEqual({ type: "getValues", names: ["FCGI_MAX_CONNS", "FCGI_MPXS_CONNS"] });
    expect(ending).toBe("FCGI_TRUNCATED");
  });

  it("ask for nothing, or for half a name, and are answered with nothing", () => {
    const { events } = read(record(9, 0), record(9, 0, Buffer.of(14, 0, 70)), record(9, 0, Buffer.of(255)));
    expect(events.map((event) => event["names"])).toEqual([[], [], []]);
  });

  it("are not collected where they are absurdly long", () => {
    const { events } = read(record(9, 0, Buffer.concat(Array.from({ length: 700 }, () => pair("ABCD", "")))), begin(1));
    expect(events.map(({ type }) => type)).toEqual(["badRecord", "beginRequest"]);
  });

  it.each([0, 12, 100, 255])("of the unknown type %i are to be answered", (recordType) => {
    const { events } = read(record(recordType, 0, "whatever", 3), record(recordType, 0), begin(1));
    expect(events).toEqual([{ type: "unknownType", recordType }, { type: "unknownType", recordType }, BEGUN]);
  });
});

describe("a record out of place is ignored and told of", () => {
  it.each([
    ["PARAMS of a request that has not begun", params(9, GET)],
    ["empty PARAMS of a request that has not begun", params(9)],
    ["STDIN of a request that has not begun", stdin(9, "x")],
    ["DATA of a request that has not begun", data(9, "x")],
    ["ABORT_REQUEST of a request that has not begun", record(2, 9)],
    ["BEGIN_REQUEST with id 0", begin(0)],
    ["PARAMS with id 0", params(0, GET)],
    ["STDIN with id 0", stdin(0, "x")],
    ["GET_VALUES with an id", record(9, 1, pair("FCGI_MAX_CONNS", ""))],
    ["an unknown type with an id", record(77, 1, "x")],
    ["END_REQUEST, which is ours to send", record(3, 1, "12345678")],
    ["STDOUT, which is ours to send", record(6, 1, "x")],
    ["GET_VALUES_RESULT, which is ours to send", record(10, 0)],
    ["UNKNOWN_TYPE, which is ours to send", record(11, 0, "12345678")],
    ["PARAMS after their end", params(1, GET)],
    ["STDIN after its end", stdin(1, "more")],
  ])("%s", (_, stray) => {
    const { events, failure } = read(begin(1), params(1, GET), params(1), stdin(1), stray, begin(2));
    expect(failure).toBeNull();
    expect(events.map(({ type }) => type)).toEqual(["beginRequest", "params", "stdinEnd", "badRecord", "beginRequest"]);
  });

  it("but a second end of STDIN is not worth a word", () => {
    const { events } = read(begin(1), params(1), stdin(1), stdin(1), stdin(9));
    expect(events.map(({ type }) => type)).toEqual(["beginRequest", "params", "stdinEnd"]);
  });
});

describe("the end of the connection", () => {
  it("is fine before, between and after requests", () => {
    expect(codeOf(() => newFastCgiReader()().end())).toBeNull();
    expect(read(begin(1), params(1), stdin(1)).ending).toBeNull();
  });

  it("cuts a request short anywhere else", () => {
    const bytes = Buffer.concat([begin(1), params(1, GET, 3), params(1), stdin(1, "body", 4), stdin(1)]);
    for (let at = 1; at < bytes.length; at++) {
      expect(readChunks(newFastCgiReader()(), [bytes.subarray(0, at)]).ending).toBe("FCGI_TRUNCATED");
    }
  });

  it("cuts a filter's file short, but not an authorizer's body", () => {
    expect(read(begin(1, 3), params(1), stdin(1)).ending).toBe("FCGI_TRUNCATED");
    expect(read(begin(1, 2), params(1)).ending).toBeNull();
  });

  it("cuts nothing short that the gateway is done with", () => {
    const reader = newFastCgiReader()();
    readChunks(reader, [Buffer.concat([begin(1), params(1), stdin(1, "half")])]);
    reader.forget(1);
    expect(codeOf(() => reader.end())).toBeNull();
  });
});

describe("a forgotten request", () => {
  const head = [begin(1), params(1, GET), params(1)];

  it("is over for the reader: what still comes of it is skipped", () => {
    const reader = newFastCgiReader()();
    readChunks(reader, [Buffer.concat([...head, stdin(1, "a")])]);
    reader.forget(1);
    const rest = Buffer.concat([stdin(1, "b"), record(2, 1), data(1, "c"), data(1), stdin(1), begin(2)]);
    expect(readChunks(reader, [rest]).events).toEqual([{ ...BEGUN, requestId: 2 }]);
  });

  it("is skipped from the middle of a record on", () => {
    const reader = newFastCgiReader()();
    const record = stdin(1, "abcdef", 2);
    readChunks(reader, [Buffer.concat([...head, record.subarray(0, 10)])]);
    reader.forget(1);
    expect(readChunks(reader, [record.subarray(10), begin(3)]).events).toEqual([{ ...BEGUN, requestId: 3 }]);
  });

  it("is skipped from the middle of its variables on", () => {
    const reader = newFastCgiReader()();
    const record = params(1, pair("N", "v".repeat(100)));
    readChunks(reader, [Buffer.concat([begin(1), record.subarray(0, 50)])]);
    expect(reader.buffered).toBe(42);
    reader.forget(1);
    expect(reader.buffered).toBe(0);
    expect(readChunks(reader, [record.subarray(50), params(1), stdin(1), begin(3)]).events).toEqual([
      { ...BEGUN, requestId: 3 },
    ]);
  });

  it("leaves its id to a new one, whether its streams had ended or not", () => {
    const reader = newFastCgiReader()();
    for (const stream of [[stdin(1)], [], [stdin(1, "x")]]) {
      const { events } = readChunks(reader, [Buffer.concat([...head, ...stream])]);
      expect(events.slice(0, 2)).toEqual([BEGUN, GOT]);
      expect(reader.open).toBe(1);
      reader.forget(1);
      expect(reader.open).toBe(0);
    }
  });

  it("is forgotten twice, or was never there, without harm", () => {
    const reader = newFastCgiReader()();
    reader.forget(1);
    readChunks(reader, [Buffer.concat(head)]);
    reader.forget(1);
    reader.forget(1);
    expect(reader.open).toBe(0);
    expect(readChunks(reader, [begin(1)]).events).toEqual([BEGUN]);
  });

  it("frees its place among the open ones, but not more than one", () => {
    const reader = newFastCgiReader({ maxIdsPerConnection: 1 })();
    for (let id = 1; id < 1000; id++) {
      expect(readChunks(reader, [begin(id)]).failure).toBeNull();
      reader.forget(id);
    }
    expect(readChunks(reader, [begin(1)]).failure).toBeNull();
    expect(readChunks(reader, [begin(2)]).failure).toBe("FCGI_TOO_MANY_REQUESTS");
  });
});

describe("what is held back", () => {
  it("is no more than a started record needs, and nothing between requests", () => {
    const reader = newFastCgiReader()();
    const bytes = Buffer.concat([begin(1), params(1, GET), params(1), stdin(1, "x".repeat(500)), stdin(1)]);
    for (const byte of bytes) {
      readChunks(reader, [Buffer.of(byte)]);
      expect(reader.buffered).toBeLessThanOrEqual(8 + GET.length);
    }
    expect(reader.buffered).toBe(0);
  });

  it("grows with what has come and not with what is claimed", () => {
    const reader = newFastCgiReader()();
    const claim = Buffer.of(1, 4, 0, 1, 255, 255, 255, 0);
    readChunks(reader, [begin(1), claim, Buffer.concat([size(200), size(60_000), Buffer.alloc(100)])]);
    expect(reader.buffered).toBe(108);
  });

  it("is read fast enough, byte by byte and up to the limit", () => {
    const content = pair("N", "v".repeat(FASTCGI_LIMITS.maxParamValue));
    const records: Buffer[] = [];
    for (let at = 0; at < content.length; at += 4000) records.push(params(1, content.subarray(at, at + 4000)));
    const bytes = Buffer.concat([begin(1), ...records, params(1)]);
    const { events } = readChunks(
      newFastCgiReader()(),
      Array.from(bytes, (byte) => Buffer.of(byte)),
    );
    expect(events[1]?.["params"]).toEqual([["N", "v".repeat(FASTCGI_LIMITS.maxParamValue)]]);
  });
});
