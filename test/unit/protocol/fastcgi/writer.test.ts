import { describe, expect, it } from "vitest";

import type { FastCgiResponseEvent } from "../../../../src/protocol/fastcgi/events.ts";
import { FastCgiWriter } from "../../../../src/protocol/fastcgi/writer.ts";
import { pair, record } from "../../../support/records.ts";

const END = { type: "endRequest", requestId: 1, appStatus: 0, protocolStatus: 0 } as const;

function write(...events: FastCgiResponseEvent[]): Uint8Array[] {
  const writer = new FastCgiWriter();
  for (const event of events) writer.send(event);
  return writer.take();
}

function stdout(content: Uint8Array | string, requestId = 1): FastCgiResponseEvent {
  return { type: "stdout", requestId, content };
}

/** `record`, padded to 8 bytes with zeros. */
function padded(type: number, id: number, content: string | Uint8Array = ""): Buffer {
  const padding = -content.length & 7;
  const bytes = record(type, id, content, padding);
  return bytes.fill(0, bytes.length - padding);
}

/** Type, id and content of each record. */
function records(pieces: readonly Uint8Array[]): [number, number, string][] {
  const bytes = Buffer.concat(pieces);
  const all: [number, number, string][] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 8 + bytes.readUInt16BE(at + 4);
    all.push([bytes[at + 1]!, bytes.readUInt16BE(at + 2), bytes.toString("latin1", at + 8, end)]);
    at = end + bytes[at + 6]!;
  }
  return all;
}

describe("an answer", () => {
  it("leaves as one buffer: head and body in one record, the end of STDOUT, END_REQUEST", () => {
    const pieces = write(
      stdout("Status: 200 OK\r\n\r\n"),
      stdout(Buffer.from("hello")),
      { type: "stdoutEnd", requestId: 1 },
      END,
    );
    expect(pieces).toHaveLength(1);
    expect(pieces[0]).toEqual(
      Buffer.concat([
        padded(6, 1, "Status: 200 OK\r\n\r\nhello"),
        padded(6, 1),
        padded(3, 1, Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])),
      ]),
    );
  });

  it("carries appStatus and protocolStatus", () => {
    const [bytes] = write({ type: "endRequest", requestId: 513, appStatus: 0x01020304, protocolStatus: 3 });
    expect(bytes).toEqual(padded(3, 513, Buffer.from([1, 2, 3, 4, 3, 0, 0, 0])));
    const [negative] = write({ type: "endRequest", requestId: 1, appStatus: -1, protocolStatus: 0 });
    expect(negative).toEqual(padded(3, 1, Buffer.from([255, 255, 255, 255, 0, 0, 0, 0])));
  });

  it("keeps STDERR apart from STDOUT, and one request apart from the other", () => {
    const pieces = write(
      stdout("a"),
      { type: "stderr", requestId: 1, content: "e" },
      stdout("b"),
      stdout("c"),
      stdout("d", 2),
      { type: "stderrEnd", requestId: 1 },
      { type: "stdoutEnd", requestId: 2 },
    );
    expect(pieces).toHaveLength(1);
    expect(records(pieces)).toEqual([
      [6, 1, "a"],
      [7, 1, "e"],
      [6, 1, "bc"],
      [6, 2, "d"],
      [7, 1, ""],
      [6, 2, ""],
    ]);
  });

  it("does not end a stream by empty content", () => {
    expect(write(stdout(""), stdout(new Uint8Array(0)), { type: "stderr", requestId: 1, content: "" })).toEqual([]);
    expect(records(write(stdout("a"), stdout(""), stdout("b")))).toEqual([[6, 1, "ab"]]);
  });

  it("writes text as latin1", () => {
    expect(records(write(stdout("\xe9\xff\0")))).toEqual([[6, 1, "\xe9\xff\0"]]);
  });
});

describe("padding", () => {
  it.each([1, 7, 8, 9, 15, 16, 8191, 8192, 8193, 65_527])("fills %i bytes of content up to 8", (length) => {
    const content = Buffer.alloc(length, 0x41);
    expect(Buffer.concat(write(stdout(content))).equals(padded(6, 1, content))).toBe(true);
  });
});

