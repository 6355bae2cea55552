import { describe, expect, it } from "vitest";
import { place, variables, type FrontRequest } from "../../../src/front/variables.ts";

describe("the place of a request below a mount", () => {
  it.each([
    ["/", "/", "", "/", ""],
    ["/a%20b/%E2%98%83?x=%20", "/", "", "/a b/\xe2\x98\x83", "x=%20"],
    ["//a///b/./c/../d", "/", "", "/a/b/d", ""],
    ["/a/..", "/", "", "/", ""],
    ["/../../a", "/", "", "/a", ""],
    ["/%zz%4", "/", "", "/%zz%4", ""],
    ["http://other:8080/abs?x=1?2", "/", "", "/abs", "x=1?2"],
    ["http://other", "/", "", "/", ""],
    ["http://other?x", "/", "", "/", "x"],
    ["/james", "/james", "/james", "", ""],
    ["/james?x", "/james", "/james", "", "x"],
    ["/james/", "/james", "/james", "/", ""],
    ["/j%61mes/sub%2Fx", "/james", "/james", "/sub/x", ""],
  ])("%s under %s is %j + %j ? %j", (target, mount, scriptName, pathInfo, query) => {
    expect(place(target, mount)).toMatchObject({ scriptName, pathInfo, query });
  });

  it("keeps REQUEST_URI as it came, without http://host", () => {
    expect(place("/a//b/%2e%2e?%41", "/")?.requestUri).toBe("/a//b/%2e%2e?%41");
    expect(place("http://h/a%20b?c", "/")?.requestUri).toBe("/a%20b?c");
  });

  it.each(["/", "/jamesbond", "/james/../x", "x"])("%s is not under /james", (target) => {
    expect(place(target, "/james")).toBeNull();
  });

  it("does not exist for a path with a NUL", () => {
    expect(place("/a%00b", "/")).toBeNull();
  });
});

describe("the variables of a request", () => {
  const request: FrontRequest = {
    method: "GET",
    httpVersion: "1.1",
    rawHeaders: [],
    encrypted: false,
    remoteAddress: "192.0.2.1",
    remotePort: 50000,
    localAddress: "127.0.0.1",
    localPort: 8080,
  };
  const of = (rawHeaders: string[], more: Partial<FrontRequest> = {}): Record<string, string> =>
    Object.fromEntries(variables({ ...request, ...more, rawHeaders }, place("/james/a?b=c", "/james")!));

  it("are those of CGI/1.1 with REQUEST_URI, the addresses and the scheme", () => {
    expect(of(["Host", "www.example.test:8080", "User-Agent", "x"])).toEqual({
      CONTENT_LENGTH: "0",
      QUERY_STRING: "b=c",
      REQUEST_URI: "/james/a?b=c",
      REDIRECT_STATUS: "200",
      SCRIPT_NAME: "/james",
      PATH_INFO: "/a",
      REQUEST_METHOD: "GET",
      SERVER_PROTOCOL: "HTTP/1.1",
      SERVER_SOFTWARE: "propylon-front",
      GATEWAY_INTERFACE: "CGI/1.1",
      REQUEST_SCHEME: "http",
      SERVER_PORT: "8080",
      SERVER_ADDR: "127.0.0.1",
      SERVER_NAME: "www.example.test",
      REMOTE_ADDR: "192.0.2.1",
      REMOTE_PORT: "50000",
      HTTP_HOST: "www.example.test:8080",
      HTTP_USER_AGENT: "x",
    });
    expect(of([], { encrypted: true })).toMatchObject({ HTTPS: "on", REQUEST_SCHEME: "https" });
    expect(of(["Host", "[::1]:8080"])["SERVER_NAME"]).toBe("[::1]");
  });

  it("join a repeated header, cookies with a semicolon", () => {
    expect(of(["X-Dup", "a", "Cookie", "a=1", "x-dup", "b", "cookie", "b=2"])).toMatchObject({
      HTTP_X_DUP: "a, b",
      HTTP_COOKIE: "a=1; b=2",
    });
  });

  it("tell the body's type and length in their own names, and no length of a chunked body", () => {
    const posted = of(["Content-Type", "text/plain", "Content-Length", "5"]);
    expect(posted).toMatchObject({ CONTENT_TYPE: "text/plain", CONTENT_LENGTH: "5" });
    expect(posted).not.toHaveProperty("HTTP_CONTENT_LENGTH");
    const chunked = of(["Transfer-Encoding", "chunked"]);
    expect(chunked).not.toHaveProperty("CONTENT_LENGTH");
    expect(chunked).not.toHaveProperty("HTTP_TRANSFER_ENCODING");
  });

  it("leave out headers of the connection, Proxy, and names that could pass for another", () => {
    const names = Object.keys(
      of([
        "Connection",
        "close",
        "Keep-Alive",
        "x",
        "Proxy",
        "evil",
        "X_User",
        "admin",
        "X.Dot",
        "a",
        "Upgrade",
        "h2c",
      ]),
    );
    expect(names.filter((name) => name.startsWith("HTTP_"))).toEqual([]);
  });
});
