/** FastCGI records as bytes, written out by hand and not with our own writers (FastCGI 1.0 section 3.3). */
import { Buffer } from "node:buffer";

type Content = string | Uint8Array;

/** One record. Text is latin1; the padding is not zero, since nobody may look at it. */
export function record(type: number, id: number, content: Content = "", padding = 0): Buffer {
  const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
  const header = Buffer.of(1, type, id >> 8, id & 255, bytes.length >> 8, bytes.length & 255, padding, 0);
  return Buffer.concat([header, bytes, Buffer.alloc(padding, 0xaa)]);
}

export function begin(id: number, role = 1, flags = 1): Buffer {
  return record(1, id, Buffer.of(role >> 8, role & 255, flags, 0, 0, 0, 0, 0));
}

export function params(id: number, content: Content = "", padding = 0): Buffer {
  return record(4, id, content, padding);
}

export function stdin(id: number, content: Content = "", padding = 0): Buffer {
  return record(5, id, content, padding);
}

export function data(id: number, content: Content = "", padding = 0): Buffer {
  return record(8, id, content, padding);
}

/** A name-value pair; lengths take four bytes where they must, or where `long` says so. */
export function pair(name: string, value: string, long = false): Buffer {
  return Buffer.concat([size(name.length, long), size(value.length, long), Buffer.from(name + value, "latin1")]);
}

export function size(length: number, long = length > 127): Buffer {
  if (!long && length <= 127) return Buffer.of(length);
  return Buffer.of((length >>> 24) | 128, (length >> 16) & 255, (length >> 8) & 255, length & 255);
}
