import { describe, expect, it } from "vitest";

import type { ConfigError } from "../../../src/errors.ts";
import type { ExchangeRecord } from "../../../src/exchange.ts";
import { accessLogFormat } from "../../../src/logging/access-log.ts";
import { paramsOf } from "../../support/params.ts";

const VARIABLES: Record<string, string> = {
  REQUEST_METHOD: "POST",
  REQUEST_URI: "/a%20b/c?x=1&y",
  SERVER_PROTOCOL: "HTTP/1.1",
  QUERY_STRING: "x=1&y",
  REMOTE_ADDR: "192.0.2.7",
  REMOTE_USER: "ann",
  CONTENT_TYPE: "text/plain",
  HTTP_HOST: "www.example.test",
  HTTP_REFERER: "http://www.example.test/",
  HTTP_USER_AGENT: "Test/1.0 (here)",
  HTTPS: "on",
};

const BEGUN = new Date(2026, 0, 31, 1, 2, 3, 456).getTime();

function record(variables: Record<string, string> = {}, more: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    id: "AbCdEfGh-1z",
    params: paramsOf(Object.entries({ ...VARIABLES, ...variables })),
    status: 200,
    bytes: 1234,
    aborted: false,
    begun: BEGUN,
    duration: 2012.3456,
    service: { worker: 7, waited: 12.6 },
    ...more,
  };
}

const line = (format: string, variables?: Record<string, string>, more?: Partial<ExchangeRecord>): string =>
  accessLogFormat(format)(record(variables, more));

const REQUEST = '"POST /a%20b/c?x=1&y HTTP/1.1"';
const TIME = /^\[31\/Jan\/2026:01:02:03 [+-]\d{4}\]$/;

describe("a line of the access log", () => {
  it.each([
    ["%h", "192.0.2.7"],
    ["%l", "-"],
    ["%u", "ann"],
    ['"%r"', REQUEST],
    ["%m", "POST"],
    ["%U", "/a%20b/c"],
    ["%q", "?x=1&y"],
    ["%s", "200"],
    ["%>s", "200"],
    ["%b", "1234"],
    ["%B", "1234"],
    ["%D", "2012346"],
    ["%T", "2"],
    ["%{HTTPS}e", "on"],
    ["%{NOT_SENT}e", "-"],
    ["%{Referer}i", "http://www.example.test/"],
    ["%{user-agent}i", "Test/1.0 (here)"],
    ["%{Content-Type}i", "text/plain"],
    ["%{X-Not-Sent}i", "-"],
    ["%L", "AbCdEfGh-1z"],
    ["%P", String(process.pid)],
    ["%{waited}x", "13"],
    ["%{worker}x", "7"],
    ["%h%%%D", "192.0.2.7%2012346"],
  ])("has for %s what the request has", (format, expected) => {
    expect(line(format)).toBe(expected);
  });

  it("has the time at which the request began", () => {
    expect(line("%t")).toMatch(TIME);
    const zone = -new Date(BEGUN).getTimezoneOffset();
    const shown = /([+-])(\d\d)(\d\d)\]$/.exec(line("%t"))!;
    expect((shown[1] === "-" ? -1 : 1) * (Number(shown[2]) * 60 + Number(shown[3]))).toBe(zone + 0);
    expect(line("%t", {}, { begun: BEGUN + 1000 })).toContain(":01:02:04 ");
  });

  it("has a hyphen for what is not there", () => {
    const nobody = { REMOTE_USER: "", REMOTE_ADDR: "" };
    const more = { id: "", bytes: 0, service: null };
    expect(line("%h %u %b %B %L %{waited}x %{worker}x", nobody, more)).toBe("- - - 0 - - -");
    expect(line("[%q]", { REQUEST_URI: "/plain" })).toBe("[]");
    const unreadable = accessLogFormat("combined")(record({}, { ...more, params: null, status: 431 }));
    expect(unreadable.replace(/\[.*?\]/, "TIME")).toBe('- - - TIME "-" 431 - "-" "-"');
  });

  it("puts the URL together for a web server that does not send it", () => {
    const variables = { REQUEST_URI: "", SCRIPT_NAME: "/app", PATH_INFO: "/x" };
    expect(line("%U%q", variables)).toBe("/app/x?x=1&y");
  });

  it("is in the common format, the combined one unless another is named", () => {
    const start = `192.0.2.7 - ann TIME ${REQUEST} 200 1234`;
    expect(line("common").replace(/\[.*?\]/, "TIME")).toBe(start);
    const combined = `${start} "http://www.example.test/" "Test/1.0 (here)"`;
    expect(line("combined").replace(/\[.*?\]/, "TIME")).toBe(combined);
  });

  it("is an object in the json format", () => {
    expect(JSON.parse(line("json"))).toEqual({
      time: new Date(BEGUN).toISOString(),
      id: "AbCdEfGh-1z",
      remote: "192.0.2.7",
      user: "ann",
      method: "POST",
      host: "www.example.test",
      url: "/a%20b/c?x=1&y",
      protocol: "HTTP/1.1",
      status: 200,
      bytes: 1234,
      duration: 2012.346,
      aborted: false,
      referer: "http://www.example.test/",
      userAgent: "Test/1.0 (here)",
      worker: 7,
      waited: 12.6,
      pid: process.pid,
    });
    const unreadable = JSON.parse(line("json", {}, { params: null, id: "", service: null, status: 431 })) as object;
    expect(unreadable).toMatchObject({ id: null, url: null, remote: null, worker: null, waited: null, status: 431 });
  });
});

