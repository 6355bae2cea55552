import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { AjpClientReader } from "../../src/protocol/ajp/client-reader.ts";
import { encodeAjpRequest } from "../../src/protocol/ajp/client-writer.ts";
import type { AjpForwardRequest, AjpResponseEvent } from "../../src/protocol/ajp/events.ts";
import { AjpWriter } from "../../src/protocol/ajp/writer.ts";
import { newAjpReader, serveAjp } from "../support/codec.ts";
import { readChunks, type Told } from "../support/four-ways.ts";
import { cutAt, cuts, latin1, RUNS } from "./arbitraries.ts";

const name = latin1.filter((text) => text !== "" && !/^(?:content-length|transfer-encoding)$/i.test(text));
const pairs = fc.array(fc.tuple(name, latin1), { maxLength: 12 });
const method = fc.oneof(fc.constantFrom("GET", "POST", "MKACTIVITY", "BASELINE-CONTROL"), name);
const head: fc.Arbitrary<Omit<AjpForwardRequest, "contentLength">> = fc.record({
  ...{ method, protocol: latin1, reqUri: latin1, remoteAddr: latin1, remoteHost: fc.option(latin1) },
  ...{ serverName: latin1, serverPort: fc.nat(65_535), isSsl: fc.boolean(), headers: pairs, reqAttributes: pairs },
  attributes: fc
    .tuple(fc.uniqueArray(fc.integer({ min: 1, max: 9 })), latin1)
    .map(([codes, value]) => new Map(codes.map((code) => [code, value]))),
  secret: fc.option(latin1),
});
const packets = fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 5 });

/** Names that have codes come back in small letters. */
const lower = (pairs: AjpForwardRequest["headers"]): string[][] =>
  pairs.map(([name, value]) => [name.toLowerCase(), value]);

function bodyOf(lengths: readonly number[]): Uint8Array[] {
  return lengths.flatMap((length) =>
    encodeAjpRequest({ type: "body", content: Buffer.alloc(length, "The quick fox.") }),
  );
}

describe("what our client writes", () => {
  it("our reader reads, however bytes are cut, with a length and without", () => {
    fc.assert(
      fc.property(head, packets, fc.boolean(), cuts, (request, lengths, chunked, places) => {
        const length = lengths.reduce((sum, length) => sum + length, 0);
        const framing: [string, string] = chunked
          ? ["transfer-encoding", "chunked"]
          : ["content-length", String(length)];
        const whole = { ...request, headers: [...request.headers, framing] };
        const end = chunked ? encodeAjpRequest({ type: "body", content: new Uint8Array(0) }) : [];
        const head = encodeAjpRequest({ type: "forwardRequest", request: whole });
        const bytes = Buffer.concat([...head, ...bodyOf(lengths), ...end, ...encodeAjpRequest({ type: "cping" })]);
        const { events, failure, ending } = readChunks(newAjpReader()(), cutAt(bytes, places), { onEvent: serveAjp });
        const { headers, contentLength, ...told } = events[0]!["request"] as AjpForwardRequest;
        const { headers: sent, ...expected } = whole;
        expect(told).toEqual(expected);
        expect(lower(headers)).toEqual(lower(sent));
        expect(contentLength).toBe(chunked ? null : length);
        const rest: Told[] =
          length === 0
            ? []
            : [{ type: "body", content: String(Buffer.concat(lengths.map((n) => Buffer.alloc(n, "The quick fox.")))) }];
        expect(events.slice(1)).toEqual([...rest, { type: "bodyEnd" }, { type: "cping" }]);
        expect([failure, ending]).toEqual([null, null]);
      }),
      RUNS,
    );
  });
});

describe("what our writer writes", () => {
  const event: fc.Arbitrary<AjpResponseEvent> = fc.oneof(
    fc.record({
      ...{ type: fc.constant("sendHeaders" as const), status: fc.integer({ min: 200, max: 599 }), reason: latin1 },
      headers: fc.array(fc.tuple(name, latin1), { maxLength: 8 }),
    }),
    fc.nat(40_000).map((length) => ({ type: "sendBodyChunk" as const, content: Buffer.alloc(length, "fox") })),
    fc.record({ type: fc.constant("getBodyChunk" as const), requested: fc.nat(65_535) }),
    fc.record({ type: fc.constant("endResponse" as const), reuse: fc.boolean() }),
    fc.constant({ type: "cpong" as const }),
  );

  it("our client reads, in packets that are never too large", () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 8 }),
        fc.integer({ min: 8192, max: 65_536 }),
        cuts,
        (sent, size, places) => {
          const writer = new AjpWriter(size);
          for (const each of sent) writer.send(each);
          const bytes = Buffer.concat(writer.take());
          const told = readChunks(new AjpClientReader(), cutAt(bytes, places));
          const expected = readChunks(new AjpClientReader(), [bytes]);
          expect(told).toEqual(expected);
          expect(told.failure).toBeNull();
          const body = (events: readonly Told[]): number =>
            events.reduce((sum, each) => sum + (each.type === "sendBodyChunk" ? String(each["content"]).length : 0), 0);
          expect(body(told.events)).toBe(
            sent.reduce((sum, e) => sum + (e.type === "sendBodyChunk" ? e.content.length : 0), 0),
          );
          for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt16BE(at + 2)) {
            expect(4 + bytes.readUInt16BE(at + 2)).toBeLessThanOrEqual(size);
          }
        },
      ),
      RUNS,
    );
  });
});

describe("junk", () => {
  const limits = { maxParams: 5, maxParamName: 100 };

  it("yields events or a ProtocolError, is not hoarded, and reads the same in pieces", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(head, packets, changes, cuts, (request, lengths, changes, places) => {
        const length = lengths.reduce((sum, length) => sum + length, 0);
        const whole = { ...request, headers: [["content-length", String(length)] as const] };
        const bytes = Buffer.concat([
          ...encodeAjpRequest({ type: "forwardRequest", request: whole }),
          ...bodyOf(lengths),
        ]);
        for (const [place, byte] of changes) bytes[place % Math.min(bytes.length, 120)] = byte;
        const reader = newAjpReader(limits)();
        for (const chunk of cutAt(bytes, places)) {
          if (readChunks(reader, [chunk], { onEvent: serveAjp }).failure !== null) break;
          expect(reader.buffered).toBeLessThanOrEqual(65_536);
        }
        const expected = readChunks(newAjpReader(limits)(), [bytes], { onEvent: serveAjp });
        expect(readChunks(newAjpReader(limits)(), cutAt(bytes, places), { onEvent: serveAjp })).toEqual(expected);
      }),
      RUNS,
    );
  });
});
