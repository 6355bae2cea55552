/** AJP13 packets as bytes, written out by hand and not with our own writers (ajpv13a). */
import { Buffer } from "node:buffer";

type Field = number | Uint8Array;

/** Two bytes. */
export const int = (value: number): Buffer => Buffer.of(value >> 8, value & 255);
export const NULL: Buffer = Buffer.of(255, 255);
export const string = (text: string): Buffer =>
  Buffer.concat([int(text.length), Buffer.from(text, "latin1"), Buffer.of(0)]);

/** Numbers are bytes. */
const bytesOf = (fields: readonly Field[]): Buffer =>
  Buffer.concat(fields.map((field) => (typeof field === "number" ? Buffer.of(field) : field)));

/** From the web server. */
export function packet(...fields: readonly Field[]): Buffer {
  const payload = bytesOf(fields);
  return Buffer.concat([Buffer.of(0x12, 0x34), int(payload.length), payload]);
}

/** From the gateway. */
export function answer(...fields: readonly Field[]): Buffer {
  const payload = bytesOf(fields);
  return Buffer.concat([Buffer.from("AB"), int(payload.length), payload]);
}

/** A body packet, as the specification has it and as lighttpd does. */
export const body = (content: string | Uint8Array): Buffer => packet(int(content.length), Buffer.from(content));
export const bareBody = (content: string | Uint8Array): Buffer => packet(Buffer.from(content));

export const CPING: Buffer = packet(10);
export const CPONG: Buffer = answer(9);
export const EMPTY: Buffer = packet();

export interface RequestForm {
  readonly method?: number;
  readonly uri?: string;
  /** Names and values, or the code of a name and a value. */
  readonly headers?: readonly (readonly [name: string | number, value: string | null])[];
  /** From the first attribute's code on, without the end. */
  readonly attributes?: readonly Field[];
  readonly ssl?: number;
}

/** FORWARD_REQUEST: a GET by itself. */
export function forward({ method = 2, uri = "/", headers = [], attributes = [], ssl = 0 }: RequestForm = {}): Buffer {
  return packet(
    ...[2, method, string("HTTP/1.1"), string(uri), string("203.0.113.7"), NULL, string("www.example.test")],
    ...[int(80), ssl, int(headers.length)],
    ...headers.flatMap(([name, value]) => [
      typeof name === "number" ? int(0xa000 + name) : string(name),
      value === null ? NULL : string(value),
    ]),
    ...attributes,
    0xff,
  );
}

/** A POST of `length` bytes, none of which are in it. */
export function post(length: number, more: RequestForm = {}): Buffer {
  return forward({ method: 4, ...more, headers: [[8, String(length)], ...(more.headers ?? [])] });
}

/** A POST whose length nobody knows. */
export function chunked(more: RequestForm = {}): Buffer {
  return forward({ method: 4, ...more, headers: [["Transfer-Encoding", "chunked"], ...(more.headers ?? [])] });
}

export const attribute = (code: number, value: string): Buffer => Buffer.concat([Buffer.of(code), string(value)]);
export const reqAttribute = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.of(10), string(name), string(value)]);
