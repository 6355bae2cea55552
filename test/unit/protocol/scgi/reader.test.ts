import { describe, expect, it } from "vitest";

import { newScgiReader } from "../../../support/codec.ts";
import { readChunks, readFourWays, type Reading } from "../../../support/four-ways.ts";

const HEADERS = "CONTENT_LENGTH\x004\0SCGI\x001\0REQUEST_METHOD\0POST\0";
const PARAMS = [
  ["CONTENT_LENGTH", "4"],
  ["SCGI", "1"],
  ["REQUEST_METHOD", "POST"],
];

function netstring(text: string): string {
  return `${text.length}:${text},`;
}

function read(text: string, make = newScgiReader()): Reading {
  return readFourWays(make, Buffer.from(text, "latin1"));
}

describe("a request", () => {
  it("is told as headers, body and its end", () => {
    expect(read(`${netstring(HEADERS)}body`)).toEqual({
      events: [
        { type: "headers", params: PARAMS, contentLength: 4 },
        { type: "body", content: "body" },
        { type: "bodyEnd" },
      ],
      failure: null,
      ending: null,
    });
  });

  it("reads the specification's example", () => {
    const text =
      "70:CONTENT_LENGTH\x0027\0SCGI\x001\0REQUEST_METHOD\0POST\0REQUEST_URI\0/deepthought\0," +
      "What is the answer to life?";
    expect(read(text).events).toEqual([
      {
        type: "headers",
        params: [
          ["CONTENT_LENGTH", "27"],
          ["SCGI", "1"],
          ["REQUEST_METHOD", "POST"],
          ["REQUEST_URI", "/deepthought"],
        ],
        contentLength: 27,
      },
      { type: "body", content: "What is the answer to life?" },
      { type: "bodyEnd" },
    ]);
  });

  it("without a body is over at once", () => {
    const { events, ending } = read(netstring("CONTENT_LENGTH\x000\0SCGI\x001\0"));
    expect(events.map(({ type }) => type)).toEqual(["headers", "bodyEnd"]);
    expect(ending).toBeNull();
  });

  it("takes CONTENT_LENGTH in any place, and twice if it is the same", () => {
    const [headers] = read(`${netstring("SCGI\x001\0A\0b\0CONTENT_LENGTH\x002\0CONTENT_LENGTH\x002\0")}ok`).events;
    expect(headers).toMatchObject({ type: "headers", contentLength: 2 });
  });

  it("may come without SCGI, which nginx sends only if it is told to", () => {
    const [headers] = read(netstring("CONTENT_LENGTH\x000\0A\0b\0")).events;
    expect(headers).toMatchObject({ type: "headers", contentLength: 0 });
  });

  it("keeps repeated names, empty values, and every byte but NUL", () => {
    const all = String.fromCharCode(...Array.from({ length: 255 }, (_, i) => i + 1));
    const [headers] = read(netstring(`${HEADERS}HTTP_A\x001\0HTTP_A\x002\0HTTP_B\0\0HTTP_C\0${all}\0`)).events;
    expect(headers?.["params"]).toEqual([...PARAMS, ["HTTP_A", "1"], ["HTTP_A", "2"], ["HTTP_B", ""], ["HTTP_C", all]]);
  });

  it("has a length beyond 32 bits", () => {
    const [headers] = read(netstring("CONTENT_LENGTH\x009007199254740991\0SCGI\x001\0")).events;
    expect(headers).toMatchObject({ contentLength: Number.MAX_SAFE_INTEGER });
  });

  it("passes on its body as views on the received chunks", () => {
    const reader = newScgiReader()();
    const chunk = Buffer.from(`${netstring(HEADERS)}body`);
    reader.receive(chunk);
    reader.nextEvent();
    const event = reader.nextEvent();
    expect(event?.type === "body" && event.content.buffer === chunk.buffer).toBe(true);
  });

  it("is read as well if all of it is received before any is taken", () => {
    const reader = newScgiReader()();
    for (const byte of Buffer.from(`${netstring(HEADERS)}bodyX`)) reader.receive(Buffer.of(byte));
    expect(readChunks(reader, [new Uint8Array(0)]).events.slice(1)).toEqual([
      { type: "body", content: "body" },
      { type: "bodyEnd" },
      { type: "extraData", bytes: 1 },
    ]);
  });

  it("tells of bytes after the body, and does not read them", () => {
    expect(read(`${netstring(HEADERS)}body${netstring(HEADERS)}`).events.slice(2)).toEqual([
      { type: "bodyEnd" },
      { type: "extraData", bytes: netstring(HEADERS).length },
    ]);
  });
});

describe("a tunnel", () => {
  it("is all that comes after the request, without an end, and none of it is held back", () => {
    const empty = netstring("CONTENT_LENGTH\x000\0SCGI\x001\0");
    const make = newScgiReader();
    const bytes = Buffer.from(`${empty}bytes \x00 that end nowhere`, "latin1");
    for (const cut of [bytes.length, empty.length, empty.length + 3]) {
      const reader = make();
      const chunks = [bytes.subarray(0, cut), bytes.subarray(cut)].filter(({ length }) => length > 0);
      const onEvent = (each: typeof reader, { type }: { type: string }): void => {
        if (type === "bodyEnd") each.startTunnel();
      };
      const { events, failure, ending } = readChunks(reader, chunks, { onEvent });
      expect(events.slice(1)).toEqual([{ type: "bodyEnd" }, { type: "body", content: "bytes \x00 that end nowhere" }]);
      expect({ failure, ending, buffered: reader.buffered }).toEqual({ failure: null, ending: null, buffered: 0 });
    }
  });
});

