import { describe, expect, it } from "vitest";

import type { AjpForwardRequest } from "../../../../src/protocol/ajp/events.ts";
import * as ajp from "../../../support/ajp-packets.ts";
import { newAjpReader, serveAjp } from "../../../support/codec.ts";
import { readChunks, readFourWays, type Reading } from "../../../support/four-ways.ts";

const { int, NULL, packet, string } = ajp;

function read(...pieces: readonly Uint8Array[]): Reading {
  return readFourWays(newAjpReader(), Buffer.concat(pieces), { onEvent: serveAjp });
}

function requestOf(...pieces: readonly Uint8Array[]): AjpForwardRequest {
  const [event] = read(...pieces).events;
  expect(event?.type).toBe("forwardRequest");
  return event!["request"] as AjpForwardRequest;
}

/** The fields before the headers, for packets that are wrong behind them. */
const BEGIN = [
  ...[2, 2, string("HTTP/1.1"), string("/"), string("203.0.113.7"), NULL, string("www.example.test"), int(80), 0],
];

describe("a request", () => {
  it("is told with all that its packet says", () => {
    const request = requestOf(
      ajp.forward({
        ...{ method: 2, uri: "/a%20b", ssl: 1 },
        headers: [
          [11, "www.example.test"],
          ["X-Caf\xe9", "\xff"],
          ["X-Empty", ""],
          ["X-Null", null],
        ],
        attributes: [
          ...[ajp.attribute(3, "alice"), ajp.attribute(4, "Basic"), ajp.attribute(5, "x=1"), ajp.attribute(8, "AES")],
          ...[11, int(256), ajp.reqAttribute("AJP_REMOTE_PORT", "52814"), ajp.attribute(12, "s3cret")],
        ],
      }),
    );
    expect(request).toEqual({
      ...{ method: "GET", protocol: "HTTP/1.1", reqUri: "/a%20b", remoteAddr: "203.0.113.7", remoteHost: null },
      ...{ serverName: "www.example.test", serverPort: 80, isSsl: true, secret: "s3cret", contentLength: 0 },
      headers: [
        ["host", "www.example.test"],
        ["X-Caf\xe9", "\xff"],
        ["X-Empty", ""],
        ["X-Null", ""],
      ],
      attributes: new Map([
        [3, "alice"],
        [4, "Basic"],
        [5, "x=1"],
        [8, "AES"],
        [11, "256"],
      ]),
      reqAttributes: [["AJP_REMOTE_PORT", "52814"]],
    });
  });

  it.each(
    [
      ...["OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE"],
      ...["LOCK", "UNLOCK", "ACL", "REPORT", "VERSION-CONTROL", "CHECKIN", "CHECKOUT", "UNCHECKOUT", "SEARCH"],
      ...["MKWORKSPACE", "UPDATE", "LABEL", "MERGE", "BASELINE-CONTROL", "MKACTIVITY"],
    ].map((name, i) => [i + 1, name] as const),
  )("has the method %i, which is %s", (method, name) => {
    expect(requestOf(ajp.forward({ method })).method).toBe(name);
  });

  it("has a method without a code in an attribute", () => {
    expect(requestOf(ajp.forward({ method: 255, attributes: [ajp.attribute(13, "PATCH")] })).method).toBe("PATCH");
  });

  it.each(
    [
      ...["accept", "accept-charset", "accept-encoding", "accept-language", "authorization", "connection"],
      ...["content-type", "content-length", "cookie", "cookie2", "host", "pragma", "referer", "user-agent"],
    ].map((name, i) => [i + 1, name] as const),
  )("has the header with the code %i, which is %s", (code, name) => {
    expect(requestOf(ajp.forward({ headers: [[code, "0"]] })).headers).toEqual([[name, "0"]]);
  });

  it("takes the key size as lighttpd writes it, in digits", () => {
    expect(requestOf(ajp.forward({ attributes: [11, string("256")] })).attributes).toEqual(new Map([[11, "256"]]));
  });

  it("is followed by the next one on a kept connection, and by CPING in any number", () => {
    const { events, ending } = read(ajp.CPING, ajp.forward(), ajp.CPING, ajp.CPING, ajp.forward());
    expect(events.map(({ type }) => type)).toEqual([
      ...["cping", "forwardRequest", "bodyEnd", "cping", "cping", "forwardRequest", "bodyEnd"],
    ]);
    expect(ending).toBeNull();
  });

  it("tells of SHUTDOWN and PING, which nobody obeys", () => {
    expect(read(packet(7), packet(8)).events).toEqual([
      { type: "ignored", what: "SHUTDOWN" },
      { type: "ignored", what: "PING" },
    ]);
  });
});

