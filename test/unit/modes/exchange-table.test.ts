import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { ExchangeTable } from "../../../src/modes/threads/exchange-table.ts";

describe("the table of exchanges", () => {
  it("has what was added and not deleted, the oldest first, whatever comes and goes", () => {
    const step = fc.record({ add: fc.boolean(), which: fc.nat(), skip: fc.nat({ max: 600 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 1500 }), (steps) => {
        const table = new ExchangeTable<string>();
        const model = new Map<number, string>();
        let last = 0;
        for (const { add, which, skip } of steps) {
          const there = [...model.keys()];
          const number = there[which % Math.max(1, there.length)];
          if (add || number === undefined) {
            last += 1 + skip;
            table.add(last, `e${last}`);
            model.set(last, `e${last}`);
          } else {
            table.delete(number);
            model.delete(number);
            expect(table.get(number)).toBe(undefined);
            table.delete(number);
          }
          expect(table.size).toBe(model.size);
        }
        for (const [number, exchange] of model) expect(table.get(number)).toBe(exchange);
        expect(table.values()).toEqual([...model.values()]);
      }),
    );
  });

  it("holds many, with one that stays behind them all", () => {
    const table = new ExchangeTable<number>();
    table.add(1, 1);
    for (let number = 2; number < 100_000; number++) {
      table.add(number, number);
      if (number > 900) table.delete(number - 800);
    }
    expect(table.get(1)).toBe(1);
    expect(table.get(99_999)).toBe(99_999);
    expect(table.get(50_000)).toBe(undefined);
    table.delete(1);
    expect(table.get(1)).toBe(undefined);
    expect(table.values()[0]).toBe(2);
  });
});
