import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Deadlines, NEVER, type Timed } from "../../../src/gateway/deadlines.ts";

describe("the coarse clock", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is never early, and late by at most two ticks", () => {
    const seen: number[] = [];
    let deadline: number = NEVER;
    const each: Timed = { sweep: (now) => void (now >= deadline && seen.push(performance.now())) };
    const clock = new Deadlines(new Set([each]), 1000);
    clock.run();
    vi.advanceTimersByTime(300);
    const set = performance.now();
    deadline = clock.in(1000);
    vi.advanceTimersByTime(2000);
    expect(seen[0]! - set).toBeGreaterThanOrEqual(1000);
    expect(seen[0]! - set).toBeLessThanOrEqual(1500);
  });

  it("takes 0 for never", () => {
    expect(new Deadlines(new Set(), 1000).in(0)).toBe(NEVER);
  });

  it("counts a blocked event loop as one tick", async () => {
    vi.useRealTimers();
    const clock = new Deadlines(new Set([{ sweep: () => {} }]), 40);
    clock.run();
    const blocked = performance.now() + 150;
    while (performance.now() < blocked);
    await new Promise(setImmediate);
    expect(clock.now).toBeLessThanOrEqual(2);
  });

  it("stands still while nothing is timed, and runs again when asked to", () => {
    const timed = new Set<Timed>();
    const clock = new Deadlines(timed, 1000);
    clock.run();
    vi.advanceTimersByTime(250);
    expect(vi.getTimerCount()).toBe(0);
    timed.add({ sweep: () => {} });
    clock.run();
    vi.advanceTimersByTime(250);
    expect(clock.now).toBeGreaterThan(0);
  });

  it("lets what it times remove itself", () => {
    const timed = new Set<Timed>();
    let others = 0;
    timed.add({ sweep: () => timed.clear() });
    timed.add({ sweep: () => void others++ });
    const clock = new Deadlines(timed, 40);
    clock.run();
    vi.advanceTimersByTime(50);
    expect(others).toBe(0);
  });
});
