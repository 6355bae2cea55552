import { describe, expect, it } from "vitest";

import { announcedLength } from "../../../src/cgi/body-framing.ts";
import { requestHeaders } from "../../../src/cgi/request-head.ts";
import { type Pair, paramsOf } from "../../support/params.ts";

function framing(method: string, ...pairs: Pair[]): [number | undefined, Record<string, unknown>] {
  const params = paramsOf([["REQUEST_METHOD", method], ...pairs]);
  return [announcedLength(params), requestHeaders(params, { conflictingHeaders: "merge" }).headers];
}

const http2: Pair = ["SERVER_PROTOCOL", "HTTP/2.0"];

describe("the body's framing", () => {
  it("is the announced length, and only that, though nginx passes the client's own header too", () => {
    expect(framing("POST", ["CONTENT_LENGTH", "5"], ["HTTP_CONTENT_LENGTH", "5"])).toEqual([
      5,
      { "content-length": "5" },
    ]);
    expect(framing("POST", ["CONTENT_LENGTH", "5"], ["HTTP_TRANSFER_ENCODING", "chunked"])).toEqual([
      5,
      { "content-length": "5" },
    ]);
    expect(framing("GET", ["CONTENT_LENGTH", "4"])).toEqual([4, { "content-length": "4" }]);
  });

  it("stands in rawHeaders too", () => {
    const params = paramsOf([
      ["CONTENT_TYPE", "text/plain"],
      ["CONTENT_LENGTH", "5"],
      ["HTTP_HOST", "a"],
    ]);
    const { rawHeaders } = requestHeaders(params, { conflictingHeaders: "merge" });
    expect(rawHeaders).toEqual(["Host", "a", "Content-Type", "text/plain", "Content-Length", "5"]);
  });

  it.each<[string, Pair[]]>([
    ["chunked, Apache mod_proxy_fcgi", [["HTTP_TRANSFER_ENCODING", "chunked"]]],
    [
      "chunked, nginx unbuffered",
      [
        ["CONTENT_LENGTH", ""],
        ["HTTP_TRANSFER_ENCODING", "chunked"],
      ],
    ],
    ["chunked, Caddy", [["CONTENT_LENGTH", "-1"]]],
    ["without a length over HTTP/2", [["CONTENT_LENGTH", ""], http2]],
  ])("is chunked for a body %s", (_front, pairs) => {
    expect(framing("POST", ...pairs)).toEqual([undefined, { "transfer-encoding": "chunked" }]);
  });

  it.each<[string, string, Pair[]]>([
    ["POST", "mod_fastcgi, mod_proxy_fcgi, h2o", []],
    ["POST", "nginx", [["CONTENT_LENGTH", ""]]],
    ["GET", "nginx over HTTP/2", [["CONTENT_LENGTH", ""], http2]],
    ["DELETE", "h2o over HTTP/2", [http2]],
  ])("is not told for a %s without a body (%s)", (method, _front, pairs) => {
    expect(framing(method, ...pairs)).toEqual([undefined, {}]);
  });

  it.each(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"])(
    "is not told for a %s whose length 0 the front made up",
    (method) => {
      expect(framing(method, ["CONTENT_LENGTH", "0"])).toEqual([0, {}]);
    },
  );

  it("is told where the client itself said 0, or usually does", () => {
    expect(framing("DELETE", ["CONTENT_LENGTH", "0"], ["HTTP_CONTENT_LENGTH", "0"])).toEqual([
      0,
      { "content-length": "0" },
    ]);
    expect(framing("POST", ["CONTENT_LENGTH", "0"])).toEqual([0, { "content-length": "0" }]);
    expect(framing("PATCH", ["CONTENT_LENGTH", "0"])).toEqual([0, { "content-length": "0" }]);
  });

  it("tells an authorizer the client's length without counting on it", () => {
    expect(framing("POST", ["HTTP_CONTENT_LENGTH", "11"])).toEqual([undefined, { "content-length": "11" }]);
    expect(framing("POST", ["HTTP_CONTENT_LENGTH", "11, 12"])).toEqual([undefined, {}]);
  });

  it("takes a length that comes twice and is the same", () => {
    expect(framing("POST", ["CONTENT_LENGTH", "7"], ["CONTENT_LENGTH", "7"])[0]).toBe(7);
  });

  it.each<Pair[]>([
    [["CONTENT_LENGTH", "+5"]],
    [["CONTENT_LENGTH", "05"]],
    [["CONTENT_LENGTH", "5 "]],
    [["CONTENT_LENGTH", "5, 5"]],
    [["CONTENT_LENGTH", "0x5"]],
    [["CONTENT_LENGTH", "-2"]],
    [["CONTENT_LENGTH", "9999999999999999"]],
    [["CONTENT_LENGTH", "12345678901234567"]],
    [
      ["CONTENT_LENGTH", "5"],
      ["CONTENT_LENGTH", "6"],
    ],
    [
      ["CONTENT_LENGTH", "5"],
      ["CONTENT_LENGTH", ""],
    ],
  ])("is refused: %j %j", (...pairs) => {
    expect(() => framing("POST", ...pairs.filter(Boolean))).toThrow(
      expect.objectContaining({ code: "CGI_BAD_CONTENT_LENGTH", status: 400 }),
    );
  });
});

describe("the body's type", () => {
  it("is CONTENT_TYPE, of which an empty one is absent", () => {
    expect(
      framing("POST", ["CONTENT_TYPE", "text/a"], ["HTTP_CONTENT_TYPE", "text/a"], ["HTTP_CONTENT_TYPE", "b"])[1],
    ).toEqual({
      "content-type": "text/a",
    });
    expect(framing("GET", ["CONTENT_TYPE", ""])[1]).toEqual({});
  });

  it("is the client's header where a front set no CONTENT_TYPE", () => {
    expect(framing("POST", ["HTTP_CONTENT_TYPE", "text/plain"])[1]).toEqual({ "content-type": "text/plain" });
  });

  it("is not the form that Caddy makes up for a body without one", () => {
    const caddy: Pair[] = [
      ["SERVER_SOFTWARE", "Caddy/2.6.2"],
      ["CONTENT_TYPE", "application/x-www-form-urlencoded"],
    ];
    const form = { "content-type": "application/x-www-form-urlencoded" };
    expect(framing("POST", ...caddy)[1]).toEqual({});
    expect(framing("POST", ...caddy, ["HTTP_CONTENT_TYPE", form["content-type"]])[1]).toEqual(form);
    expect(framing("POST", ["SERVER_SOFTWARE", "Apache"], ...caddy.slice(1))[1]).toEqual(form);
  });
});
