import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { carryError } from "../../../src/carried-error.ts";
import { heardMessage } from "../../../src/supervisor/heard-message.ts";
import type { ToSupervisor } from "../../../src/supervisor/messages.ts";

const memory = { rss: 1, heapUsed: 2, external: 3 };
const loop = { utilization: 0.5, delay: 2 };
const request = { id: "a-1", method: "GET", url: "/", since: 5, worker: null };
const report = {
  ...{ at: 1, memory, loop, cpu: 0, connections: 1, upgraded: 0, inFlight: 1, served: 3 },
  ...{ requests: [request], counters: { requests: 3 }, threads: null },
};
const worker = {
  ...{ id: 1, generation: 1, state: "ready" as const, startedAt: 1, heardAt: 1, suspect: false, pid: 7 },
  ...{ inFlight: 0, served: 0, memory, loop, requests: [request] },
};
const queue = { length: 0, limit: 10, oldest: 0 };

const GENUINE: readonly ToSupervisor[] = [
  { type: "here" },
  { type: "ready" },
  { type: "leaving" },
  { type: "failed", error: carryError(new Error("outer", { cause: new Error("inner") })) },
  { type: "reloaded", generation: 2 },
  { type: "reloadFailed", generation: 2, error: carryError("a string") },
  { type: "report", report },
  { type: "report", report: { ...report, threads: { workers: [worker], queue, zombies: 0 } } },
  { type: "slow", entry: "an entry" },
  { type: "worn", why: "old" },
];

describe("a message to the supervisor", () => {
  it.for(GENUINE)("that a gateway process sends is heard: %o", (message) => {
    expect(heardMessage(structuredClone(message))).toEqual(message);
  });

  it.for([
    ...[null, undefined, 1, "ready", [], {}, { type: "toString" }, { type: "report" }, { type: "failed" }],
    ...[
      { type: "report", report: { inFlight: 0 } },
      { type: "slow", entry: 42 },
      { type: "reloaded", generation: "2" },
    ],
    { type: "report", report: { ...report, requests: [null] } },
    { type: "report", report: { ...report, served: Number.NaN } },
    { type: "report", report: { ...report, requests: Array.from({ length: 17 }, () => request) } },
    { type: "report", report: { ...report, counters: { requests: "3" } } },
    { type: "report", report: { ...report, threads: { workers: [{ ...worker, state: "x" }], queue, zombies: 0 } } },
    { type: "slow", entry: "x".repeat(100_000) },
    { type: "failed", error: { ...carryError(new Error("x")), stack: "x".repeat(100_000) } },
  ])("that none sends is not: %o", (message) => {
    expect(heardMessage(message)).toBeNull();
  });

  it("may be anything at all", () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...GENUINE.map(({ type }) => type)), (value, type) => {
        heardMessage(value);
        heardMessage({ type, report: value, error: value, entry: value, generation: value, why: value });
      }),
    );
  });
});
