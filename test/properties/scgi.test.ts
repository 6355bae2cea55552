import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { CgiResponseReader } from "../../src/protocol/cgi-response-reader.ts";
import { encodeScgiRequest } from "../../src/protocol/scgi/client-writer.ts";
import { newScgiReader } from "../support/codec.ts";
import { readChunks, type Told } from "../support/four-ways.ts";
import { cutAt, cuts, latin1, RUNS } from "./arbitraries.ts";

const text = latin1.map((value) => value.replaceAll("\0", ""));
const pair = fc
  .tuple(
    text.filter((name) => name !== ""),
    text,
  )
  .filter(([name]) => name !== "CONTENT_LENGTH" && name !== "SCGI");
const body = fc.nat(3000).map((length) => Buffer.alloc(length, "The quick brown fox."));

describe("what our client writes", () => {
  it("our reader reads, however bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 20 }), body, fc.nat(20), cuts, (pairs, body, extra, places) => {
        const bytes = Buffer.concat([encodeScgiRequest(pairs, body.length), body, Buffer.alloc(extra)]);
        const expected: Told[] = [
          {
            type: "headers",
            params: [["CONTENT_LENGTH", String(body.length)], ["SCGI", "1"], ...pairs],
            contentLength: body.length,
          },
        ];
        if (body.length > 0) expected.push({ type: "body", content: body.toString("latin1") });
        expected.push({ type: "bodyEnd" });
        if (extra > 0) expected.push({ type: "extraData", bytes: extra });
        const reading = readChunks(newScgiReader()(), cutAt(bytes, places));
        expect(reading).toEqual({ events: expected, failure: null, ending: null });
      }),
      RUNS,
    );
  });

  it("is truncated wherever it ends too early", () => {
    fc.assert(
      fc.property(
        fc.array(pair, { maxLength: 5 }),
        body,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (pairs, body, share) => {
          const bytes = Buffer.concat([encodeScgiRequest(pairs, body.length), body]);
          const length = 1 + Math.floor(share * (bytes.length - 2));
          expect(readChunks(newScgiReader()(), [bytes.subarray(0, length)]).ending).toBe("SCGI_TRUNCATED");
        },
      ),
      RUNS,
    );
  });
});

describe("junk", () => {
  const limits = { maxHeaderNetstring: 1000, maxParams: 5 };

  it("yields events or a ProtocolError, is not hoarded, and reads the same in pieces", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 6 }), body, changes, cuts, (pairs, body, changes, places) => {
        const bytes = Buffer.concat([encodeScgiRequest(pairs, body.length), body]);
        for (const [place, byte] of changes) bytes[place % Math.min(bytes.length, 60)] = byte;
        const reader = newScgiReader(limits)();
        for (const chunk of cutAt(bytes, places)) {
          if (readChunks(reader, [chunk]).failure !== null) break;
          expect(reader.buffered).toBeLessThanOrEqual(limits.maxHeaderNetstring + 9);
        }
        const whole = readChunks(newScgiReader(limits)(), [bytes]);
        expect(readChunks(newScgiReader(limits)(), cutAt(bytes, places))).toEqual(whole);
      }),
      RUNS,
    );
  });

  it("as an answer makes the client's reader throw nothing but a ProtocolError", () => {
    const line = fc.oneof(fc.constantFrom("Status: 200 OK", "Status: x", "A: b", ":", "", "\r"), text);
    const document = fc.array(line, { maxLength: 6 }).map((lines) => Buffer.from(lines.join("\n"), "latin1"));
    fc.assert(
      fc.property(document, cuts, (bytes, places) => {
        expect(readChunks(new CgiResponseReader(), cutAt(bytes, places))).toEqual(
          readChunks(new CgiResponseReader(), [bytes]),
        );
      }),
      RUNS,
    );
  });
});
