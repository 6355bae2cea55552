import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { FastCgiClientRequest } from "../../src/protocol/fastcgi/client-events.ts";
import { FastCgiClientReader } from "../../src/protocol/fastcgi/client-reader.ts";
import { FastCgiClientWriter } from "../../src/protocol/fastcgi/client-writer.ts";
import type { FastCgiResponseEvent } from "../../src/protocol/fastcgi/events.ts";
import { encodePairs } from "../../src/protocol/fastcgi/name-value.ts";
import { FastCgiWriter } from "../../src/protocol/fastcgi/writer.ts";
import { newFastCgiReader } from "../support/codec.ts";
import { readChunks, type Told } from "../support/four-ways.ts";
import { begin, params as paramsRecord, stdin } from "../support/records.ts";
import { cutAt, cuts, interleaved, latin1, pair, RUNS } from "./arbitraries.ts";

/** Lengths on both sides of what is copied, of what fits into one record, and into one byte of a length. */
const content = fc
  .oneof(
    { weight: 4, arbitrary: fc.nat(300) },
    { weight: 1, arbitrary: fc.constantFrom(8191, 8192, 8193, 65_527, 65_528, 65_529, 65_536, 140_000) },
  )
  .map((length) => Buffer.alloc(length, "The quick brown fox."));

const body = fc.array(content, { maxLength: 4 });

/** What a web server sends for one request, without its id. */
const request = fc
  .record({
    role: fc.integer({ min: 1, max: 3 }),
    keepConn: fc.boolean(),
    heads: fc.array(fc.array(pair, { maxLength: 8 }), { maxLength: 3 }),
    body,
  })
  .map(({ role, keepConn, heads, body }) => (requestId: number): FastCgiClientRequest[] => [
    { type: "beginRequest", requestId, role, keepConn },
    ...heads.map((pairs): FastCgiClientRequest => ({ type: "params", requestId, pairs })),
    { type: "paramsEnd", requestId },
    ...body.map((content): FastCgiClientRequest => ({ type: "stdin", requestId, content })),
    { type: "stdinEnd", requestId },
  ]);

const answer = fc
  .record({
    parts: fc.array(fc.tuple(fc.boolean(), fc.oneof(content, latin1)), { maxLength: 6 }),
    appStatus: fc.nat(0xffff_ffff),
    protocolStatus: fc.nat(3),
  })
  .map(({ parts, appStatus, protocolStatus }) => (requestId: number): FastCgiResponseEvent[] => [
    ...parts.map(([error, content]): FastCgiResponseEvent => ({
      type: error ? "stderr" : "stdout",
      requestId,
      content,
    })),
    { type: "stdoutEnd", requestId },
    { type: "endRequest", requestId, appStatus, protocolStatus },
  ]);

describe("what our client writes", () => {
  it("our reader reads, however requests are mixed and bytes are cut", () => {
    fc.assert(
      fc.property(interleaved(request, 4), cuts, fc.integer({ min: 1, max: 5 }), (events, places, takeEvery) => {
        const {
          events: told,
          failure,
          ending,
        } = readChunks(newFastCgiReader()(), cutAt(written(new FastCgiClientWriter(), events, takeEvery), places));
        expect(failure).toBeNull();
        expect(ending).toBe(
          events.some((event) => event.type === "beginRequest" && event.role === 3) ? "FCGI_TRUNCATED" : null,
        );
        for (const id of new Set(events.map((event) => ("requestId" in event ? event.requestId : 0)))) {
          expect(merged(told.filter((event) => event["requestId"] === id))).toEqual(expectedRequest(events, id));
        }
      }),
      RUNS,
    );
  });
});

describe("variables", () => {
  it("are read wherever records and chunks cut them, whatever the padding", () => {
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 8 }), cuts, fc.nat(255), cuts, (pairs, recordEnds, padding, places) => {
        const records = cutAt(encodePairs(pairs), recordEnds).filter((part) => part.length > 0);
        const bytes = Buffer.concat([
          begin(1),
          ...records.map((part, i) => paramsRecord(1, part, (padding * (i + 1)) % 256)),
          paramsRecord(1, "", padding),
          stdin(1),
        ]);
        expect(readChunks(newFastCgiReader()(), cutAt(bytes, places)).events[1]).toEqual({
          type: "params",
          requestId: 1,
          params: pairs,
        });
      }),
      RUNS,
    );
  });
});