describe("a body", () => {
  const told = (...pieces: readonly Uint8Array[]): unknown[] => read(...pieces).events.slice(1);
  const whole = (content: string): unknown[] => [{ type: "body", content }, { type: "bodyEnd" }];

  it("has its first packet come unasked and the others asked for, to the announced length", () => {
    expect(told(ajp.post(9), ajp.body("first"), ajp.body("more"), ajp.forward())).toMatchObject([
      ...whole("firstmore"),
      { type: "forwardRequest" },
      { type: "bodyEnd" },
    ]);
  });

  it("of unknown length ends with an empty packet, in either form", () => {
    for (const end of [ajp.EMPTY, ajp.body("")]) {
      expect(told(ajp.chunked(), ajp.body("one"), ajp.body("two"), end)).toEqual(whole("onetwo"));
      expect(told(ajp.chunked(), end)).toEqual([{ type: "bodyEnd" }]);
    }
  });

  it("that ends too early is at its end all the same", () => {
    expect(told(ajp.post(9), ajp.body("first"), ajp.body(""))).toEqual(whole("first"));
  });

  it("comes from lighttpd without the inner length, in as many packets as make up what was asked for", () => {
    expect(told(ajp.post(12), ajp.bareBody("first"), ajp.bareBody("mor"), ajp.bareBody("e it"))).toEqual(
      whole("firstmore it"),
    );
    expect(told(ajp.post(1), ajp.bareBody("x"))).toEqual(whole("x"));
    expect(told(ajp.post(2), ajp.bareBody("xy"))).toEqual(whole("xy"));
  });

  it("that is none is followed by an empty packet of lighttpd's, before the answer or after it", () => {
    expect(told(ajp.forward(), ajp.EMPTY)).toEqual([{ type: "bodyEnd" }]);
    const reader = newAjpReader()();
    expect(readChunks(reader, [ajp.forward(), ajp.EMPTY]).failure).toBeNull();
    expect(readChunks(reader, [ajp.EMPTY]).failure).toBe("AJP_UNEXPECTED_PACKET");
  });

  it("is passed on as views on the received chunks", () => {
    const reader = newAjpReader()();
    const chunk = Buffer.concat([ajp.post(4), ajp.body("body")]);
    reader.receive(chunk);
    reader.nextEvent();
    const event = reader.nextEvent();
    expect(event?.type === "body" && event.content.buffer === chunk.buffer).toBe(true);
  });

  it("is read in packets of 64 KiB", () => {
    const content = "x".repeat(65_530);
    expect(told(ajp.post(65_530), ajp.body(content))).toEqual(whole(content));
  });

  it("is not waited for after an answer that ends the connection: what comes is passed over", () => {
    const reader = newAjpReader()();
    readChunks(reader, [ajp.post(100), ajp.body("some")]);
    reader.answered(false);
    expect(readChunks(reader, [ajp.body("more"), Buffer.from("junk")])).toEqual({
      ...{ events: [], failure: null, ending: null },
    });
    expect(reader.buffered).toBe(0);
  });
});

