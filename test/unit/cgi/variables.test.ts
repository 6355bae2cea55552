import { describe, expect, it } from "vitest";

import { allVariables, requestLine, serverVariables, variable } from "../../../src/cgi/variables.ts";
import { paramsOf } from "../../support/params.ts";

describe("variable", () => {
  const params = paramsOf([
    ["SERVER_NAME", "one"],
    ["SERVER_NAMES", "two"],
    ["REMOTE_USER", ""],
    ["SERVER_NAME", "three"],
    ["", "nameless"],
  ]);

  it("gives the last pair of exactly that name", () => {
    expect(variable(params, "SERVER_NAME")).toBe("three");
    expect(variable(params, "SERVER_NAMES")).toBe("two");
  });

  it("tells an empty value from an absent one", () => {
    expect(variable(params, "REMOTE_USER")).toBe("");
    expect(variable(params, "SERVER")).toBeUndefined();
  });

  it("does not see the pairs of other requests that share the block", () => {
    expect(variable(params, "HTTP_OTHER")).toBeUndefined();
    expect(variable(params, "HTTP_NEXT")).toBeUndefined();
  });

  it("gives bytes over 0x7f as they came", () => {
    expect(variable(paramsOf([["PATH_INFO", "/caf\xe9"]]), "PATH_INFO")).toBe("/caf\xe9");
  });
});

describe("serverVariables", () => {
  it("holds what the web server set and no header of the client", () => {
    const params = paramsOf([
      ["HTTPS", "on"],
      ["HTTP_REMOTE_USER", "mallory"],
      ["REMOTE_USER", "alice"],
      ["HTTP2", "on"],
      ["REDIRECT_HTTP_COOKIE", "a=1"],
      ["REDIRECT_REDIRECT_HTTP_X", "y"],
      ["REDIRECT_STATUS", "200"],
      ["CONTENT_LENGTH", ""],
    ]);
    expect({ ...serverVariables(params) }).toEqual({
      HTTPS: "on",
      REMOTE_USER: "alice",
      HTTP2: "on",
      REDIRECT_STATUS: "200",
      CONTENT_LENGTH: "",
    });
  });

  it("keeps the last of a repeated variable", () => {
    const params = paramsOf([
      ["REMOTE_USER", ""],
      ["REMOTE_USER", "arthur"],
    ]);
    expect(serverVariables(params)["REMOTE_USER"]).toBe("arthur");
  });

  it("is frozen and has no prototype to pollute", () => {
    const variables = serverVariables(paramsOf([["__proto__", "x"]]));
    expect(Object.isFrozen(variables)).toBe(true);
    expect(Object.getPrototypeOf(variables)).toBeNull();
    expect(Object.keys(variables)).toEqual(["__proto__"]);
    expect(variables["constructor"]).toBeUndefined();
  });

  it("keeps the names that Shibboleth and mod_auth_openidc give, with hyphens and dots", () => {
    const params = paramsOf([
      ["Shib-Session-ID", "_4711"],
      ["OIDC_CLAIM_https---example.org-roles", "admin"],
    ]);
    expect({ ...serverVariables(params) }).toEqual({
      "Shib-Session-ID": "_4711",
      "OIDC_CLAIM_https---example.org-roles": "admin",
    });
  });

  it("drops names of anything but 1 to 256 letters, digits, underscores, hyphens and dots", () => {
    const longest = "A".repeat(256);
    const params = paramsOf([
      ["SSL_CLIENT/S", "x"],
      ["", "x"],
      ["A B", "x"],
      [`${longest}A`, "x"],
      [longest, "y"],
    ]);
    expect({ ...serverVariables(params) }).toEqual({ [longest]: "y" });
  });
});

describe("allVariables", () => {
  it("joins repeated headers and keeps the last of any other repeat", () => {
    const params = paramsOf([
      ["HTTP_X_DUP", "1"],
      ["HTTP_X_DUP", "2"],
      ["HTTP_COOKIE", "a=1"],
      ["HTTP_COOKIE", "b=2"],
      ["CONTENT_LENGTH", "5"],
      ["CONTENT_LENGTH", "5"],
    ]);
    expect({ ...allVariables(params) }).toEqual({
      HTTP_X_DUP: "1, 2",
      HTTP_COOKIE: "a=1; b=2",
      CONTENT_LENGTH: "5",
    });
  });

  it("leaves out HTTP_PROXY, may be written to, has no prototype", () => {
    const variables = allVariables(paramsOf([["HTTP_PROXY", "http://mallory"]]));
    expect(Object.keys(variables)).toEqual([]);
    expect(Object.getPrototypeOf(variables)).toBeNull();
    variables["X"] = "y";
    expect(variables["X"]).toBe("y");
  });
});

describe("the request line for logs and the status", () => {
  it("has a method of 32 characters and a URL of 256 at most, whatever came", () => {
    const params = paramsOf([
      ["REQUEST_METHOD", "M".repeat(5000)],
      ["REQUEST_URI", `/${"u".repeat(5000)}`],
    ]);
    expect(requestLine(params)).toEqual({ method: "M".repeat(32), url: `/${"u".repeat(255)}` });
  });
});