describe("what our gateway writes", () => {
  it("our client reads, however answers are mixed and bytes are cut", () => {
    fc.assert(
      fc.property(interleaved(answer, 4), cuts, fc.integer({ min: 1, max: 5 }), (events, places, takeEvery) => {
        const reading = readChunks(
          new FastCgiClientReader(),
          cutAt(written(new FastCgiWriter(), events, takeEvery), places),
        );
        expect({ failure: reading.failure, ending: reading.ending }).toEqual({ failure: null, ending: null });
        const plain = events.map((event) => ("content" in event ? { ...event, content: text(event.content) } : event));
        expect(merged(reading.events)).toEqual(merged(plain));
      }),
      RUNS,
    );
  });

  it("is padded to eight bytes, says beforehand how long it is, and is never written to again", () => {
    fc.assert(
      fc.property(interleaved(answer, 3), interleaved(answer, 3), (first, second) => {
        const writer = new FastCgiWriter();
        for (const event of first) writer.send(event);
        const { pending } = writer;
        const taken = writer.take();
        const bytes = Buffer.concat(taken);
        expect(bytes.length).toBe(bytes.length & ~7);
        expect(writer.pending).toBe(0);
        expect(pending).toBe(bytes.length);
        const other = new FastCgiWriter();
        for (const event of second) {
          other.send(event);
          writer.send(event);
        }
        expect(Buffer.concat(other.take()).equals(Buffer.concat(writer.take()))).toBe(true);
        expect(Buffer.concat(taken).equals(bytes)).toBe(true);
      }),
      RUNS,
    );
  });
});

describe("junk", () => {
  const limits = { maxParamsBytes: 2000, maxHeadersTotalConnection: 5000, maxIdsPerConnection: 3 };
  /** The unfinished heads, a header and a BEGIN_REQUEST or GET_VALUES that is split. */
  const MOST = limits.maxHeadersTotalConnection + 8 + 4096;

  /** Headers that look right more often than not. */
  const junkRecord = fc
    .tuple(
      fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 0, 2),
      fc.oneof(fc.integer({ min: 1, max: 5 }), fc.nat(255)),
      fc.nat(4),
      fc.nat(600),
      fc.nat(255),
      fc.uint8Array({ maxLength: 700 }),
    )
    .map(([version, type, id, length, padding, rest]) =>
      Buffer.concat([
        Buffer.of(version, type, 0, id, length >> 8, length & 255, padding, 0),
        rest.subarray(0, length),
        Buffer.alloc(padding),
      ]),
    );

  it("yields events or a ProtocolError, and is not hoarded", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(junkRecord, fc.uint8Array({ maxLength: 50 })), { maxLength: 30 }),
        cuts,
        (parts, places) => {
          const reader = newFastCgiReader(limits)();
          for (const chunk of cutAt(Buffer.concat(parts), places)) {
            const { failure } = readChunks(reader, [chunk]);
            expect(reader.open).toBeLessThanOrEqual(limits.maxIdsPerConnection);
            if (failure !== null) return;
            expect(reader.buffered).toBeLessThanOrEqual(MOST);
          }
        },
      ),
      { ...RUNS, numRuns: 300 },
    );
  });

  it("in the middle of valid bytes does the same, and reads the same in pieces", () => {
    fc.assert(
      fc.property(
        interleaved(request, 3),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        cuts,
        (events, changes, places) => {
          const bytes = written(new FastCgiClientWriter(), events, 1).subarray(0, 4000);
          for (const [place, byte] of changes) bytes[place % bytes.length] = byte;
          expect(readChunks(newFastCgiReader(limits)(), cutAt(bytes, places))).toEqual(
            readChunks(newFastCgiReader(limits)(), [bytes]),
          );
        },
      ),
      RUNS,
    );
  });

  it("from an app makes our client throw nothing but a ProtocolError", () => {
    fc.assert(
      fc.property(fc.array(junkRecord, { maxLength: 10 }), cuts, (parts, places) => {
        readChunks(new FastCgiClientReader(), cutAt(Buffer.concat(parts), places));
      }),
      RUNS,
    );
  });
});

function written<Event>(
  writer: { send(event: Event): void; take(): Uint8Array[] },
  events: readonly Event[],
  takeEvery: number,
): Buffer {
  const taken: Uint8Array[] = [];
  for (const [i, event] of events.entries()) {
    writer.send(event);
    if (i % takeEvery === 0) taken.push(...writer.take());
  }
  taken.push(...writer.take());
  return Buffer.concat(taken);
}

function expectedRequest(events: readonly FastCgiClientRequest[], id: number): Told[] {
  const own = events.filter((event) => "requestId" in event && event.requestId === id);
  const params = own.flatMap((event) => (event.type === "params" ? event.pairs : []));
  const told = own
    .filter(({ type }) => type !== "params")
    .map((event): Told => {
      if (event.type === "paramsEnd") return { type: "params", requestId: id, params };
      return "content" in event ? { ...event, content: text(event.content) } : event;
    });
  return merged(told);
}

/** Content that follows content of the same stream is one with it; empty content is nothing. */
function merged(events: readonly ({ type: string } | Told)[]): Told[] {
  const all: Told[] = [];
  for (const event of events as readonly Told[]) {
    const last = all.at(-1);
    if (typeof event["content"] !== "string") all.push(event);
    else if (event["content"] === "") continue;
    else if (last?.type === event.type && last["requestId"] === event["requestId"]) {
      all[all.length - 1] = { ...last, content: `${String(last["content"])}${event["content"]}` };
    } else all.push(event);
  }
  return all;
}

function text(content: Uint8Array | string): string {
  return typeof content === "string" ? content : Buffer.from(content).toString("latin1");
}
