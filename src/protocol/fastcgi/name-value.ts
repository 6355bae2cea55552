/** Name-value pairs: lengths of one or four bytes, then the bytes (FastCGI 1.0 section 3.4). */
import { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import { type Params, ParamsSlab, type ParamsLimits } from "../params.ts";

const slab = new ParamsSlab();

/**
 * Decodes PARAMS, which are `bytes[from]` to `bytes[to]`; null if the last pair is not whole.
 *
 * @throws ProtocolError FCGI_TOO_MANY_PARAMS, FCGI_PARAMS_TOO_LARGE (431): a limit, be the pair whole or not.
 */
export function decodeParams(bytes: Buffer, from: number, to: number, limits: ParamsLimits): Params | null {
  const { maxParams, maxParamName, maxParamValue } = limits;
  const first = slab.begin(Math.min(maxParams, (to - from) >> 1));
  const end = first + 4 * maxParams;
  const { offsets } = slab;
  let next = first;
  let at = from;
  while (at < to) {
    let nameLength = bytes[at++]!;
    if (nameLength > 127) {
      nameLength = longLength(bytes, at);
      at += 3;
    }
    let valueLength = bytes[at++]!;
    if (valueLength > 127) {
      valueLength = longLength(bytes, at);
      at += 3;
    }
    if (at > to) return null;
    if (nameLength > maxParamName || valueLength > maxParamValue) throw tooLarge(nameLength, valueLength, limits);
    const nameStart = at - from;
    const nameEnd = nameStart + nameLength;
    at += nameLength + valueLength;
    if (at > to) return null;
    if (next === end) throw tooMany(limits);
    offsets[next] = nameStart;
    offsets[next + 1] = nameEnd;
    offsets[next + 2] = nameEnd;
    offsets[next + 3] = at - from;
    next += 4;
  }
  return slab.finish(bytes.toString("latin1", from, to), next);
}

/** The pairs at the begin of `bytes` that were looked at: where they end, and how many they are. */
export interface CheckedPairs {
  end: number;
  count: number;
}

/**
 * Goes on looking at PARAMS of which the first `length` bytes have come, with the same result as `decodeParams` will
 * have for them: what is over a limit is not waited for.
 *
 * @throws ProtocolError FCGI_TOO_MANY_PARAMS, FCGI_PARAMS_TOO_LARGE (431).
 */
export function checkPairs(bytes: Buffer, length: number, checked: CheckedPairs, limits: ParamsLimits): void {
  for (;;) {
    const at = checked.end;
    const nameSize = bytes[at]! > 127 ? 4 : 1;
    if (at + nameSize >= length) return;
    const valueSize = bytes[at + nameSize]! > 127 ? 4 : 1;
    const start = at + nameSize + valueSize;
    if (start > length) return;
    const nameLength = nameSize === 1 ? bytes[at]! : longLength(bytes, at + 1);
    const valueLength = valueSize === 1 ? bytes[start - 1]! : longLength(bytes, start - 3);
    if (nameLength > limits.maxParamName || valueLength > limits.maxParamValue) {
      throw tooLarge(nameLength, valueLength, limits);
    }
    if (start + nameLength + valueLength > length) return;
    if (checked.count++ === limits.maxParams) throw tooMany(limits);
    checked.end = start + nameLength + valueLength;
  }
}

/** Decodes the pairs of FCGI_GET_VALUES and its result into strings; a pair that is cut off is left out. */
export function decodePairs(bytes: Buffer): [string, string][] {
  const { length } = bytes;
  const pairs: [string, string][] = [];
  let at = 0;
  const size = (): number => {
    const first = bytes[at++] ?? 0;
    if (first <= 127) return first;
    at += 3;
    return at > length ? length : bytes.readUInt32BE(at - 4) & 0x7fffffff;
  };
  while (at < length) {
    const nameLength = size();
    const valueLength = size();
    const nameEnd = at + nameLength;
    const valueEnd = nameEnd + valueLength;
    if (valueEnd > length) break;
    pairs.push([bytes.toString("latin1", at, nameEnd), bytes.toString("latin1", nameEnd, valueEnd)]);
    at = valueEnd;
  }
  return pairs;
}

/** Encodes pairs of latin1 text. */
export function encodePairs(pairs: readonly (readonly [string, string])[]): Buffer {
  let size = 0;
  for (const [name, value] of pairs) size += name.length + value.length + 8;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const [name, value] of pairs) {
    at = writeLength(bytes, at, name.length);
    at = writeLength(bytes, at, value.length);
    at += bytes.write(name, at, "latin1");
    at += bytes.write(value, at, "latin1");
  }
  return bytes.subarray(0, at);
}

function writeLength(bytes: Buffer, at: number, length: number): number {
  return length <= 127 ? bytes.writeUInt8(length, at) : bytes.writeUInt32BE((length | 0x80000000) >>> 0, at);
}

/** A length of four bytes, whose first (with its highest bit set) is before `at`. */
function longLength(bytes: Buffer, at: number): number {
  return ((bytes[at - 1]! & 0x7f) << 24) | (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

function tooMany({ maxParams }: ParamsLimits): ProtocolError {
  return new ProtocolError("FCGI_TOO_MANY_PARAMS", `more than ${maxParams} variables (max_params)`, 431);
}

function tooLarge(nameLength: number, valueLength: number, limits: ParamsLimits): ProtocolError {
  const message =
    nameLength > limits.maxParamName
      ? `a name of ${nameLength} bytes, max_param_name is ${limits.maxParamName}`
      : `a value of ${valueLength} bytes, max_param_value is ${limits.maxParamValue}`;
  return new ProtocolError("FCGI_PARAMS_TOO_LARGE", message, 431);
}
