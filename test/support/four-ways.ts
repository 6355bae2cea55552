/** Reads one fixture four ways: whole, byte by byte, split anywhere, cut short; the events must not depend on it. */
import { expect } from "vitest";

import { ProtocolError } from "../../src/errors.ts";
import type { Params } from "../../src/protocol/params.ts";

/** What every reader is. */
export interface Reader<Event> {
  receive(chunk: Uint8Array): void;
  nextEvent(): Event | null;
  end(): void;
}

/** An event as plain data: content as latin1 text with its neighbours', params as pairs, an error as its code. */
export type Told = { type: string } & Record<string, unknown>;

export interface Reading {
  readonly events: Told[];
  /** The code of what a `nextEvent()` threw. */
  readonly failure: string | null;
  /** The code of what `end()` threw. */
  readonly ending: string | null;
}

export interface HowToRead<Event, R> {
  /** At how many places the bytes are split in two and cut short; all of them, if there are not more. */
  readonly places?: number;
  /** What the gateway would do on an event. */
  readonly onEvent?: (reader: R, event: Event) => void;
}

/** Up to so many bytes are fed one by one; beyond it in pieces of a prime length. */
const SINGLE_BYTES = 20_000;

/** Reads `bytes` four ways, checks that they agree, and returns what they agree on. */
export function readFourWays<Event extends { type: string }, R extends Reader<Event>>(
  make: () => R,
  bytes: Uint8Array,
  how: HowToRead<Event, R> = {},
): Reading {
  const whole = readChunks(make(), [bytes], how);
  const small = readChunks(make(), pieces(bytes, bytes.length > SINGLE_BYTES ? 97 : 1), how);
  if (!same(small, whole)) expect(small, "byte by byte").toEqual(whole);
  const step = Math.max(1, Math.ceil(bytes.length / (how.places ?? 400)));
  for (let at = 1; at < bytes.length; at += step) {
    const split = readChunks(make(), [bytes.subarray(0, at), bytes.subarray(at)], how);
    if (!same(split, whole)) expect(split, `split at ${at}`).toEqual(whole);
    checkCut(readChunks(make(), [bytes.subarray(0, at)], how), whole, at);
  }
  return whole;
}

/** Reads chunks one after the other to the end. They are copied, so that none lies before or behind another. */
export function readChunks<Event extends { type: string }, R extends Reader<Event>>(
  reader: R,
  chunks: Iterable<Uint8Array>,
  { onEvent }: HowToRead<Event, R> = {},
): Reading {
  const events: Told[] = [];
  try {
    for (const chunk of chunks) {
      reader.receive(Uint8Array.from(chunk));
      for (let event = reader.nextEvent(); event !== null; event = reader.nextEvent()) {
        tell(events, event);
        onEvent?.(reader, event);
      }
    }
  } catch (error) {
    expect(() => reader.nextEvent(), "the same error ever after").toThrow(error);
    return { events, failure: protocolError(error).code, ending: null };
  }
  return { events, failure: null, ending: codeOf(() => reader.end()) };
}

/** The code of the ProtocolError that `action` throws, or null. */
export function codeOf(action: () => unknown): string | null {
  try {
    action();
    return null;
  } catch (error) {
    return protocolError(error).code;
  }
}

export function pairsOf({ block, offsets, base, count }: Params): [string, string][] {
  const pairs: [string, string][] = [];
  for (let at = base; at < base + 4 * count; at += 4) {
    pairs.push([block.slice(offsets[at], offsets[at + 1]), block.slice(offsets[at + 2], offsets[at + 3])]);
  }
  return pairs;
}

function* pieces(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

function protocolError(error: unknown): ProtocolError {
  expect(error).toBeInstanceOf(ProtocolError);
  return error as ProtocolError;
}

function tell(events: Told[], event: { type: string }): void {
  const plain: Told = { ...event };
  if (plain["content"] instanceof Uint8Array) plain["content"] = Buffer.from(plain["content"]).toString("latin1");
  if ("params" in plain) plain["params"] = pairsOf(plain["params"] as Params);
  if ("error" in plain) plain["error"] = protocolError(plain["error"]).code;
  const last = events.at(-1);
  if (last?.type !== plain.type || last["requestId"] !== plain["requestId"]) events.push(plain);
  else if (typeof plain["content"] === "string") last["content"] = `${String(last["content"])}${plain["content"]}`;
  else if (typeof plain["bytes"] === "number") last["bytes"] = Number(last["bytes"]) + plain["bytes"];
  else events.push(plain);
}

/** What was cut short tells a part of the whole, and never more. */
function checkCut(cut: Reading, whole: Reading, at: number): void {
  const last = cut.events.length - 1;
  if (cut.failure !== null) expect(cut.failure, `cut at ${at}`).toBe(whole.failure);
  const begun = cut.events.every((event, i) => {
    const other = whole.events[i];
    return other !== undefined && (i < last ? same(event, other) : isBegin(event, other));
  });
  if (!begun) expect(cut.events, `cut at ${at}`).toEqual(whole.events.slice(0, last + 1));
}

function isBegin(event: Told, whole: Told): boolean {
  if (typeof event["content"] === "string") {
    return event.type === whole.type && String(whole["content"]).startsWith(event["content"]);
  }
  if (typeof event["bytes"] === "number") return event.type === whole.type && event["bytes"] <= Number(whole["bytes"]);
  return same(event, whole);
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
