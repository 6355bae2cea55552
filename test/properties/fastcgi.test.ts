import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { FastCgiClientRequest } from "../../src/protocol/fastcgi/client-events.ts";
import { FastCgiClientReader } from "../../src/protocol/fastcgi/client-reader.ts";
import { FastCgiClientWriter } from "../../src/protocol/fastcgi/client-writer.ts";
import type { FastCgiResponseEvent } from "../../src/protocol/fastcgi/events.ts";
import { FastCgiWriter } from "../../src/protocol/fastcgi/writer.ts";
import { newFastCgiReader } from "../support/codec.ts";
import { readChunks, type Told } from "../support/four-ways.ts";
import { begin, params, stdin } from "../support/records.ts";
import { content, deal, latin1, pairs, split } from "./arbitraries.ts";

const RUNS = { numRuns: 150 };

/** Events of one request, as its client sends them. */
function clientEvents(requestId: number): fc.Arbitrary<FastCgiClientRequest[]> {
  const body = fc.array(content(), { maxLength: 4 });
  return fc
    .record({ keepConn: fc.boolean(), pairs: fc.array(pairs(), { maxLength: 3 }), body, file: fc.option(body) })
    .map(({ keepConn, pairs, body, file }) => [
      { type: "beginRequest", requestId, role: file === null ? 1 : 3, keepConn },
      ...pairs.map((pairs) => ({ type: "params", requestId, pairs }) as const),
      { type: "paramsEnd", requestId },
      ...body.map((content) => ({ type: "stdin", requestId, content }) as const),
      { type: "stdinEnd", requestId },
      ...(file ?? []).map((content) => ({ type: "data", requestId, content }) as const),
      ...(file === null ? [] : [{ type: "dataEnd", requestId } as const]),
    ]);
}

/** Events of one answer, as the gateway sends them. */
function answerEvents(requestId: number): fc.Arbitrary<FastCgiResponseEvent[]> {
  const piece = fc.record({
    type: fc.constantFrom("stdout" as const, "stderr" as const),
    requestId: fc.constant(requestId),
    content: fc.oneof(content(), latin1(60)),
  });
  return fc
    .tuple(fc.array(piece, { maxLength: 6 }), fc.nat(0xffffffff), fc.nat(3))
    .map(([pieces, appStatus, protocolStatus]) => [
      ...pieces,
      { type: "stderrEnd", requestId },
      { type: "stdoutEnd", requestId },
      { type: "endRequest", requestId, appStatus, protocolStatus },
    ]);
}

/** What the client's events come to for one request: its variables whole, its streams whole. */
function summary(events: readonly (FastCgiClientRequest | Told)[], requestId: number): unknown {
  const own = events.filter((event) => "requestId" in event && event["requestId"] === requestId) as Told[];
  return {
    begin: own.find(({ type }) => type === "beginRequest"),
    params: own.flatMap(({ type, ...event }) => (type === "params" ? (event["pairs"] ?? event["params"]) : [])),
    ...streams(own, ["stdin", "data"]),
    ends: own.filter(({ type }) => type === "stdinEnd" || type === "dataEnd" || type === "endRequest"),
  };
}

function streams(own: readonly Told[], types: readonly string[]): Record<string, string> {
  return Object.fromEntries(types.map((type) => [type, own.map((event) => textOf(event, type)).join("")]));
}

function textOf(event: Told, type: string): string {
  if (event.type !== type) return "";
  const value = event["content"];
  return typeof value === "string" ? value : Buffer.from(value as Uint8Array).toString("latin1");
}

describe("what our client writes our gateway reads", () => {
  it("whatever it is, however the requests mix, wherever it is split", () => {
    const requests = fc.tuple(clientEvents(1), clientEvents(2), clientEvents(65535));
    fc.assert(
      fc.property(requests, fc.infiniteStream(fc.nat(2)), split(), (requests, order, cuts) => {
        const events = deal(requests, order);
        const writer = new FastCgiClientWriter();
        for (const event of events) writer.send(event);
        const reading = readChunks(newFastCgiReader()(), cuts(Buffer.concat(writer.take())));
        expect(reading).toMatchObject({ failure: null, ending: null });
        expect(reading.events.filter(({ type }) => type === "badRecord" || type === "requestError")).toEqual([]);
        for (const id of [1, 2, 65535]) expect(summary(reading.events, id)).toEqual(summary(events, id));
      }),
      RUNS,
    );
  });

  it("wherever PARAMS are cut into records, whatever their padding", () => {
    fc.assert(
      fc.property(pairs(), split(), fc.nat(255), split(), (pairs, records, padding, chunks) => {
        const writer = new FastCgiClientWriter();
        writer.send({ type: "params", requestId: 1, pairs });
        const encoded = Buffer.concat(writer.take());
        const whole = encoded.length === 0 ? encoded : encoded.subarray(8, 8 + encoded.readUInt16BE(4));
        const parts = records(whole).map((part, i) => params(1, part, (padding * (i + 1)) % 256));
        const bytes = Buffer.concat([begin(1), ...parts, params(1, "", padding), stdin(1)]);
        expect(readChunks(newFastCgiReader()(), chunks(bytes)).events[1]).toEqual({
          type: "params",
          requestId: 1,
          params: pairs,
        });
      }),
      RUNS,
    );
  });
});

describe("what our gateway writes our client reads", () => {
  it("whatever it is, however the answers mix, wherever it is taken and split", () => {
    const answers = fc.tuple(answerEvents(1), answerEvents(2));
    fc.assert(
      fc.property(answers, fc.infiniteStream(fc.nat(3)), split(), (answers, order, cuts) => {
        const events = deal(answers, order);
        const writer = new FastCgiWriter();
        const taken: Uint8Array[] = [];
        for (const event of events) {
          writer.send(event);
          if (order.next().value === 0) taken.push(...writer.take());
        }
        taken.push(...writer.take());
        const reading = readChunks(new FastCgiClientReader(), cuts(Buffer.concat(taken)));
        expect(reading).toMatchObject({ failure: null, ending: null });
        for (const id of [1, 2]) {
          const sent = events.filter((event) => "requestId" in event && event.requestId === id) as Told[];
          const got = reading.events.filter((event) => event["requestId"] === id);
          expect(streams(got, ["stdout", "stderr"])).toEqual(streams(sent, ["stdout", "stderr"]));
          expect(got.slice(-3)).toEqual(sent.slice(-3));
        }
      }),
      RUNS,
    );
  });
});
