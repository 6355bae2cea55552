import { describe, expect, it } from "vitest";

import { AjpClientReader } from "../../../../src/protocol/ajp/client-reader.ts";
import { encodeAjpRequest } from "../../../../src/protocol/ajp/client-writer.ts";
import type { AjpResponseEvent } from "../../../../src/protocol/ajp/events.ts";
import { AjpWriter } from "../../../../src/protocol/ajp/writer.ts";
import { answer, body, CPING, CPONG, forward, int, NULL, string } from "../../../support/ajp-packets.ts";
import { newAjpReader } from "../../../support/codec.ts";
import { readFourWays } from "../../../support/four-ways.ts";

function written(events: readonly AjpResponseEvent[], packetSize = 8192): Buffer {
  const writer = new AjpWriter(packetSize);
  for (const event of events) writer.send(event);
  const bytes = Buffer.concat(writer.take());
  expect(writer.pending).toBe(0);
  return bytes;
}

describe("what the gateway writes", () => {
  it("is a head with its names as codes where there are any, in any spelling", () => {
    const headers = [
      ["Content-Type", "text/plain"],
      ["set-cookie", "a=1"],
      ["WWW-Authenticate", "Basic"],
      ["X-Caf\xe9", "\xff"],
    ] as const;
    expect(written([{ type: "sendHeaders", status: 404, reason: "Not Found", headers }])).toEqual(
      answer(
        ...[4, int(404), string("Not Found"), int(4), int(0xa001), string("text/plain"), int(0xa007), string("a=1")],
        ...[int(0xa00b), string("Basic"), string("X-Caf\xe9"), string("\xff")],
      ),
    );
  });

  it.each(
    [
      ...["Content-Type", "Content-Language", "Content-Length", "Date", "Last-Modified", "Location", "Set-Cookie"],
      ...["Set-Cookie2", "Servlet-Engine", "Status", "WWW-Authenticate"],
    ].map((name, i) => [name, i + 1] as const),
  )("has %s as the code %i", (name, code) => {
    const head = { type: "sendHeaders", status: 200, reason: "", headers: [[name, "x"]] } as const;
    expect(written([head])).toEqual(answer(4, int(200), string(""), int(1), int(0xa000 + code), string("x")));
  });

  it.each([
    ["a name with a code", ["X-One", "X-Two", "Date", "Set-Cookie"], ["Date", "X-One", "X-Two", "Set-Cookie"]],
    ["the longest name", ["X-One", "X-Longest", "X-Two"], ["X-Longest", "X-One", "X-Two"]],
    ["nothing where there is nothing", [], []],
  ])("has %s first, since lighttpd takes that for the number of headers", (_, names, order) => {
    const headers = names.map((name) => [name, "x"] as const);
    const reading = readFourWays(
      () => new AjpClientReader(),
      written([{ type: "sendHeaders", status: 200, reason: "OK", headers }]),
    );
    expect(reading.events).toMatchObject([{ headers: order.map((name) => [name, "x"]) }]);
  });

  it("is a chunk with the NUL that mod_proxy_ajp insists on; an empty one is not sent", () => {
    expect(written([{ type: "sendBodyChunk", content: Buffer.from("hello") }])).toEqual(
      answer(3, int(5), Buffer.from("hello\0")),
    );
    expect(written([{ type: "sendBodyChunk", content: Buffer.alloc(0) }])).toHaveLength(0);
  });

  it.each([8192, 10_000, 65_536])("has no packet over %i bytes, whatever the body", (packetSize) => {
    for (const length of [packetSize - 8, packetSize - 7, 300_000]) {
      const content = Buffer.alloc(length, "0123456789");
      const bytes = written([{ type: "sendBodyChunk", content }], packetSize);
      const parts: Buffer[] = [];
      for (let at = 0; at < bytes.length;) {
        const size = 4 + bytes.readUInt16BE(at + 2);
        expect(size).toBeLessThanOrEqual(packetSize);
        parts.push(bytes.subarray(at + 7, at + size - 1));
        at += size;
      }
      expect(parts).toHaveLength(Math.ceil(length / (packetSize - 8)));
      expect(Buffer.concat(parts).equals(content)).toBe(true);
    }
  });

  it("has small pieces in one buffer and large content as it is", () => {
    const writer = new AjpWriter(8192);
    const large = Buffer.alloc(20_000);
    writer.send({ type: "sendBodyChunk", content: Buffer.from("small") });
    writer.send({ type: "endResponse", reuse: true });
    expect(writer.take()).toHaveLength(1);
    writer.send({ type: "sendBodyChunk", content: large });
    const pieces = writer.take();
    expect(pieces).toHaveLength(7);
    expect(pieces.filter((piece) => piece.buffer === large.buffer)).toHaveLength(3);
  });

  it("says whether a head fits into a packet, to the byte", () => {
    const head = (length: number) =>
      ({ type: "sendHeaders", status: 200, reason: "", headers: [["X", "x".repeat(length)]] }) as const;
    const writer = new AjpWriter(8192);
    const most = 8192 - 4 - 1 - 2 - 3 - 2 - 4 - 3;
    expect([writer.fits(head(most)), writer.fits(head(most + 1))]).toEqual([true, false]);
    expect(() => writer.send(head(most + 1))).toThrow(RangeError);
    expect(writer.pending).toBe(0);
    writer.send(head(most));
    expect(writer.pending).toBe(8192);
    const coded = { ...head(0), reason: "OK", headers: [["Location", "/"]] } as const;
    writer.send(coded);
    expect(writer.pending - 8192).toBe(4 + 1 + 2 + 5 + 2 + 2 + 4);
    // Longer than the length of a packet can say, by one value and by many.
    const largest = new AjpWriter(65_536);
    const many = Array.from({ length: 9000 }, (): [string, string] => ["X", "x"]);
    expect([largest.fits(head(70_000)), largest.fits({ ...head(0), headers: many })]).toEqual([false, false]);
  });

  it("asks, ends and answers CPING", () => {
    expect(
      written([
        { type: "getBodyChunk", requested: 8186 },
        { type: "endResponse", reuse: true },
        { type: "endResponse", reuse: false },
        { type: "cpong" },
      ]),
    ).toEqual(Buffer.concat([answer(6, int(8186)), answer(5, 1), answer(5, 0), CPONG]));
  });
});