describe("the connection cannot be read", () => {
  it.each([
    ["HTTP", "GET / HTTP/1.1\r\n\r\n", "SCGI_BAD_NETSTRING"],
    ["FastCGI", "\x01\x01\x00\x01\x00\x08\x00\x00", "SCGI_BAD_NETSTRING"],
    ["a length without digits", ":,", "SCGI_BAD_NETSTRING"],
    ["a length with a leading zero", `0${netstring(HEADERS)}`, "SCGI_BAD_NETSTRING"],
    ["a length with a sign", `+${netstring(HEADERS)}`, "SCGI_BAD_NETSTRING"],
    ["a length with a space", ` ${netstring(HEADERS)}`, "SCGI_BAD_NETSTRING"],
    ["a length of eight digits", "10000000:", "SCGI_BAD_NETSTRING"],
    ["no comma after the headers", `${HEADERS.length}:${HEADERS};body`, "SCGI_BAD_NETSTRING"],
    ["more headers than the limit", "300000:", "SCGI_HEADERS_TOO_LARGE"],
    ["no headers", "0:,", "SCGI_BAD_HEADERS"],
    ["no NUL at the end", netstring(HEADERS.slice(0, -1)), "SCGI_BAD_HEADERS"],
    ["a name without a value", netstring(`${HEADERS}NAME\0`), "SCGI_BAD_HEADERS"],
    ["an empty name", netstring(`${HEADERS}\0value\0`), "SCGI_BAD_HEADERS"],
    ["SCGI that is not 1", netstring("CONTENT_LENGTH\x000\0SCGI\x002\0"), "SCGI_BAD_HEADERS"],
    ["SCGI that is empty", netstring("CONTENT_LENGTH\x000\0SCGI\0\0"), "SCGI_BAD_HEADERS"],
    ["SCGI that is 1 at its begin", netstring("CONTENT_LENGTH\x000\0SCGI\x0010\0"), "SCGI_BAD_HEADERS"],
    ["no CONTENT_LENGTH", netstring("SCGI\x001\0"), "SCGI_BAD_CONTENT_LENGTH"],
    ["an empty CONTENT_LENGTH", netstring("CONTENT_LENGTH\0\0SCGI\x001\0"), "SCGI_BAD_CONTENT_LENGTH"],
    ["two that differ", netstring(`${HEADERS}CONTENT_LENGTH\x005\0`), "SCGI_BAD_CONTENT_LENGTH"],
    ["two that differ in form", netstring(`${HEADERS}CONTENT_LENGTH\x0004\0`), "SCGI_BAD_CONTENT_LENGTH"],
    ...["-1", "+1", "1.0", "0x1", " 1", "1 ", "01", "00", "1e3", "12345678901234567", "1,1", "\xb2"].map((length) => [
      `CONTENT_LENGTH "${length}"`,
      netstring(`CONTENT_LENGTH\0${length}\0SCGI\x001\0`),
      "SCGI_BAD_CONTENT_LENGTH",
    ]),
  ])("with %s", (_, text, failure) => {
    const reading = read(text);
    expect(reading.events).toEqual([]);
    expect(reading.failure).toBe(failure);
  });

  it("as soon as the length is known to be too large", () => {
    const { failure } = readChunks(newScgiReader({ maxHeaderNetstring: 99 })(), [Buffer.from("100:")]);
    expect(failure).toBe("SCGI_HEADERS_TOO_LARGE");
  });
});

describe("headers over a limit are answered", () => {
  it.each([
    ["many", { maxParams: 2 }],
    ["long a name", { maxParamName: 13 }],
    ["long a value", { maxParamValue: 3 }],
  ])("where there are too %s", (_, limits) => {
    const { events, failure } = read(`${netstring(HEADERS)}body`, newScgiReader(limits));
    expect(events).toEqual([
      { type: "requestError", error: "SCGI_TOO_MANY_HEADERS" },
      { type: "extraData", bytes: 4 },
    ]);
    expect(failure).toBeNull();
  });
});

describe("the end of the connection", () => {
  it("is fine before a request, and after one", () => {
    expect(readChunks(newScgiReader()(), []).ending).toBeNull();
    expect(read(`${netstring(HEADERS)}body`).ending).toBeNull();
  });

  it("cuts the request short anywhere else", () => {
    const text = `${netstring(HEADERS)}body`;
    for (let at = 1; at < text.length; at++) {
      expect(readChunks(newScgiReader()(), [Buffer.from(text.slice(0, at))]).ending).toBe("SCGI_TRUNCATED");
    }
  });
});

describe("what is held back", () => {
  it("is no more than has come, and nothing of the body", () => {
    const reader = newScgiReader()();
    const text = `${netstring(`${HEADERS}A\0${"a".repeat(2000)}\0`)}body`;
    for (const [i, byte] of Buffer.from(text).entries()) {
      readChunks(reader, [Buffer.of(byte)]);
      expect(reader.buffered).toBeLessThanOrEqual(i + 1);
    }
    expect(reader.buffered).toBe(0);
  });
});
