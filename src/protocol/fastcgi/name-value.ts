/** Name-value pairs: lengths of one or four bytes, then the bytes (FastCGI 1.0 section 3.4). */
import { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import { type Params, ParamsBuilder, type ParamsLimits } from "../params.ts";

const builder = new ParamsBuilder();

/**
 * Decodes a whole PARAMS stream.
 *
 * @throws ProtocolError FCGI_BAD_PARAMS: a pair is cut off. FCGI_TOO_MANY_PARAMS, FCGI_PARAMS_TOO_LARGE (431): a limit.
 */
export function decodeParams(bytes: Buffer, limits: ParamsLimits): Params {
  const { length } = bytes;
  builder.begin(limits.maxParams);
  let at = 0;
  while (at < length) {
    let nameLength = bytes[at++]!;
    if (nameLength > 127) {
      if (at + 3 > length) throw cutOff(length);
      nameLength = (((nameLength & 0x7f) << 24) | (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!) >>> 0;
      at += 3;
    }
    if (at >= length) throw cutOff(length);
    let valueLength = bytes[at++]!;
    if (valueLength > 127) {
      if (at + 3 > length) throw cutOff(length);
      valueLength = (((valueLength & 0x7f) << 24) | (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!) >>> 0;
      at += 3;
    }
    const nameEnd = at + nameLength;
    const valueEnd = nameEnd + valueLength;
    if (nameLength > limits.maxParamName || valueLength > limits.maxParamValue) {
      throw tooLarge(nameLength, valueLength, limits);
    }
    if (valueEnd > length) throw cutOff(length);
    if (builder.count === limits.maxParams) {
      throw new ProtocolError("FCGI_TOO_MANY_PARAMS", `more than ${limits.maxParams} variables`, 431);
    }
    builder.add(at, nameEnd, nameEnd, valueEnd);
    at = valueEnd;
  }
  return builder.finish(bytes.toString("latin1"));
}

/** Decodes the names of FCGI_GET_VALUES, whose values are empty; what is cut off is left out. */
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

function cutOff(length: number): ProtocolError {
  return new ProtocolError("FCGI_BAD_PARAMS", `a pair reaches over the end of the ${length} bytes of PARAMS`, 400);
}

function tooLarge(nameLength: number, valueLength: number, limits: ParamsLimits): ProtocolError {
  const message =
    nameLength > limits.maxParamName
      ? `a name of ${nameLength} bytes, max_param_name is ${limits.maxParamName}`
      : `a value of ${valueLength} bytes, max_param_value is ${limits.maxParamValue}`;
  return new ProtocolError("FCGI_PARAMS_TOO_LARGE", message, 431);
}
