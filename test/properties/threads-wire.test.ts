import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { variable } from "../../src/cgi/variables.ts";
import type { AbortCode } from "../../src/errors.ts";
import type { FailStatus, RequestEvent, RequestHead, ResponseEvent } from "../../src/exchange.ts";
import { type Batch, BatchWriter, readRequests, readResponses } from "../../src/modes/threads/wire.ts";
import { paramsOf } from "../support/params.ts";
import { latin1, pair, RUNS } from "./arbitraries.ts";

const number = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const bytes = fc.integer({ min: 0, max: 2 ** 31 - 1 });
/** Lengths on both sides of what is moved instead of copied; from the pool and from memory of its own. */
const chunk = fc
  .tuple(fc.oneof(fc.nat(300), fc.constantFrom(4095, 4096, 4097, 70_000)), fc.boolean())
  .map(([length, pooled]) => {
    const content = Buffer.alloc(length, "The quick brown fox.");
    return pooled ? Buffer.from(content) : new Uint8Array(content);
  });

const head = fc
  .record({
    id: fc.string(),
    protocol: fc.constantFrom("fastcgi" as const, "scgi" as const),
    role: fc.constantFrom("responder" as const, "authorizer" as const, "filter" as const),
    multiplexed: fc.boolean(),
    tunnel: fc.option(fc.constant(true), { nil: undefined }),
    pairs: fc.array(pair, { maxLength: 12 }),
  })
  .map(({ pairs, tunnel, ...rest }) => {
    const head = { ...rest, params: paramsOf(pairs), ...(tunnel === undefined ? {} : { tunnel }) };
    return { pairs, head: head satisfies RequestHead };
  });

const requestEvent: fc.Arbitrary<RequestEvent> = fc.oneof(
  chunk.map((chunk) => ({ type: "body" as const, chunk })),
  fc.constant({ type: "bodyEnd" as const }),
  chunk.map((chunk) => ({ type: "data" as const, chunk })),
  fc.constant({ type: "dataEnd" as const }),
  bytes.map((bytes) => ({ type: "credit" as const, bytes })),
  fc.constantFrom<AbortCode>("CONNECTION_LOST", "SHUTTING_DOWN").map((code) => ({ type: "abort" as const, code })),
);

const responseEvent: fc.Arbitrary<ResponseEvent> = fc.oneof(
  fc.record({ type: fc.constant("head" as const), status: fc.integer({ min: 100, max: 599 }), block: latin1 }),
  chunk.map((chunk) => ({ type: "body" as const, chunk })),
  chunk.map((chunk) => ({ type: "stderr" as const, chunk })),
  bytes.map((bytes) => ({ type: "credit" as const, bytes })),
  fc.integer().map((appStatus) => ({ type: "end" as const, appStatus })),
  fc.constantFrom<FailStatus>(500, 503, 504).map((status) => ({ type: "fail" as const, status })),
);

/** As a message port does it. */
function posted(batch: Batch): Batch {
  return structuredClone(batch, { transfer: [...batch.moved] });
}

/** Chunks as plain arrays, so that a Buffer equals a Uint8Array. */
function plain(event: RequestEvent | ResponseEvent): unknown {
  return "chunk" in event ? { ...event, chunk: [...event.chunk] } : event;
}

describe("batches between threads", () => {
  it("carry requests and their events in their order, and leave the sender's memory as it is", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(number, fc.oneof(head, requestEvent)), { maxLength: 30 }), (sent) => {
        const writer = new BatchWriter();
        const expected = sent.map(([exchange, what]) =>
          "head" in what ? [exchange, { ...what.head, params: what.pairs }] : [exchange, plain(what)],
        );
        for (const [exchange, what] of sent) {
          if ("head" in what) writer.request(exchange, what.head);
          else writer.requestEvent(exchange, what);
        }
        const got: unknown[] = [];
        readRequests(posted(writer.take()), {
          request: (exchange, head) => {
            const { block, offsets, base, count } = head.params;
            const params = Array.from({ length: count }, (_, i) => {
              const [a, b, c, d] = offsets.subarray(base + 4 * i);
              return [block.slice(a, b), block.slice(c, d)];
            });
            got.push([exchange, { ...head, params }]);
          },
          event: (exchange, event) => got.push([exchange, plain(event)]),
        });
        expect(got).toEqual(expected);
        expect(writer.empty).toBe(true);
        const after = sent.map(([exchange, what]) =>
          "head" in what ? [exchange, { ...what.head, params: what.pairs }] : [exchange, plain(what)],
        );
        expect(after).toEqual(expected);
      }),
      RUNS,
    );
  });

  it("carry the events of answers in their order", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(number, responseEvent), { maxLength: 30 }), (sent) => {
        const writer = new BatchWriter();
        for (const [exchange, event] of sent) writer.responseEvent(exchange, event);
        const got: unknown[] = [];
        readResponses(posted(writer.take()), (exchange, event) => got.push([exchange, plain(event)]));
        expect(got).toEqual(sent.map(([exchange, event]) => [exchange, plain(event)]));
      }),
      RUNS,
    );
  });

  it("leave variables to be looked up as before", () => {
    const writer = new BatchWriter();
    const params = paramsOf([
      ["REQUEST_METHOD", "GET"],
      ["REQUEST_URI", "/f%C3%BCr"],
    ]);
    writer.request(7, { id: "a-1", protocol: "fastcgi", role: "responder", params, multiplexed: false });
    readRequests(posted(writer.take()), {
      request: (_, head) => expect(variable(head.params, "REQUEST_URI")).toBe("/f%C3%BCr"),
      event: () => expect.unreachable(),
    });
  });
});
