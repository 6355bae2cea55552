import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";

import { isThenable } from "../../../src/app/thrown.ts";

describe("what an app returns", () => {
  it("may reject if it is a promise, of whatever realm", () => {
    const foreign: unknown = runInNewContext("Promise.resolve()");
    expect(foreign).not.toBeInstanceOf(Promise);
    expect([Promise.resolve(), foreign].map(isThenable)).toEqual([true, true]);
    expect([7, null, undefined, "text", {}, () => {}].map(isThenable)).toEqual(Array.from({ length: 6 }, () => false));
  });
});
