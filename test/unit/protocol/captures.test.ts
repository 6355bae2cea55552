import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import type { AjpForwardRequest } from "../../../src/protocol/ajp/events.ts";
import { newAjpReader, newFastCgiReader, newScgiReader, serveAjp } from "../../support/codec.ts";
import { readFourWays, type Reading, type Told } from "../../support/four-ways.ts";

type LongValue = { length: number; sha256: string; start: string };

interface Request {
  params: [string, string | LongValue][];
  body: { length: number; sha256: string; complete?: boolean };
  role?: number;
  flags?: number;
  request_id?: number;
}

interface Capture extends Request {
  protocol: "fcgi" | "scgi" | "fastcgi" | "ajp";
  trimmed_to?: number;
  whole_connection?: boolean;
  requests?: Record<string, Request>;
  ajp?: AjpHead;
}

interface AjpHead extends Pick<AjpForwardRequest, "method" | "protocol"> {
  req_uri: string;
  remote_addr: string;
  remote_host: string | null;
  server_name: string | null;
  server_port: number;
  is_ssl: number;
  headers: [string, string | LongValue][];
  attributes: [string, string | number][];
}

const captures = new URL("../../vectors/captures/", import.meta.url);
const FRONT_ENDS = readdirSync(captures, { withFileTypes: true }).filter((entry) => entry.isDirectory());
/** Of each file, so that all of them together take a second or two. */
const PLACES = 12;

describe.each(FRONT_ENDS.map(({ name }) => name))("what %s sends", (frontEnd) => {
  const directory = new URL(`${frontEnd}/`, captures);
  const cases = readdirSync(directory)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length));

  it.each(cases)("%s", (name) => {
    const bytes = readFileSync(new URL(`${name}.bin`, directory));
    const capture = JSON.parse(readFileSync(new URL(`${name}.json`, directory), "utf8")) as Capture;
    if (capture.protocol === "scgi") expectScgi(bytes, capture);
    else if (capture.protocol === "ajp") expectAjp(bytes, capture);
    else expectFastCgi(bytes, capture);
  });
});

function expectFastCgi(bytes: Uint8Array, capture: Capture): void {
  const reading = readFourWays(newFastCgiReader(), bytes, { places: PLACES });
  expect(reading.failure).toBeNull();
  expect(reading.events.filter(({ type }) => type === "badRecord" || type === "requestError")).toEqual([]);
  const requests = capture.requests ?? { [capture.request_id!]: capture };
  const all = { trimmed: capture.trimmed_to !== undefined, wholeConnection: capture.whole_connection === true };

  if (all.wholeConnection)
    expect(reading.events[0]).toEqual({ type: "getValues", names: ["FCGI_MAX_REQS", "FCGI_MPXS_CONNS"] });
  const begun = reading.events.filter(({ type }) => type === "beginRequest").map((event) => String(event["requestId"]));
  expect(begun).toEqual(Object.keys(requests));

  for (const [id, request] of Object.entries(requests)) {
    const own = reading.events.filter((event) => event["requestId"] === Number(id));
    expect(own[0]).toEqual({
      type: "beginRequest",
      requestId: Number(id),
      role: request.role,
      keepConn: (request.flags! & 1) === 1,
    });
    expect(described(own[1]!["params"])).toEqual(request.params.map(withoutStart));
    const complete = request.body.complete ?? true;
    if (!all.trimmed) expectBody(contentOf(own, "stdin"), request, own.at(-1)?.type === "stdinEnd", complete);
  }
  expectEnding(reading, capture, "FCGI_TRUNCATED");
}

function expectScgi(bytes: Uint8Array, capture: Capture): void {
  const reading = readFourWays(newScgiReader(), bytes, { places: PLACES });
  expect(reading.failure).toBeNull();
  const [headers, ...body] = reading.events;
  expect(described(headers!["params"])).toEqual(capture.params.map(withoutStart));
  if (capture.trimmed_to === undefined) {
    expectBody(contentOf(body, "body"), capture, body.at(-1)?.type === "bodyEnd", capture.body.complete!);
  }
  expectEnding(reading, capture, "SCGI_TRUNCATED");
}

const ATTRIBUTE_CODES: Readonly<Record<string, number>> = {
  ...{ remote_user: 3, auth_type: 4, query_string: 5, jvm_route: 6, ssl_cert: 7, ssl_cipher: 8, ssl_session: 9 },
  ssl_key_size: 11,
};

function expectAjp(bytes: Uint8Array, capture: Capture): void {
  const reading = readFourWays(newAjpReader(), bytes, { places: PLACES, onEvent: serveAjp });
  expect(reading.failure).toBeNull();
  // What comes before a request stands at the end of the one before it.
  const [head, ...body] = reading.events.filter(({ type }) => type !== "cping");
  const { headers, attributes, ...request } = head!["request"] as AjpForwardRequest;
  const told = capture.ajp!;
  const { stored_method, secret, ...known } = Object.fromEntries(told.attributes) as Record<string, string | number>;
  const named = Object.entries(known).filter(([name]) => name.startsWith("req_attribute:"));
  const coded = Object.entries(known).filter(([name]) => !name.startsWith("req_attribute:"));
  expect(request).toMatchObject({
    ...{ method: stored_method ?? told.method, protocol: told.protocol, reqUri: told.req_uri },
    ...{ remoteAddr: told.remote_addr, remoteHost: told.remote_host, serverName: told.server_name ?? "" },
    ...{ serverPort: told.server_port, isSsl: told.is_ssl === 1, secret: secret ?? null },
    reqAttributes: named.map(([name, value]) => [name.slice("req_attribute:".length), value]),
  });
  expect(described(headers)).toEqual(told.headers.map(withoutStart));
  expect([...attributes]).toEqual(coded.map(([name, value]) => [ATTRIBUTE_CODES[name], String(value)]));
  if (capture.trimmed_to === undefined) {
    expectBody(contentOf(body, "body"), capture, body.at(-1)?.type === "bodyEnd", capture.body.complete!);
  }
  expectEnding(reading, capture, "AJP_TRUNCATED");
}

function expectBody(content: string, { body }: Request, ended: boolean, complete: boolean): void {
  expect({ length: content.length, sha256: sha256(content) }).toEqual({ length: body.length, sha256: body.sha256 });
  expect(ended).toBe(complete);
}

/** A web server that lost its client leaves in the middle; an authorizer's body is not waited for. */
function expectEnding({ ending }: Reading, capture: Capture, truncated: string): void {
  const whole = capture.trimmed_to === undefined && (capture.whole_connection === true || capture.body.complete);
  expect(ending).toBe(whole || capture.role === 2 ? null : truncated);
}

function contentOf(events: readonly Told[], type: string): string {
  return events.map((event) => (event.type === type ? String(event["content"]) : "")).join("");
}

function described(params: unknown): [string, string | Omit<LongValue, "start">][] {
  return (params as [string, string][]).map(([name, value]) => [
    name,
    value.length > 512 ? { length: value.length, sha256: sha256(value) } : value,
  ]);
}

function withoutStart([name, value]: [string, string | LongValue]): [string, string | Omit<LongValue, "start">] {
  return [name, typeof value === "string" ? value : { length: value.length, sha256: value.sha256 }];
}

function sha256(latin1: string): string {
  return createHash("sha256").update(latin1, "latin1").digest("hex");
}
