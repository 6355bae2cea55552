import { describe, expect, it } from "vitest";

import type { FastCgiClientRequest } from "../../../../src/protocol/fastcgi/client-events.ts";
import { FastCgiClientWriter } from "../../../../src/protocol/fastcgi/client-writer.ts";
import { newFastCgiReader } from "../../../support/codec.ts";
import { readFourWays } from "../../../support/four-ways.ts";

function write(...events: FastCgiClientRequest[]): Buffer {
  const writer = new FastCgiClientWriter();
  for (const event of events) writer.send(event);
  return Buffer.concat(writer.take());
}

describe("what a client writes", () => {
  it("is the specification's form, byte for byte", () => {
    const bytes = write(
      { type: "beginRequest", requestId: 258, role: 1, keepConn: true },
      {
        type: "params",
        requestId: 258,
        pairs: [
          ["AB", "c"],
          ["D", ""],
        ],
      },
      { type: "paramsEnd", requestId: 258 },
      { type: "stdin", requestId: 258, content: Buffer.from("12345678") },
      { type: "stdinEnd", requestId: 258 },
    );
    expect(bytes.toString("hex")).toBe(
      ["0101010200080000", "0001010000000000"].join("") +
        ["0104010200080000", "0201414263", "010044"].join("") +
        "0104010200000000" +
        ["0105010200080000", "3132333435363738"].join("") +
        "0105010200000000",
    );
  });

  it("is what the server's half reads", () => {
    const pairs: [string, string][] = [
      ["REQUEST_METHOD", "POST"],
      ["HTTP_COOKIE", "\xe9".repeat(128)],
      ["EMPTY", ""],
    ];
    const bytes = write(
      { type: "getValues", names: ["FCGI_MPXS_CONNS"] },
      { type: "beginRequest", requestId: 1, role: 3, keepConn: false },
      { type: "params", requestId: 1, pairs: pairs.slice(0, 1) },
      { type: "params", requestId: 1, pairs: pairs.slice(1) },
      { type: "paramsEnd", requestId: 1 },
      { type: "data", requestId: 1, content: Buffer.from("file") },
      { type: "dataEnd", requestId: 1 },
      { type: "abortRequest", requestId: 1 },
      { type: "stdinEnd", requestId: 1 },
    );
    expect(readFourWays(newFastCgiReader(), bytes).events).toEqual([
      { type: "getValues", names: ["FCGI_MPXS_CONNS"] },
      { type: "beginRequest", requestId: 1, role: 3, keepConn: false },
      { type: "params", requestId: 1, params: pairs },
      { type: "data", requestId: 1, content: "file" },
      { type: "dataEnd", requestId: 1 },
      { type: "abortRequest", requestId: 1 },
      { type: "stdinEnd", requestId: 1 },
    ]);
  });

  it("carries variables of more than a record", () => {
    const pairs: [string, string][] = [
      ["A", "a".repeat(60_000)],
      ["B", "b".repeat(60_000)],
      ["C", "c"],
    ];
    const bytes = write(
      { type: "beginRequest", requestId: 1, role: 1, keepConn: false },
      { type: "params", requestId: 1, pairs },
      { type: "paramsEnd", requestId: 1 },
    );
    expect(readFourWays(newFastCgiReader(), bytes, { places: 20 }).events[1]).toEqual({
      type: "params",
      requestId: 1,
      params: pairs,
    });
  });
});
