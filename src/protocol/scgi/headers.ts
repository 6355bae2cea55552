/** The header block of an SCGI request: names and values, each one ended by a NUL. */
import type { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import { type Params, ParamsSlab, type ParamsLimits } from "../params.ts";

export interface ScgiHeaders {
  readonly params: Params;
  readonly contentLength: number;
}

const CONTENT_LENGTH = "CONTENT_LENGTH";
const CONTENT_LENGTH_VALUE = /^(?:0|[1-9]\d{0,15})$/;
const ONE = 0x31;
const slab = new ParamsSlab();

/**
 * Decodes the block at `bytes[from]` to `bytes[to]`. CONTENT_LENGTH has to be among the headers, in whatever place; any
 * other name may be repeated. `SCGI` has to be 1 but may be missing: nginx sends it only where it is configured.
 *
 * @throws ProtocolError SCGI_BAD_HEADERS, SCGI_BAD_CONTENT_LENGTH; SCGI_TOO_MANY_HEADERS (431): a limit.
 */
export function decodeHeaders(bytes: Buffer, from: number, to: number, limits: ParamsLimits): ScgiHeaders {
  if (to === from || bytes[to - 1] !== 0) throw bad("the headers do not end in a NUL");
  const { maxParams, maxParamName, maxParamValue } = limits;
  const text = bytes.toString("latin1", from, to);
  let contentLength: string | undefined;
  const first = slab.begin(Math.min(maxParams, (to - from) >> 1));
  const end = first + 4 * maxParams;
  const { offsets } = slab;
  let next = first;
  for (let at = from; at < to;) {
    const name = at;
    while (bytes[at] !== 0) at++;
    const nameEnd = at;
    if (nameEnd === name) throw bad("an empty name");
    const value = ++at;
    if (value === to) throw bad("a name without a value");
    while (bytes[at] !== 0) at++;
    if (nameEnd - name > maxParamName) throw tooMany(`a name of ${nameEnd - name} bytes (max_param_name)`);
    if (at - value > maxParamValue) throw tooMany(`a value of ${at - value} bytes (max_param_value)`);
    if (next === end) throw tooMany(`more than ${maxParams} headers (max_params)`);
    offsets[next] = name - from;
    offsets[next + 1] = nameEnd - from;
    offsets[next + 2] = value - from;
    offsets[next + 3] = at - from;
    next += 4;
    if (nameEnd - name === CONTENT_LENGTH.length && text.startsWith(CONTENT_LENGTH, name - from)) {
      const length = text.slice(value - from, at - from);
      if (contentLength !== undefined && contentLength !== length) throw badLength("two that differ");
      contentLength = length;
    } else if (nameEnd - name === 4 && text.startsWith("SCGI\0", name - from)) {
      if (at - value !== 1 || bytes[value] !== ONE) throw bad("SCGI is not 1");
    }
    at++;
  }
  if (contentLength === undefined) throw badLength("none");
  if (!CONTENT_LENGTH_VALUE.test(contentLength)) throw badLength("one that is no number");
  return { params: slab.finish(text, next), contentLength: Number(contentLength) };
}

function bad(what: string): ProtocolError {
  return new ProtocolError("SCGI_BAD_HEADERS", what);
}

function badLength(what: string): ProtocolError {
  return new ProtocolError("SCGI_BAD_CONTENT_LENGTH", `expected one CONTENT_LENGTH, got ${what}`);
}

function tooMany(what: string): ProtocolError {
  return new ProtocolError("SCGI_TOO_MANY_HEADERS", what, 431);
}
