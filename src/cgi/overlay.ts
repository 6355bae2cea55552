/** Lays variables over those that a web server has sent. */
import type { Params } from "../exchange.ts";

/** A new set of variables, in which those of `over` (latin1) stand in place of the ones with the same name. */
export function overlay({ block, offsets, base, count }: Params, over: ReadonlyMap<string, string>): Params {
  const numbers: number[] = [];
  for (let at = base, end = base + 4 * count; at < end; at += 4) {
    const pair = offsets.subarray(at, at + 4);
    if (!over.has(block.slice(pair[0], pair[1]))) numbers.push(...pair);
  }
  let text = block;
  for (const [name, value] of over) {
    const start = text.length;
    text += name + value;
    numbers.push(start, start + name.length, start + name.length, text.length);
  }
  return { block: text, offsets: Uint32Array.from(numbers), base: 0, count: numbers.length / 4 };
}
