import { describe, expect, it } from "vitest";

import { CgiResponseReader } from "../../../src/protocol/cgi-response-reader.ts";
import { readChunks, readFourWays, type Reading } from "../../support/four-ways.ts";

function read(text: string): Reading {
  return readFourWays(() => new CgiResponseReader(), Buffer.from(text, "latin1"));
}

describe("a CGI answer", () => {
  it("is a head and a body", () => {
    expect(read("Status: 404 Not Found\r\nContent-Type: text/plain\r\nX-A:b\r\n\r\nbody\r\n\r\nmore")).toEqual({
      events: [
        {
          type: "head",
          status: 404,
          reason: "Not Found",
          headers: [
            ["Content-Type", "text/plain"],
            ["X-A", "b"],
          ],
        },
        { type: "body", content: "body\r\n\r\nmore" },
      ],
      failure: null,
      ending: null,
    });
  });

  it.each([
    ["LF", "Status: 200 OK\nA: b\n\nbody"],
    ["both ends of line", "Status: 200 OK\nA: b\r\n\nbody"],
    ["both ends of line", "Status: 200 OK\r\nA: b\n\r\nbody"],
  ])("may have lines that end in %s", (_, text) => {
    expect(read(text).events).toEqual([
      { type: "head", status: 200, reason: "OK", headers: [["A", "b"]] },
      { type: "body", content: "body" },
    ]);
  });

  it.each([
    ["200 without a Status", "Content-Type: text/plain\n\n", 200, ""],
    ["302 with a Location and no Status", "Location: /elsewhere\n\n", 302, ""],
    ["what its Status says beside a Location", "Location: /elsewhere\nStatus: 201 Made\n\n", 201, "Made"],
    ["a status without a reason", "status:   204  \n\n", 204, ""],
    ["a reason with bytes beyond ASCII", "Status: 200 \xc3\xa9\n\n", 200, "\xc3\xa9"],
  ])("has the status %s", (_, text, status, reason) => {
    expect(read(text).events[0]).toMatchObject({ type: "head", status, reason });
  });

  it("keeps repeated headers, and colons in values", () => {
    expect(read("Set-Cookie: a=1\nSet-Cookie: b=2\nX: a:b\n\n").events[0]?.["headers"]).toEqual([
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
      ["X", "a:b"],
    ]);
  });

  it.each([
    ["a line without a colon", "HTTP/1.1 200 OK\r\n\r\n"],
    ["a line without a name", ": value\n\n"],
    ["a Status of two digits", "Status: 20 OK\n\n"],
    ["a Status without a number", "Status: OK\n\n"],
  ])("cannot be read with %s", (_, text) => {
    expect(read(text)).toMatchObject({ events: [], failure: "CGI_BAD_RESPONSE" });
  });

  it("needs a head", () => {
    expect(read("").ending).toBe("CGI_BAD_RESPONSE");
    expect(read("Status: 200 OK\r\n").ending).toBe("CGI_BAD_RESPONSE");
    expect(read("Status: 200 OK\r\n\r\n").ending).toBeNull();
  });

  it("has a head of 256 KiB at most, however it arrives", () => {
    const text = (length: number): Buffer => Buffer.from(`A: ${"a".repeat(length - 5)}\n\nbody`);
    const limit = 256 * 1024;
    for (const size of [1000, 400_000]) {
      const chunks = (bytes: Buffer): Buffer[] =>
        Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
      expect(readChunks(new CgiResponseReader(), chunks(text(limit))).failure).toBeNull();
      expect(readChunks(new CgiResponseReader(), chunks(text(limit + 1))).failure).toBe("CGI_BAD_RESPONSE");
    }
  });
});