describe("the connection cannot be read", () => {
  const forwardOf = (...fields: (number | Uint8Array)[]): Buffer => packet(...BEGIN, ...fields);

  it.each<[string, Uint8Array, string]>([
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "AJP_BAD_MAGIC"],
    ["an answer", ajp.CPONG, "AJP_BAD_MAGIC"],
    ["a packet over 64 KiB", Buffer.of(0x12, 0x34, 0xff, 0xfd), "AJP_PACKET_TOO_LARGE"],
    ["an unknown type", packet(77), "AJP_UNEXPECTED_PACKET"],
    ["the type of an answer", packet(5, 1), "AJP_BAD_PACKET"],
    ["an empty packet before any request", ajp.EMPTY, "AJP_UNEXPECTED_PACKET"],
    ["bytes behind CPING", packet(10, 0), "AJP_BAD_PACKET"],
    ["nothing but the type", packet(2), "AJP_BAD_PACKET"],
    ["a method of an unknown code", ajp.forward({ method: 28 }), "AJP_BAD_PACKET"],
    ["a method of the code 0", ajp.forward({ method: 0 }), "AJP_BAD_PACKET"],
    ["a stored method that is not there", ajp.forward({ method: 255 }), "AJP_BAD_PACKET"],
    ["a string that reaches over the end", packet(2, 2, int(9), Buffer.from("HTTP/1.1\0")), "AJP_BAD_PACKET"],
    ["a string without its NUL", packet(2, 2, int(8), Buffer.from("HTTP/1.1/")), "AJP_BAD_PACKET"],
    ["fewer headers than announced", forwardOf(int(2), string("A"), string("b"), 0xff), "AJP_BAD_PACKET"],
    ["a header of an unknown code", ajp.forward({ headers: [[15, "x"]] }), "AJP_BAD_PACKET"],
    ["a header whose name is null", forwardOf(int(1), NULL, string("b"), 0xff), "AJP_BAD_PACKET"],
    ["a header whose name is empty", forwardOf(int(1), string(""), string("b"), 0xff), "AJP_BAD_PACKET"],
    ["no end of the attributes", forwardOf(int(0)), "AJP_BAD_PACKET"],
    ["an attribute of the code 0", forwardOf(int(0), 0, 0xff), "AJP_BAD_PACKET"],
    ["an attribute of an unknown code", forwardOf(int(0), ajp.attribute(14, "x"), 0xff), "AJP_BAD_PACKET"],
    ["an attribute that reaches over the end", forwardOf(int(0), 3, int(200), 0xff), "AJP_BAD_PACKET"],
    ["bytes behind the end of the attributes", forwardOf(int(0), 0xff, 0), "AJP_BAD_PACKET"],
    ...["-1", "+1", "1.0", "0x1", " 1", "01", "", "1234567890123456"].map(
      (length) =>
        [`Content-Length "${length}"`, ajp.forward({ headers: [[8, length]] }), "AJP_BAD_CONTENT_LENGTH"] as [
          string,
          Uint8Array,
          string,
        ],
    ),
    ["two lengths that differ", ajp.post(3, { headers: [["Content-Length", "4"]] }), "AJP_BAD_CONTENT_LENGTH"],
    ["a length beside a Transfer-Encoding", ajp.chunked({ headers: [[8, "4"]] }), "AJP_BAD_CONTENT_LENGTH"],
  ])("with %s", (_, bytes, failure) => {
    const reading = read(bytes);
    expect(reading.events).toEqual([]);
    expect(reading.failure).toBe(failure);
  });

  it.each<[string, Uint8Array[], string]>([
    ["more body than announced", [ajp.post(3), ajp.body("four")], "AJP_BAD_PACKET"],
    ["more of it from lighttpd", [ajp.post(3), ajp.bareBody("four")], "AJP_BAD_PACKET"],
    ["lengths that do not fit", [ajp.post(9), ajp.body("one"), packet(int(5), Buffer.from("two"))], "AJP_BAD_PACKET"],
  ])("with %s", (_, pieces, failure) => {
    expect(read(...pieces).failure).toBe(failure);
  });

  it("with a packet before the answer that nobody has asked for, so that no body is taken for a request", () => {
    const smuggled = ajp.body(ajp.forward({ uri: "/smuggled" }));
    for (const head of [ajp.forward(), ajp.chunked(), ajp.post(0)]) {
      const { events, failure } = readFourWays(newAjpReader(), Buffer.concat([head, smuggled]));
      expect(failure).toBe("AJP_UNEXPECTED_PACKET");
      expect(events.filter(({ type }) => type === "forwardRequest")).toHaveLength(1);
    }
    // Asked for when its begin had come already.
    const reader = newAjpReader()();
    readChunks(reader, [ajp.post(9), ajp.body("one"), ajp.body("two").subarray(0, 8)]);
    reader.asked(6);
    expect(readChunks(reader, [ajp.body("two").subarray(8)]).failure).toBe("AJP_UNEXPECTED_PACKET");
    const { failure } = readFourWays(newAjpReader(), Buffer.concat([ajp.forward(), ajp.forward()]));
    expect(failure).toBe("AJP_UNEXPECTED_PACKET");
  });
});

describe("a request over a limit is answered", () => {
  it.each([
    ["many headers", { maxParams: 1 }, [], ["a", "b"]],
    ["many attributes", { maxParams: 2 }, [ajp.reqAttribute("A", "1"), ajp.reqAttribute("B", "2")], ["a"]],
    ["long a name", { maxParamName: 3 }, [], ["name"]],
    ["long a value", { maxParamValue: 3 }, [ajp.attribute(5, "long")], []],
  ] as const)("where there is too %s", (_, limits, attributes, names) => {
    const bytes = ajp.forward({ attributes, headers: names.map((name) => [name, "x"] as const) });
    const { events, failure } = readFourWays(newAjpReader(limits), Buffer.concat([bytes, ajp.CPING]));
    expect(events).toEqual([{ type: "requestError", error: "AJP_TOO_MANY_HEADERS" }]);
    expect(failure).toBeNull();
  });
});

describe("the end of the connection", () => {
  it("is fine before, between and after requests, and cuts anything else short", () => {
    const bytes = Buffer.concat([ajp.post(4), ajp.body("body")]);
    for (let at = 0; at <= bytes.length; at++) {
      const { ending } = readChunks(newAjpReader()(), [bytes.subarray(0, at)], { onEvent: serveAjp });
      expect(ending).toBe(at === 0 || at === bytes.length ? null : "AJP_TRUNCATED");
    }
  });
});

describe("what is held back", () => {
  it("is no more than one packet's begin, and nothing of a body", () => {
    const reader = newAjpReader()();
    const bytes = Buffer.concat([ajp.post(3000), ajp.body("x".repeat(3000))]);
    for (const [i, byte] of bytes.entries()) {
      readChunks(reader, [Buffer.of(byte)]);
      expect(reader.buffered).toBeLessThanOrEqual(Math.min(i + 1, ajp.post(3000).length));
    }
    expect(reader.buffered).toBe(0);
  });
});