describe("what a client writes and reads", () => {
  it("is a request as web servers write it", () => {
    const request = {
      ...{ method: "PATCH", protocol: "HTTP/1.1", reqUri: "/", remoteAddr: "203.0.113.7", remoteHost: null },
      ...{ serverName: "www.example.test", serverPort: 80, isSsl: true, secret: "s3cret" },
      headers: [
        ["Host", "a"],
        ["X-B", "c"],
      ],
      attributes: new Map([
        [5, "q"],
        [11, "256"],
      ]),
      reqAttributes: [["A", "1"]],
    } as const;
    const expected = forward({
      ...{ method: 255, ssl: 1 },
      headers: [
        [11, "a"],
        ["X-B", "c"],
      ],
      attributes: [
        ...[5, string("q"), 11, int(256), 10, string("A"), string("1"), 12, string("s3cret"), 13, string("PATCH")],
      ],
    });
    expect(Buffer.concat(encodeAjpRequest({ type: "forwardRequest", request }))).toEqual(expected);
    const [event] = readFourWays(newAjpReader(), expected).events;
    expect(event).toMatchObject({
      request: {
        ...request,
        headers: [
          ["host", "a"],
          ["X-B", "c"],
        ],
      },
    });
  });

  it("is a body in packets, and CPING", () => {
    const content = Buffer.from("body");
    expect(Buffer.concat(encodeAjpRequest({ type: "body", content }))).toEqual(body("body"));
    expect(Buffer.concat(encodeAjpRequest({ type: "body", content: Buffer.alloc(0) }))).toEqual(body(""));
    expect(Buffer.concat(encodeAjpRequest({ type: "cping" }))).toEqual(CPING);
  });

  it("is an answer, read four ways", () => {
    const bytes = Buffer.concat([
      answer(4, int(200), string("OK"), int(2), int(0xa001), string("text/plain"), string("X-A"), NULL),
      answer(6, int(8186)),
      answer(3, int(5), Buffer.from("hello\0")),
      answer(3, int(0), 0),
      answer(5, 1),
      CPONG,
    ]);
    const headers = [
      ["Content-Type", "text/plain"],
      ["X-A", ""],
    ];
    expect(readFourWays(() => new AjpClientReader(), bytes)).toEqual({
      events: [
        { type: "sendHeaders", status: 200, reason: "OK", headers },
        { type: "getBodyChunk", requested: 8186 },
        { type: "sendBodyChunk", content: "hello" },
        { type: "endResponse", reuse: true },
        { type: "cpong" },
      ],
      failure: null,
      ending: null,
    });
  });

  it.each<[string, Uint8Array, string]>([
    ["HTTP", Buffer.from("HTTP/1.1 200 OK"), "AJP_BAD_MAGIC"],
    ["an unknown type", answer(77), "AJP_UNEXPECTED_PACKET"],
    ["an empty packet", answer(), "AJP_BAD_PACKET"],
    ["a chunk without its NUL", answer(3, int(5), Buffer.from("hello")), "AJP_BAD_PACKET"],
    ["a header of an unknown code", answer(4, int(200), NULL, int(1), int(0xa00c), string("x")), "AJP_BAD_PACKET"],
    ["bytes behind the end", answer(5, 1, 1), "AJP_BAD_PACKET"],
  ])("is no answer with %s", (_, bytes, failure) => {
    expect(readFourWays(() => new AjpClientReader(), bytes).failure).toBe(failure);
  });
});
