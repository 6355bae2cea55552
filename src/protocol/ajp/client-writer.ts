/** Writes what an AJP13 client sends: its events become packets. */
import { Buffer } from "node:buffer";

import { methodCode, requestHeaderCode } from "./code-tables.ts";
import {
  AJP_BODY_OVERHEAD,
  AJP_TO_CONTAINER,
  JK_AJP13_CPING_REQUEST,
  JK_AJP13_FORWARD_REQUEST,
  SC_A_ARE_DONE,
  SC_A_REQ_ATTRIBUTE,
  SC_A_SECRET,
  SC_A_SSL_KEY_SIZE,
  SC_A_STORED_METHOD,
  SC_M_JK_STORED,
} from "./constants.ts";
import type { AjpClientRequest, AjpForwardRequest } from "./events.ts";
import { FieldWriter } from "./field-writer.ts";

/** The bytes of `event`, which is one packet: what reaches beyond 64 KiB cannot be sent. @throws RangeError */
export function encodeAjpRequest(event: AjpClientRequest): Uint8Array[] {
  switch (event.type) {
    case "forwardRequest":
      return [encodeForwardRequest(event.request)];
    case "body": {
      const { length } = event.content;
      const head = Buffer.alloc(AJP_BODY_OVERHEAD);
      head.writeUInt16BE(AJP_TO_CONTAINER, 0);
      head.writeUInt16BE(length + 2, 2);
      head.writeUInt16BE(length, 4);
      return length === 0 ? [head] : [head, event.content];
    }
    case "cping": {
      const fields = new FieldWriter();
      fields.byte(JK_AJP13_CPING_REQUEST);
      return [fields.finish(AJP_TO_CONTAINER)];
    }
  }
}

function encodeForwardRequest(request: Omit<AjpForwardRequest, "contentLength">): Buffer {
  const fields = new FieldWriter();
  const method = methodCode.get(request.method);
  fields.byte(JK_AJP13_FORWARD_REQUEST);
  fields.byte(method ?? SC_M_JK_STORED);
  for (const text of [request.protocol, request.reqUri, request.remoteAddr, request.remoteHost, request.serverName]) {
    fields.string(text);
  }
  fields.int(request.serverPort);
  fields.byte(request.isSsl ? 1 : 0);
  fields.int(request.headers.length);
  for (const [name, value] of request.headers) {
    fields.header(name, requestHeaderCode.get(name.toLowerCase()), value);
  }
  for (const [code, value] of request.attributes) {
    fields.byte(code);
    if (code === SC_A_SSL_KEY_SIZE) fields.int(Number(value));
    else fields.string(value);
  }
  for (const [name, value] of request.reqAttributes) {
    fields.byte(SC_A_REQ_ATTRIBUTE);
    fields.string(name);
    fields.string(value);
  }
  if (request.secret !== null) {
    fields.byte(SC_A_SECRET);
    fields.string(request.secret);
  }
  if (method === undefined) {
    fields.byte(SC_A_STORED_METHOD);
    fields.string(request.method);
  }
  fields.byte(SC_A_ARE_DONE);
  return fields.finish(AJP_TO_CONTAINER);
}
