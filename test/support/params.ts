/** Params as a protocol reader makes them, from name-value pairs. */
import type { Params } from "../../src/exchange.ts";

export type Pair = readonly [name: string, value: string];

/** The offsets begin behind those of another request, as they may. */
export function paramsOf(pairs: readonly Pair[]): Params {
  const base = 8;
  const offsets = new Uint32Array(base + 4 * pairs.length);
  let block = "HTTP_OTHERnot ours";
  for (const [index, [name, value]] of pairs.entries()) {
    const start = block.length;
    block += name + value;
    offsets.set([start, start + name.length, start + name.length, block.length], base + 4 * index);
  }
  return { block: `${block}HTTP_NEXT`, offsets, base, count: pairs.length };
}