describe("large content", () => {
  it("is not copied", () => {
    const content = Buffer.alloc(100_000, 1);
    const views = write(stdout(content)).filter((piece) => piece.buffer === content.buffer);
    expect(Buffer.concat(views).equals(content)).toBe(true);
  });

  it.each([65_528, 65_529, 65_535, 65_536, 131_056, 200_001])("of %i bytes is cut into records", (length) => {
    const text = "abcdefg".repeat(30_000).slice(0, length);
    for (const content of [text, Buffer.from(text)]) {
      const all = records(write(stdout(content)));
      expect(all.map(([, , part]) => part).join("")).toBe(text);
      expect(all.every(([type, id, part]) => type === 6 && id === 1 && part.length > 0 && part.length <= 65_528)).toBe(
        true,
      );
      expect(all).toHaveLength(Math.ceil(length / 65_528));
    }
  });

  it("stays in order with what is small", () => {
    const large = "L".repeat(9000);
    const pieces = write(
      stdout("head"),
      stdout(Buffer.from(large)),
      stdout("tail"),
      { type: "stdoutEnd", requestId: 1 },
      END,
    );
    const all = records(pieces);
    expect(
      all
        .slice(0, -2)
        .map(([, , part]) => part)
        .join(""),
    ).toBe(`head${large}tail`);
    expect(all.slice(-2).map(([type]) => type)).toEqual([6, 3]);
    expect(pieces.length).toBeLessThanOrEqual(3);
  });

  it("made of much that is small is cut into records too", () => {
    const parts = Array.from({ length: 300 }, (_, i) =>
      String.fromCharCode(65 + (i % 26)).repeat(1 + ((i * 7919) % 3000)),
    );
    const all = records(write(...parts.map((part) => stdout(part)), { type: "stdoutEnd", requestId: 1 }));
    expect(all.at(-1)).toEqual([6, 1, ""]);
    expect(all.map(([, , part]) => part).join("")).toBe(parts.join(""));
    expect(all.every(([, , part]) => part.length <= 65_528)).toBe(true);
    expect(all.length).toBeLessThan(20);
  });
});

describe("management records", () => {
  it("answer FCGI_GET_VALUES", () => {
    const [bytes] = write({
      type: "getValuesResult",
      values: [
        ["FCGI_MAX_CONNS", "10"],
        ["LONG", "v".repeat(200)],
      ],
    });
    const content = Buffer.concat([pair("FCGI_MAX_CONNS", "10"), pair("LONG", "v".repeat(200))]);
    expect(bytes).toEqual(padded(10, 0, content));
  });

  it("answer a type that we do not know", () => {
    expect(write({ type: "unknownType", recordType: 200 })[0]).toEqual(
      padded(11, 0, Buffer.from([200, 0, 0, 0, 0, 0, 0, 0])),
    );
  });
});

describe("what was taken", () => {
  it("is gone from the writer, whose pending bytes are those that take returns", () => {
    const writer = new FastCgiWriter();
    expect(writer.pending).toBe(0);
    expect(writer.take()).toEqual([]);
    for (const content of ["small", Buffer.alloc(20_000), "more"]) writer.send(stdout(content));
    const { pending } = writer;
    const length = Buffer.concat(writer.take()).length;
    expect(length - pending).toBeGreaterThanOrEqual(0);
    expect(length - pending).toBeLessThanOrEqual(7);
    expect(writer.pending).toBe(0);
    expect(writer.take()).toEqual([]);
  });

  it("is never written to again, by this writer or another", () => {
    const writers = Array.from({ length: 5 }, () => new FastCgiWriter());
    const taken: { pieces: Uint8Array[]; copy: Buffer }[] = [];
    for (let round = 0; round < 400; round++) {
      const writer = writers[(round * 7) % 5]!;
      for (let i = 0; i <= round % 4; i++) {
        writer.send(stdout(String.fromCharCode(33 + (round % 90)).repeat((round * 131) % 9000), 1 + (i % 2)));
      }
      if (round % 3 === 0) continue;
      const pieces = writer.take();
      taken.push({ pieces, copy: Buffer.concat(pieces) });
    }
    for (const { pieces, copy } of taken) expect(Buffer.concat(pieces).equals(copy)).toBe(true);
  });

  it("belongs to one writer each, though writers share their memory", () => {
    const one = new FastCgiWriter();
    const other = new FastCgiWriter();
    one.send(stdout("one ", 1));
    other.send(stdout("other ", 2));
    one.send(stdout("ONE", 1));
    other.send(stdout("OTHER", 2));
    expect(records(other.take())).toEqual([[6, 2, "other OTHER"]]);
    expect(records(one.take())).toEqual([[6, 1, "one ONE"]]);
  });
});
