/** FORWARD_REQUEST: its fields in their order (ajpv13a, "Request Packet Structure"). */
import type { Buffer } from "node:buffer";

import { ProtocolError } from "../../errors.ts";
import type { ParamsLimits } from "../params.ts";
import { methodOf, requestHeaderOf } from "./code-tables.ts";
import {
  AJP_HEADER_LEN,
  SC_A_ARE_DONE,
  SC_A_CONTEXT,
  SC_A_REQ_ATTRIBUTE,
  SC_A_SECRET,
  SC_A_SSL_KEY_SIZE,
  SC_A_STORED_METHOD,
  SC_CODED,
  SC_M_JK_STORED,
} from "./constants.ts";
import type { AjpForwardRequest } from "./events.ts";
import { badPacket, FieldReader } from "./field-reader.ts";

type Pair = readonly [name: string, value: string];

const CONTENT_LENGTH_VALUE = /^(?:0|[1-9]\d{0,14})$/;
/** No key is so short: it is the length of one in digits, as lighttpd sends it. */
const LONGEST_SIZE_IN_DIGITS = 5;

/**
 * Decodes the packet `bytes`.
 *
 * @throws ProtocolError AJP_BAD_PACKET, AJP_BAD_CONTENT_LENGTH; AJP_TOO_MANY_HEADERS (431): a limit.
 */
export function decodeForwardRequest(bytes: Buffer, limits: ParamsLimits): AjpForwardRequest {
  const fields = new FieldReader(bytes, AJP_HEADER_LEN + 1);
  const methodCode = fields.byte("the method");
  const protocol = fields.string("the protocol") ?? "";
  const reqUri = fields.string("req_uri") ?? "";
  const remoteAddr = fields.string("remote_addr") ?? "";
  const remoteHost = fields.string("remote_host");
  const serverName = fields.string("server_name") ?? "";
  const serverPort = fields.int("server_port");
  const isSsl = fields.byte("is_ssl") !== 0;
  const headers = readHeaders(fields, limits);
  const { attributes, reqAttributes } = readAttributes(fields, limits, headers.length);
  if (fields.left > 0) throw badPacket(`${fields.left} bytes after the last attribute`);

  const storedMethod = attributes.get(SC_A_STORED_METHOD);
  const secret = attributes.get(SC_A_SECRET) ?? null;
  attributes.delete(SC_A_STORED_METHOD);
  attributes.delete(SC_A_SECRET);
  const method = methodCode === SC_M_JK_STORED ? storedMethod : methodOf(methodCode);
  if (method === undefined) throw badPacket(`the method has the code ${methodCode}, which means nothing`);
  const contentLength = bodyLength(headers);
  return {
    ...{ method, protocol, reqUri, remoteAddr, remoteHost, serverName, serverPort, isSsl },
    ...{ headers, attributes, reqAttributes, secret, contentLength },
  };
}

function readHeaders(fields: FieldReader, limits: ParamsLimits): Pair[] {
  const count = fields.int("the number of headers");
  if (count > limits.maxParams) throw tooMany(`${count} headers (max_params)`);
  const headers: Pair[] = [];
  for (let i = 0; i < count; i++) {
    const name = readName(fields);
    // lighttpd writes an empty value as null.
    headers.push(checked(name, fields.string("a header's value") ?? "", limits));
  }
  return headers;
}

function readName(fields: FieldReader): string {
  const code = fields.peekInt("a header's name");
  if (code >> 8 !== SC_CODED) {
    const name = fields.string("a header's name");
    if (name === null || name === "") throw badPacket("a header without a name");
    return name;
  }
  fields.int("a header's name");
  const name = requestHeaderOf(code & 0xff);
  if (name === undefined) throw badPacket(`a header's name has the code 0x${code.toString(16)}, which means nothing`);
  return name;
}

function readAttributes(
  fields: FieldReader,
  limits: ParamsLimits,
  headers: number,
): { attributes: Map<number, string>; reqAttributes: Pair[] } {
  const attributes = new Map<number, string>();
  const reqAttributes: Pair[] = [];
  for (;;) {
    const code = fields.byte("the end of the attributes");
    if (code === SC_A_ARE_DONE) return { attributes, reqAttributes };
    if (code < SC_A_CONTEXT || code > SC_A_STORED_METHOD) throw badPacket(`an attribute has the code ${code}`);
    if (code === SC_A_REQ_ATTRIBUTE) {
      const name = fields.string("an attribute's name") ?? "";
      reqAttributes.push(checked(name, fields.string("an attribute's value") ?? "", limits));
    } else {
      const value = code === SC_A_SSL_KEY_SIZE ? readKeySize(fields) : fields.string("an attribute");
      attributes.set(code, checked("", value ?? "", limits)[1]);
    }
    const count = headers + attributes.size + reqAttributes.length;
    if (count > limits.maxParams) throw tooMany(`${count} headers and attributes (max_params)`);
  }
}

/** An integer by the specification; lighttpd sends a string. */
function readKeySize(fields: FieldReader): string {
  const size = fields.peekInt("ssl_key_size");
  return size <= LONGEST_SIZE_IN_DIGITS ? (fields.string("ssl_key_size") ?? "") : String(fields.int("ssl_key_size"));
}

/**
 * What comes of a body, and whether it comes unasked, hangs on these two headers alone. A web server and a container that
 * read them in two ways would take a body for a request (CVE-2022-26377), so that nothing doubtful is guessed at.
 */
function bodyLength(headers: readonly Pair[]): number | null {
  let length: string | undefined;
  let chunked = false;
  for (const [name, value] of headers) {
    switch (name.length) {
      case 14:
        if (name.toLowerCase() !== "content-length") break;
        if (length !== undefined && length !== value) throw badLength("two that differ");
        length = value;
        break;
      case 17:
        chunked ||= name.toLowerCase() === "transfer-encoding";
        break;
    }
  }
  if (chunked && length !== undefined) throw badLength("one beside a Transfer-Encoding");
  if (chunked) return null;
  if (length === undefined) return 0;
  if (!CONTENT_LENGTH_VALUE.test(length)) throw badLength("one that is no number");
  return Number(length);
}

function checked(name: string, value: string, { maxParamName, maxParamValue }: ParamsLimits): Pair {
  if (name.length > maxParamName) throw tooMany(`a name of ${name.length} bytes (max_param_name)`);
  if (value.length > maxParamValue) throw tooMany(`a value of ${value.length} bytes (max_param_value)`);
  return [name, value];
}

function badLength(what: string): ProtocolError {
  return new ProtocolError("AJP_BAD_CONTENT_LENGTH", `expected one Content-Length at most, got ${what}`);
}

function tooMany(what: string): ProtocolError {
  return new ProtocolError("AJP_TOO_MANY_HEADERS", what, 431);
}
