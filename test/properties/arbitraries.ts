/** What properties are about: pairs, content, and ways to split and to mix. */
import fc from "fast-check";

/** Text of bytes. */
export function latin1(maxLength: number): fc.Arbitrary<string> {
  return fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString("latin1"));
}

/** Pairs, now and then with a length that takes four bytes. */
export function pairs(): fc.Arbitrary<[string, string][]> {
  const long = fc.integer({ min: 120, max: 400 }).map((length) => "v".repeat(length));
  const name = fc.oneof(
    { weight: 8, arbitrary: latin1(20) },
    fc.integer({ min: 126, max: 130 }).map((n) => "N".repeat(n)),
  );
  return fc.array(fc.tuple(name, fc.oneof({ weight: 4, arbitrary: latin1(40) }, long)), { maxLength: 8 });
}

/** Bytes of a body, now and then more than is copied or than a record holds; never none, which no record can say. */
export function content(): fc.Arbitrary<Uint8Array> {
  const large = fc.constantFrom(8192, 8193, 65_528, 65_535, 70_001).map((length) => Buffer.alloc(length, "0123456789"));
  return fc.oneof({ weight: 15, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 50 }) }, large);
}

/** A way to split bytes into pieces. */
export function split(): fc.Arbitrary<(bytes: Uint8Array) => Uint8Array[]> {
  return fc.array(fc.nat(0xffff), { maxLength: 12 }).map((places) => (bytes: Uint8Array): Uint8Array[] => {
    const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
    const ends = [...cuts, bytes.length];
    return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end)).filter((piece) => piece.length > 0);
  });
}

/** Deals lists into one: the order of each is kept, `order` says whose turn it is. */
export function deal<T>(lists: readonly (readonly T[])[], order: Iterator<number>): T[] {
  const waiting = lists.map((list) => [...list]);
  const dealt: T[] = [];
  for (
    let left = waiting.filter((list) => list.length > 0);
    left.length > 0;
    left = left.filter((list) => list.length > 0)
  ) {
    dealt.push(left[Number(order.next().value) % left.length]!.shift()!);
  }
  return dealt;
}
