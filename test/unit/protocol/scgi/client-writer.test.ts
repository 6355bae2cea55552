import { describe, expect, it } from "vitest";

import { encodeScgiRequest } from "../../../../src/protocol/scgi/client-writer.ts";
import { newScgiReader } from "../../../support/codec.ts";
import { readFourWays } from "../../../support/four-ways.ts";

describe("what an SCGI client writes", () => {
  it("is the specification's example", () => {
    const bytes = encodeScgiRequest(
      [
        ["REQUEST_METHOD", "POST"],
        ["REQUEST_URI", "/deepthought"],
      ],
      27,
    );
    expect(Buffer.from(bytes).toString("latin1")).toBe(
      "70:CONTENT_LENGTH\x0027\0SCGI\x001\0REQUEST_METHOD\0POST\0REQUEST_URI\0/deepthought\0,",
    );
  });

  it("has one CONTENT_LENGTH and one SCGI, whatever is given", () => {
    const pairs = [
      ["SCGI", "2"],
      ["A", "\xe9"],
      ["CONTENT_LENGTH", "99"],
      ["A", ""],
    ] as const;
    const bytes = Buffer.concat([encodeScgiRequest(pairs, 3), Buffer.from("abc")]);
    expect(readFourWays(newScgiReader(), bytes).events).toEqual([
      {
        type: "headers",
        params: [
          ["CONTENT_LENGTH", "3"],
          ["SCGI", "1"],
          ["A", "\xe9"],
          ["A", ""],
        ],
        contentLength: 3,
      },
      { type: "body", content: "abc" },
      { type: "bodyEnd" },
    ]);
  });
});
