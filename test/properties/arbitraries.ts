/** What the properties of both protocols are made of. */
import fc from "fast-check";

/** Few enough to be quick; a failure is shrunk all the same. */
export const RUNS = { numRuns: 200 };

/** Text of one character for each byte. */
export const latin1: fc.Arbitrary<string> = fc
  .uint8Array({ maxLength: 200 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));

/** A name and a value, with lengths of one byte and of four. */
export const pair: fc.Arbitrary<[string, string]> = fc.tuple(
  fc.oneof(fc.constantFrom("HTTP_COOKIE", "__proto__", "REQUEST_METHOD"), latin1),
  fc.oneof(
    latin1,
    fc.nat(3000).map((length) => "v".repeat(length)),
  ),
);

/** Places to cut at, as shares of the whole. */
export const cuts: fc.Arbitrary<number[]> = fc.oneof(
  fc.constant<number[]>([]),
  fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }),
);

export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => Math.floor(place * bytes.length)).sort((a, b) => a - b), bytes.length];
  let start = 0;
  return ends.map((end) => {
    const chunk = bytes.subarray(start, end);
    start = end;
    return chunk;
  });
}

/** Up to `most` lists of events, each with an id of its own, mixed; the order within each list is kept. */
export function interleaved<Event>(list: fc.Arbitrary<(id: number) => Event[]>, most: number): fc.Arbitrary<Event[]> {
  return fc
    .tuple(fc.array(list, { minLength: 1, maxLength: most }), fc.infiniteStream(fc.nat(most - 1)))
    .map(([lists, order]) => {
      // Ids that need one byte and that need two.
      const queues = lists.map((make, i) => make(1 + i * 300));
      const mixed: Event[] = [];
      for (const turn of order) {
        if (queues.every((queue) => queue.length === 0)) return mixed;
        const event = queues[turn % queues.length]!.shift();
        if (event !== undefined) mixed.push(event);
      }
      return mixed;
    });
}
