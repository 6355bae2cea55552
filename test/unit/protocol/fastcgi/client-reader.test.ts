import { describe, expect, it } from "vitest";

import { FastCgiClientReader } from "../../../../src/protocol/fastcgi/client-reader.ts";
import { readFourWays, type Reading } from "../../../support/four-ways.ts";
import { pair, record } from "../../../support/records.ts";

const END = record(3, 1, Buffer.from([0, 0, 1, 2, 0, 9, 9, 9]));

function read(...records: Uint8Array[]): Reading {
  return readFourWays(() => new FastCgiClientReader(), Buffer.concat(records));
}

describe("an answer", () => {
  it("is told as output, errors and the end of the request", () => {
    const reading = read(
      record(6, 1, "Status: 200 OK\r\n", 5),
      record(6, 1, "\r\nhello"),
      record(7, 1, "oops", 255),
      record(7, 1),
      record(6, 1, "", 3),
      END,
    );
    expect(reading).toEqual({
      events: [
        { type: "stdout", requestId: 1, content: "Status: 200 OK\r\n\r\nhello" },
        { type: "stderr", requestId: 1, content: "oops" },
        { type: "stderrEnd", requestId: 1 },
        { type: "stdoutEnd", requestId: 1 },
        { type: "endRequest", requestId: 1, appStatus: 258, protocolStatus: 0 },
      ],
      failure: null,
      ending: null,
    });
  });

  it("tells requests apart", () => {
    expect(read(record(6, 1, "a"), record(6, 65535, "b"), record(6, 1, "c")).events).toEqual([
      { type: "stdout", requestId: 1, content: "a" },
      { type: "stdout", requestId: 65535, content: "b" },
      { type: "stdout", requestId: 1, content: "c" },
    ]);
  });

  it("has an appStatus of 32 bits and every protocolStatus", () => {
    const { events } = read(record(3, 1, Buffer.from([255, 255, 255, 254, 2, 0, 0, 0])));
    expect(events).toEqual([{ type: "endRequest", requestId: 1, appStatus: 0xfffffffe, protocolStatus: 2 }]);
  });
});

describe("management records", () => {
  it("tell values and unknown types", () => {
    const values = Buffer.concat([pair("FCGI_MAX_CONNS", "10"), pair("LONG", "v".repeat(300))]);
    expect(read(record(10, 0, values, 7), record(11, 0, Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]))).events).toEqual([
      {
        type: "getValuesResult",
        values: [
          ["FCGI_MAX_CONNS", "10"],
          ["LONG", "v".repeat(300)],
        ],
      },
      { type: "unknownType", recordType: 9 },
    ]);
  });
});

describe("an answer cannot be read", () => {
  it.each([
    ["in another version", Buffer.alloc(8, 0xff), "FCGI_BAD_VERSION"],
    ["in HTTP", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"), "FCGI_BAD_VERSION"],
    ["with a record that only clients send", record(5, 1, "x"), "FCGI_BAD_RECORD"],
    ["with a record of an unknown type", record(99, 1), "FCGI_BAD_RECORD"],
    ["with too short an END_REQUEST", record(3, 1, "1234"), "FCGI_BAD_RECORD"],
    ["with too long an UNKNOWN_TYPE", record(11, 0, "123456789"), "FCGI_BAD_RECORD"],
  ])("%s", (_, bytes, failure) => {
    const reading = read(record(6, 1, "a"), bytes);
    expect(reading.events).toEqual([{ type: "stdout", requestId: 1, content: "a" }]);
    expect(reading.failure).toBe(failure);
  });

  it("where the connection ends inside a record", () => {
    const bytes = Buffer.concat([record(6, 1, "abc", 5), END]);
    for (const at of [1, 7, 8, 10, 11, 15, 17, 24, bytes.length - 1]) {
      const { ending } = readFourWays(() => new FastCgiClientReader(), bytes.subarray(0, at));
      expect(ending).toBe("FCGI_TRUNCATED");
    }
  });
});
