import { describe, expect, it } from "vitest";

import { type Mount, reconcileTarget, type TargetVariables } from "../../../src/cgi/mount.ts";
import { SEEN_FRONTS } from "./target-cases.ts";

describe.each(SEEN_FRONTS)("the address behind $front", ({ mount, baseUrl, scriptFilename, requests }) => {
  it.each(requests)("SCRIPT_NAME %j, PATH_INFO %j, REQUEST_URI %j, QUERY_STRING %j: url %j", (...seen) => {
    const [scriptName, pathInfo, requestUri, queryString, url, documentUri] = seen;
    const vars = { scriptName, pathInfo, requestUri, queryString, documentUri, scriptFilename };
    expect(reconcileTarget(vars, mount)).toEqual({ url, baseUrl, originalUrl: requestUri });
  });
});

describe("the mount", () => {
  const at = (vars: TargetVariables, mount: Mount = "auto"): [string, string, string] => {
    const { baseUrl, url, originalUrl } = reconcileTarget(vars, mount);
    return [baseUrl, url, originalUrl];
  };
  const james = (uri: string, pathInfo: string | undefined, queryString = ""): TargetVariables => ({
    scriptName: "/james",
    pathInfo,
    requestUri: uri,
    queryString,
  });

  it("gives / for the mount itself, with and without a query", () => {
    expect(at(james("/james", undefined))).toEqual(["/james", "/", "/james"]);
    expect(at(james("/james?x=1", "", "x=1"))).toEqual(["/james", "/?x=1", "/james?x=1"]);
    expect(at(james("/james/?x=1", "/", "x=1"))).toEqual(["/james", "/?x=1", "/james/?x=1"]);
    expect(at(james("/james?", undefined))).toEqual(["/james", "/?", "/james?"]);
  });

  it("is cut off as the client spelled it", () => {
    expect(at(james("/j%61mes/x", "/x"))).toEqual(["/j%61mes", "/x", "/j%61mes/x"]);
    expect(at(james("//james//x", "/x"))).toEqual(["//james", "//x", "//james//x"]);
    expect(at(james("/x/../james/y", "/y"))).toEqual(["/x/../james", "/y", "/x/../james/y"]);
    const vars = { scriptName: "/a/b", pathInfo: "/c", requestUri: "/a%2Fb/c", queryString: "" };
    expect(at(vars)).toEqual(["/a%2Fb", "/c", "/a%2Fb/c"]);
  });

  it("may hold an encoded slash that Apache kept", () => {
    const vars = { scriptName: "/a%2Fb", pathInfo: "/c d", requestUri: "/a%2Fb/c%20d", queryString: "" };
    expect(at(vars)).toEqual(["/a%2Fb", "/c%20d", "/a%2Fb/c%20d"]);
  });

  it("ends at a slash: /jamestown is not below /james", () => {
    const vars = { scriptName: "/jamestown", requestUri: "/jamestown" };
    expect(at(vars, "/james")).toEqual(["", "/jamestown", "/jamestown"]);
    expect(at({ ...vars, requestUri: "/%6aamestown" }, "/james")).toEqual(["", "/%6aamestown", "/%6aamestown"]);
  });

  it("leaves the whole path to a request outside of the configured mount", () => {
    expect(at({ scriptName: "", pathInfo: "/other", requestUri: "/other?q", queryString: "q" }, "/james")).toEqual([
      "",
      "/other?q",
      "/other?q",
    ]);
  });

  it("takes a configured mount over SCRIPT_NAME", () => {
    expect(at(james("/james/x", "/x"), "/")).toEqual(["", "/james/x", "/james/x"]);
    expect(at({ scriptName: "", pathInfo: "/james/x", requestUri: "/james/x" }, "/james/")).toEqual([
      "/james",
      "/x",
      "/james/x",
    ]);
  });

  it("is never a lone slash", () => {
    expect(at({ scriptName: "/", requestUri: "/", queryString: "" })).toEqual(["", "/", "/"]);
    expect(at({ scriptName: "/", pathInfo: "x", requestUri: "/x?a", queryString: "a" })).toEqual(["", "/x?a", "/x?a"]);
  });

  it("stays linear on a path made of slashes, dots and escapes", () => {
    const long = "/%2e%2e//.".repeat(7000);
    const begin = performance.now();
    expect(reconcileTarget({ scriptName: "/q/r/s", requestUri: long, queryString: "" }, "/q/r/s").url).toBe("/");
    expect(reconcileTarget({ scriptName: `/a${"/".repeat(60_000)}b`, requestUri: "/x" }, "auto").url).toBe("/");
    expect(performance.now() - begin).toBeLessThan(2000);
  });
});

