import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";

import { type HeaderOptions, requestHeaders, type RequestHeaders } from "../../../src/cgi/request-head.ts";
import { type Pair, paramsOf } from "../../support/params.ts";

const MERGE: HeaderOptions = { conflictingHeaders: "merge" };
const headersOf = (pairs: readonly Pair[], options = MERGE): RequestHeaders["headers"] =>
  requestHeaders(paramsOf(pairs), options).headers;
const rawOf = (pairs: readonly Pair[], options = MERGE): string[] =>
  requestHeaders(paramsOf(pairs), options).rawHeaders;

/** What node's own parser makes of the same lines. */
function byNode(rawHeaders: readonly string[]): unknown {
  const message = new IncomingMessage(new Socket()) as IncomingMessage & {
    _addHeaderLines(headers: readonly string[], count: number): void;
  };
  message._addHeaderLines(rawHeaders, rawHeaders.length);
  return message.headers;
}

describe("headers", () => {
  it("come from HTTP_ variables, in the order sent, with conventional capitals in rawHeaders", () => {
    const pairs: Pair[] = [
      ["HTTP_HOST", "a.test"],
      ["SERVER_NAME", "b.test"],
      ["HTTP_ACCEPT_ENCODING", "gzip"],
      ["HTTP_X_EMPTY", ""],
      ["HTTPS", "on"],
      ["HTTP_IF_NONE_MATCH", '"x"'],
    ];
    expect(rawOf(pairs)).toEqual([
      ...["Host", "a.test", "Accept-Encoding", "gzip", "X-Empty", "", "If-None-Match", '"x"'],
    ]);
    expect(headersOf(pairs)).toEqual({
      host: "a.test",
      "accept-encoding": "gzip",
      "x-empty": "",
      "if-none-match": '"x"',
    });
  });

  it.each([
    ["HTTP_DNT", "DNT"],
    ["HTTP_TE", "TE"],
    ["HTTP_ETAG", "ETag"],
    ["HTTP_WWW_AUTHENTICATE", "WWW-Authenticate"],
    ["HTTP_SEC_CH_UA_MOBILE", "Sec-CH-UA-Mobile"],
    ["HTTP_SEC_FETCH_SITE", "Sec-Fetch-Site"],
    ["HTTP_SEC_WEBSOCKET_KEY", "Sec-WebSocket-Key"],
    ["HTTP_UPGRADE_INSECURE_REQUESTS", "Upgrade-Insecure-Requests"],
    ["HTTP_X_REQUEST_ID", "X-Request-Id"],
    ["HTTP___X", "--X"],
  ])("spell %s as %s", (variable, raw) => {
    expect(rawOf([[variable, "1"]])).toEqual([raw, "1"]);
  });

  it.each([
    ...["Age", "Authorization", "ETag", "Expires", "From", "Host", "If-Modified-Since", "If-Unmodified-Since"],
    ...["Last-Modified", "Location", "Max-Forwards", "Proxy-Authorization", "Referer", "Retry-After", "Server"],
    ...["User-Agent", "Cookie", "Set-Cookie", "Accept", "Accept-Language", "Cache-Control", "Connection", "Date"],
    ...["Expect", "If-Match", "If-None-Match", "Origin", "Pragma", "Range", "TE", "Upgrade", "Vary", "Via", "X-Dup"],
    ...["Constructor", "Sec-WebSocket-Protocol", "X-Forwarded-For"],
  ])("join a repeated %s as node http does", (name) => {
    const variable = `HTTP_${name.toUpperCase().replaceAll("-", "_")}`;
    const pairs: Pair[] = ["a=1", "", "b=2"].filter((v) => v !== "" || name !== "Host").map((v) => [variable, v]);
    expect(rawOf(pairs)).toEqual(pairs.flatMap(([, value]) => [name, value]));
    expect(headersOf(pairs)).toEqual(byNode(rawOf(pairs)));
  });

  it("leave a Cookie that Apache or Caddy joined with a comma", () => {
    expect(headersOf([["HTTP_COOKIE", "a=1, b=2"]])).toEqual({ cookie: "a=1, b=2" });
  });

  it("lose blanks at both ends of a value and keep other bytes", () => {
    expect(headersOf([["HTTP_X", " \ta \xe9\t "]])).toEqual({ x: "a \xe9" });
    expect(headersOf([["HTTP_X", " \t "]])).toEqual({ x: "" });
  });

  it.each(["HTTP_PROXY", "HTTP_", "HTTP_X.DOT", "HTTP_X-Y", "HTTP_A B", "HTTP_\xc9", `HTTP_${"A".repeat(257)}`])(
    "do not hold %s",
    (variable) => {
      expect(rawOf([[variable, "x"]])).toEqual([]);
    },
  );

  it("do not hold the empty Host that Caddy makes up", () => {
    expect(headersOf([["HTTP_HOST", ""]])).toEqual({});
  });

  it("are a plain object that no name can pollute", () => {
    const headers = headersOf([
      ["HTTP___PROTO__", "x"],
      ["HTTP_CONSTRUCTOR", "y"],
      ["HTTP_HASOWNPROPERTY", "z"],
    ]);
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
    expect(headers).toEqual({ "--proto--": "x", constructor: "y", hasownproperty: "z" });
  });

  it("survive more names than are remembered", () => {
    const pairs = Array.from({ length: 1500 }, (_, i): Pair => [`HTTP_X_${i}`, String(i)]);
    expect(Object.keys(headersOf(pairs))).toHaveLength(1500);
    expect(headersOf([["HTTP_X_1499", "1"]])).toEqual({ "x-1499": "1" });
  });
});

describe("a header that stands for the front's word and comes twice", () => {
  const pairs: Pair[] = [
    ["HTTP_X_FORWARDED_FOR", "192.0.2.1"],
    ["HTTP_X_DUP", "1"],
    ["HTTP_X_FORWARDED_FOR", "198.51.100.1"],
    ["HTTP_X_DUP", "2"],
    ["HTTP_AUTHORIZATION", "Basic x"],
  ];

  it("is merged as any other", () => {
    expect(headersOf(pairs)["x-forwarded-for"]).toBe("192.0.2.1, 198.51.100.1");
  });

  it("does not reach the app at all with `drop`", () => {
    const heads = requestHeaders(paramsOf(pairs), { conflictingHeaders: "drop" });
    expect(heads.headers).toEqual({ "x-dup": "1, 2", authorization: "Basic x" });
    expect(heads.rawHeaders).toEqual(["X-Dup", "1", "X-Dup", "2", "Authorization", "Basic x"]);
  });

  it.each(["HTTP_HOST", "HTTP_FORWARDED", "HTTP_REMOTE_USER", "HTTP_X_AUTH_TOKEN", "HTTP_X_REAL_IP"])(
    "is refused with `refuse`: %s",
    (name) => {
      const twice = paramsOf([
        [name, "a"],
        [name, "b"],
      ]);
      expect(() => requestHeaders(twice, { conflictingHeaders: "refuse" })).toThrow(
        expect.objectContaining({ code: "CGI_CONFLICTING_HEADERS", status: 400 }),
      );
    },
  );

  it("is fine with `refuse` where only other headers repeat", () => {
    expect(headersOf(pairs.slice(1), { conflictingHeaders: "refuse" })["x-dup"]).toBe("1, 2");
  });
});
