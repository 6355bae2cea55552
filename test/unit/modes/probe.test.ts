import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Dispatcher, RequestHead, ResponseEvent, Role } from "../../../src/exchange.ts";
import { PROBE_TIME, Probes } from "../../../src/modes/probe.ts";
import type { ProbeReport } from "../../../src/report.ts";
import { type Pair, paramsOf } from "../../support/params.ts";

const TOKEN = "5f2d";
const USUAL: readonly Pair[] = [
  ["REQUEST_METHOD", "GET"],
  ["REQUEST_URI", "/james/page?a=1"],
  ["SCRIPT_NAME", "/james"],
  ["PATH_INFO", "/page"],
  ["QUERY_STRING", "a=1"],
  ["DB_PASSWORD", "of the web server's configuration"],
];

let toApp: RequestHead[];
let probes: Probes;

beforeEach(() => {
  vi.useFakeTimers();
  toApp = [];
  const app: Dispatcher = {
    dispatch: (head) => {
      toApp.push(head);
      return { send: () => {} };
    },
  };
  probes = new Probes(app, "auto");
});
afterEach(() => void vi.useRealTimers());

/** What is sent back for a request with that probe header, once its body has come. */
function ask(
  header: string | null,
  body: readonly string[] = [],
  role: Role = "responder",
  more: readonly Pair[] = [],
): ResponseEvent[] {
  const events: ResponseEvent[] = [];
  const pairs = header === null ? USUAL : [...USUAL, ["HTTP_X_PROPYLON_PROBE", header] as const, ...more];
  const head = {
    id: "1",
    protocol: "fastcgi",
    role,
    params: paramsOf(pairs),
    multiplexed: false,
  } as const;
  const sink = probes.dispatch(head, { send: (event) => void events.push(event) });
  for (const piece of body) sink.send({ type: "body", chunk: Buffer.from(piece) });
  sink.send({ type: "bodyEnd" });
  return events;
}

function reportIn(events: readonly ResponseEvent[]): ProbeReport {
  const text = events.map((event) => (event.type === "body" ? Buffer.from(event.chunk).toString() : "")).join("");
  return JSON.parse(text) as ProbeReport;
}

describe("Probes", () => {
  it("answers a request with an expected token, and tells what has arrived of it", () => {
    probes.expect(TOKEN);
    const events = ask(TOKEN, ["four", "+five"]);
    expect(toApp).toEqual([]);
    expect(events.map(({ type }) => type)).toEqual(["credit", "credit", "head", "body", "end"]);
    const report = reportIn(events);
    expect(report).toMatchObject({
      variables: { REQUEST_URI: "/james/page?a=1", SCRIPT_NAME: "/james" },
      lengths: { QUERY_STRING: 3 },
      target: { baseUrl: "/james", originalUrl: "/james/page?a=1" },
      body: 9,
    });
    expect(JSON.stringify(report)).not.toMatch(/PASSWORD|configuration|5f2d/);
  });

  it.each([
    [
      "one of two fields",
      ["propylon-doctor-1=one", "propylon-doctor-2=two"],
      "propylon-doctor-1=one; propylon-doctor-2=two",
    ],
    ["a comma", ["propylon-doctor-1=one, propylon-doctor-2=two"], "propylon-doctor-1=one, propylon-doctor-2=two"],
    ["others", ["ticket=secret", "propylon-doctor-1=one;a=b"], " propylon-doctor-1=one"],
  ])("tells the probe's own cookies as the app would get them: with %s", (_what, fields, told) => {
    probes.expect(TOKEN);
    const cookies = fields.map((value): Pair => ["HTTP_COOKIE", value]);
    expect(reportIn(ask(TOKEN, [], "responder", cookies)).variables["HTTP_COOKIE"]).toBe(told);
  });

  it.each([
    ["no token", null],
    ["another one", "5f2e"],
    ["an empty one", ""],
    ["one with more behind it", "5f2d5f2d"],
  ])("leaves a request with %s to the app", (_what, header) => {
    probes.expect(TOKEN);
    expect(ask(header)).toEqual([]);
    expect(toApp.length).toBe(1);
  });

  it.each(["authorizer", "filter"] as const)("lets nobody in: what the role %s is asked for is the app's", (role) => {
    probes.expect(TOKEN);
    expect(ask(TOKEN, [], role)).toEqual([]);
    expect(toApp.length).toBe(1);
  });

  it("expects nothing unasked, nor a token whose time is over", () => {
    ask(TOKEN);
    expect(toApp.length).toBe(1);
    probes.expect(TOKEN);
    vi.advanceTimersByTime(PROBE_TIME - 1);
    ask(TOKEN);
    expect(toApp.length).toBe(1);
    vi.advanceTimersByTime(1);
    ask(TOKEN);
    expect(toApp.length).toBe(2);
  });

  it("knows eight tokens and forgets the oldest for another", () => {
    for (let i = 0; i <= 8; i++) probes.expect(`token-${i}`);
    ask("token-0");
    expect(toApp.length).toBe(1);
    for (let i = 1; i <= 8; i++) ask(`token-${i}`);
    expect(toApp.length).toBe(1);
  });

  it("sends an answer in parts, or with a head as large as it is asked for, up to 64 KiB", () => {
    probes.expect(TOKEN);
    const events = ask(`${TOKEN} parts`);
    expect(events.map(({ type }) => type)).toEqual(["head", "body"]);
    vi.advanceTimersByTime(600);
    expect(events.map(({ type }) => type)).toEqual(["head", "body", "body", "end"]);
    const blockOf = (how: string): string => (ask(`${TOKEN} ${how}`)[0] as { block: string }).block;
    expect(blockOf("head=6000")).toMatch(/\r\nX-Propylon-Fill: x{6000}\r\n\r\n$/);
    expect(/x{65536}\r\n/.test(blockOf("head=999999"))).toBe(true);
    expect(blockOf("head=999999").length).toBeLessThan(66_000);
  });
});