describe("REQUEST_URI that tells of another request", () => {
  it("gives way to the decoded variables after an internal redirect, and these are encoded", () => {
    const vars = { scriptName: "", pathInfo: "/target/in n%r?\xe9", requestUri: "/f?old", queryString: "z=1" };
    const url = "/target/in%20n%25r%3F%E9?z=1";
    expect(reconcileTarget(vars, "auto")).toEqual({ url, baseUrl: "", originalUrl: url });
  });

  it("makes originalUrl mount and url together", () => {
    const vars = { scriptName: "/james", pathInfo: "/new", requestUri: "/old", queryString: "" };
    expect(reconcileTarget(vars, "auto")).toEqual({ url: "/new", baseUrl: "/james", originalUrl: "/james/new" });
    const self = { scriptName: "/james", requestUri: "/old", queryString: "a" };
    expect(reconcileTarget(self, "auto")).toEqual({ url: "/?a", baseUrl: "/james", originalUrl: "/james?a" });
  });

  it("is not believed where only its path is the same", () => {
    const vars = { scriptName: "", pathInfo: "/p", requestUri: "/p?a=1", queryString: "a=1&added=2" };
    const url = "/p?a=1&added=2";
    expect(reconcileTarget(vars, "auto")).toEqual({ url, baseUrl: "", originalUrl: url });
  });

  it("is not confused with one that has a question mark in its decoded path", () => {
    const vars = { scriptName: "", pathInfo: "/a?b", requestUri: "/a?b", queryString: "" };
    expect(reconcileTarget(vars, "auto").url).toBe("/a%3Fb");
  });

  it("does not decode SCRIPT_NAME and PATH_INFO a second time", () => {
    const vars = { scriptName: "", pathInfo: "/x%41", requestUri: "/x%41", queryString: "" };
    expect(reconcileTarget(vars, "auto").url).toBe("/x%2541");
  });

  it("may lack the mount that an outer server cut off", () => {
    const vars = { scriptName: "/james", pathInfo: "/sub", requestUri: "/sub", queryString: "" };
    expect(reconcileTarget(vars, "auto")).toEqual({ url: "/sub", baseUrl: "/james", originalUrl: "/james/sub" });
  });

  it("stands corrected by a SCRIPT_NAME that was configured without its slash", () => {
    const vars = { scriptName: "james", pathInfo: "/x", requestUri: "/x", queryString: "" };
    expect(reconcileTarget(vars, "auto")).toEqual({ url: "/x", baseUrl: "/james", originalUrl: "/james/x" });
  });

  it("may be absent", () => {
    const vars = { scriptName: "/james", pathInfo: "/a b", queryString: "x" };
    expect(reconcileTarget(vars, "auto")).toEqual({
      url: "/a%20b?x",
      baseUrl: "/james",
      originalUrl: "/james/a%20b?x",
    });
  });
});

describe("a query", () => {
  it("keeps the client's spelling where lighttpd normalized it", () => {
    const vars = { scriptName: "", pathInfo: "/p", requestUri: "/p?a=%41&b=%zz", queryString: "a=A&b=%25zz" };
    expect(reconcileTarget(vars, "auto").url).toBe("/p?a=%41&b=%zz");
  });

  it("is REQUEST_URI's where QUERY_STRING is not sent", () => {
    expect(reconcileTarget({ scriptName: "", pathInfo: "/p q", requestUri: "/p%20q?x" }, "auto").url).toBe("/p%20q?x");
  });
});
