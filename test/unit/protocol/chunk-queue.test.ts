import { describe, expect, it } from "vitest";

import { ChunkQueue } from "../../../src/protocol/chunk-queue.ts";

function queue(...texts: string[]): ChunkQueue {
  const bytes = new ChunkQueue();
  for (const text of texts) bytes.append(Buffer.from(text));
  return bytes;
}

describe("a chunk queue", () => {
  it("gives back in the order of arrival, across chunks", () => {
    const bytes = queue("abc", "", "de", "fghij");
    expect(bytes.length).toBe(10);
    expect([1, 3, 0, 4, 2].map((length) => bytes.take(length).toString())).toEqual(["a", "bcd", "", "efgh", "ij"]);
    expect(bytes.length).toBe(0);
  });

  it("copies nothing that one chunk holds", () => {
    const chunk = Buffer.from("abcdef");
    const bytes = new ChunkQueue();
    bytes.append(chunk);
    const part = bytes.take(3);
    chunk[0] = 0x41;
    expect(part.toString()).toBe("Abc");
  });

  it("gives what the first chunk has, if some will do", () => {
    const bytes = queue("abc", "de");
    expect([2, 9, 9, 9].map((limit) => bytes.takeSome(limit).toString())).toEqual(["ab", "c", "de", ""]);
  });

  it("takes plain Uint8Arrays, and views on larger ones", () => {
    const bytes = new ChunkQueue();
    bytes.append(new Uint8Array([0, 97, 98, 0]).subarray(1, 3));
    expect(bytes.take(2).toString()).toBe("ab");
  });

  it("stays in order over many chunks", () => {
    const bytes = new ChunkQueue();
    let expected = "";
    let taken = "";
    for (let i = 0; i < 500; i++) {
      bytes.append(Buffer.from(String(i)));
      expected += String(i);
      if (i % 3 === 0) taken += bytes.takeSome(2).toString();
    }
    taken += bytes.take(bytes.length).toString();
    expect(taken).toBe(expected);
  });

  it("has only what was appended", () => {
    expect(() => queue("abc").take(4)).toThrow(RangeError);
  });
});
