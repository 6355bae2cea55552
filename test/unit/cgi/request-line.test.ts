import { describe, expect, it } from "vitest";

import { requestLine } from "../../../src/cgi/request-head.ts";
import type { RequestError } from "../../../src/errors.ts";
import { type Pair, paramsOf } from "../../support/params.ts";

const GET: readonly Pair[] = [
  ["REQUEST_METHOD", "GET"],
  ["SCRIPT_NAME", "/james"],
  ["PATH_INFO", "/a"],
  ["QUERY_STRING", "b"],
  ["REQUEST_URI", "/james/a?b"],
  ["SERVER_PROTOCOL", "HTTP/1.1"],
];
const without = (name: string): Pair[] => GET.filter((pair) => pair[0] !== name);
const refusal = (pairs: readonly Pair[], mount = "auto"): Pick<RequestError, "code" | "status"> => {
  try {
    requestLine(paramsOf(pairs), mount);
  } catch (error) {
    return { code: (error as RequestError).code, status: (error as RequestError).status };
  }
  throw new Error("not refused");
};

describe("the request line", () => {
  it("is method, address below the mount and version", () => {
    expect(requestLine(paramsOf(GET), "auto")).toEqual({
      method: "GET",
      url: "/a?b",
      baseUrl: "/james",
      originalUrl: "/james/a?b",
      httpVersion: "1.1",
      httpVersionMajor: 1,
      httpVersionMinor: 1,
    });
  });

  it("finds its variables among others of the same length", () => {
    const noise: Pair[] = [
      ["SERVER_NAME", "x"],
      ["SCRIPT_XXXX", "/no"],
      ["REQUESTXURI", "/no"],
      ["QUERY_XTRING", "no"],
      ["DOCUMENT_XXX", "/no"],
      ["REQUEST_MXXXXX", "no"],
      ["SERVER_PXXXXXXX", "HTTP/1.0"],
      ["SCRIPT_FXXXXXXX", "proxy:no"],
      ["PATH_XXXX", "/no"],
    ];
    expect(requestLine(paramsOf([...noise, ...GET]), "auto")).toEqual(requestLine(paramsOf(GET), "auto"));
  });

  it("believes the last of a repeated variable, as nginx overrides what its stock file says", () => {
    const twice: Pair[] = [["SCRIPT_NAME", "/james/a"], ["REQUEST_METHOD", "POST"], ...GET];
    expect(requestLine(paramsOf(twice), "auto")).toMatchObject({ method: "GET", url: "/a?b" });
  });

  it.each([
    ["HTTP/1.0", "1.0"],
    ["HTTP/1.1", "1.1"],
    ["HTTP/2.0", "1.1"],
    ["HTTP/2", "1.1"],
    ["HTTP/3.0", "1.1"],
    ["INCLUDED", "1.1"],
    ["", "1.1"],
  ])("takes SERVER_PROTOCOL %j for version %s", (protocol, version) => {
    const line = requestLine(paramsOf([...without("SERVER_PROTOCOL"), ["SERVER_PROTOCOL", protocol]]), "auto");
    expect(line.httpVersion).toBe(version);
    expect(`${line.httpVersionMajor}.${line.httpVersionMinor}`).toBe(version);
  });

  it.each(["get", "PROPFIND", "M-SEARCH", "FROB", "x".repeat(32)])("passes the method %s as it is", (method) => {
    expect(requestLine(paramsOf([...GET, ["REQUEST_METHOD", method]]), "auto").method).toBe(method);
  });

  it.each(["", "GE T", "GET\r\n", "G\0T", "x".repeat(33), "G\xc9T"])("refuses the method %j", (method) => {
    expect(refusal([...GET, ["REQUEST_METHOD", method]])).toEqual({ code: "CGI_BAD_METHOD", status: 400 });
  });

  it("refuses a request without a method", () => {
    expect(refusal(without("REQUEST_METHOD"))).toEqual({ code: "CGI_BAD_METHOD", status: 400 });
  });

  it.each<[string, Pair[]]>([
    ["has a NUL in REQUEST_URI", [["REQUEST_URI", "/a\0b"]]],
    [
      "has an encoded NUL, which h2o passes",
      [
        ["REQUEST_URI", "/a%00b"],
        ["SCRIPT_NAME", ""],
        ["PATH_INFO", "/a\0b"],
      ],
    ],
    ["is an authority (CONNECT)", [["REQUEST_URI", "example.test:443"]]],
    ["does not begin with a slash", [["REQUEST_URI", "james/x"]]],
    [
      "agrees on not beginning with a slash",
      [
        ["SCRIPT_NAME", "james"],
        ["PATH_INFO", "/x"],
        ["REQUEST_URI", "james/x"],
      ],
    ],
    ["is not told at all", [["SERVER_NAME", "x"]]],
  ])("refuses a target that %s", (_why, pairs) => {
    expect(refusal([["REQUEST_METHOD", "GET"], ...pairs])).toEqual({ code: "CGI_BAD_TARGET", status: 400 });
  });

  it("takes OPTIONS * as h2o sends it", () => {
    const pairs: Pair[] = [
      ["REQUEST_METHOD", "OPTIONS"],
      ["SCRIPT_NAME", ""],
      ["PATH_INFO", "/*"],
      ["REQUEST_URI", "*"],
      ["QUERY_STRING", ""],
    ];
    expect(requestLine(paramsOf(pairs), "/james")).toMatchObject({ url: "*", baseUrl: "", originalUrl: "*" });
  });

  it("leaves other control characters as they came", () => {
    const uri = "/a\x01b?c\x7f";
    expect(
      requestLine(
        paramsOf([
          ["REQUEST_METHOD", "GET"],
          ["REQUEST_URI", uri],
        ]),
        "auto",
      ).url,
    ).toBe(uri);
  });
});