describe("what a client sends", () => {
  const ATTACKS = [
    'x" 200 1\n192.0.2.9 - root [01/Jan/2026:00:00:00 +0000] "GET /forged HTTP/1.1" 200 1',
    "x\r\nforged",
    "\x1b]0;title\x07\x1b[2J",
    "\x9b2J\x85next\x7f",
    "back\\slash\\",
    "\xe2\x80\xae right to left, \xe2\x80\xa8 a line",
    "\0\t\v",
  ];
  const NAMES = ["REQUEST_METHOD", "REQUEST_URI", "SERVER_PROTOCOL", "REMOTE_ADDR", "REMOTE_USER", "HTTP_REFERER"];
  const every = (attack: string): Record<string, string> => Object.fromEntries(NAMES.map((name) => [name, attack]));

  it.each(ATTACKS)("cannot forge or hide a line of text, nor speak to a terminal: %j", (attack) => {
    const format = '%h %u "%r" "%{Referer}i" "%{REMOTE_USER}e" "%m" "%U" "%q"';
    const text = line(format, every(attack));
    expect(text).toMatch(/^[\x20-\x7e]+$/);
    // Quotes are those of the format, and words are not divided.
    expect(text.split('"')).toHaveLength(13);
    expect(text.slice(0, text.indexOf('"')).trim().split(" ")).toHaveLength(2);
    expect(text.replace(/\\x[0-9a-f]{2}/g, "")).not.toContain("\\");
  });

  it.each(ATTACKS)("is as it was in JSON, and without controls: %j", (attack) => {
    const text = line("json", every(attack));
    expect(text).not.toMatch(/[\0-\x1f\x7f-\x9f\u2028\u2029\u202e]/);
    const { url, user } = JSON.parse(text) as Record<string, string>;
    const readable = Buffer.from(attack, "latin1").toString("utf8");
    expect(url).toBe(readable.includes("\ufffd") ? attack : readable);
    expect(user).toBe(url);
  });

  it("is escaped by the bytes that it is made of", () => {
    expect(line("%{X}e", { X: 'a"b\\c\n\xe9' })).toBe("a\\x22b\\x5cc\\x0a\\xe9");
  });

  it("is cut at 8192 characters", () => {
    const long = { HTTP_REFERER: "r".repeat(100_000) };
    expect(line("%{Referer}i", long)).toBe(`${"r".repeat(8192)}[cut]`);
    expect(line("json", long).length).toBeLessThan(9000);
  });
});

describe("a format", () => {
  it.each(["%z", "%{x}y", "%{none}x", "%h %", "%>b", "%{}i", "%{toString}x", "%{a", "%constructor"])(
    "with an unknown directive is refused: %s",
    (format) => {
      const compile = (): unknown => accessLogFormat(format, { key: "access_log_format" });
      if (format === "%constructor") {
        expect(compile).toThrow('"%c"');
        return;
      }
      expect(compile).toThrow(
        expect.objectContaining({ code: "CONFIG_BAD_VALUE", place: { key: "access_log_format" } }) as ConfigError,
      );
      const directive = /%(?!h).*/.exec(format)![0];
      expect(compile).toThrow(directive.slice(0, 2));
    },
  );

  it("without a directive is a misspelt name", () => {
    expect(() => accessLogFormat("combind")).toThrow(/"combind" has no directive/);
  });
});
