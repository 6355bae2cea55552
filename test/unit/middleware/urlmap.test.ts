import { describe, expect, it } from "vitest";

import { parseMapPlace, urlmap } from "../../../src/middleware/urlmap.ts";
import { call } from "../../support/http-client.ts";
import { listen } from "../../support/node-server.ts";

describe("a key of a urlmap", () => {
  it.for([
    ["/", { segments: [] }],
    ["/blog/", { segments: ["blog"] }],
    ["/a%20b/c", { segments: ["a b", "c"] }],
    ["domain web01 /", { host: "web01", segments: [] }],
    ["domain 10.0.0.1 /x", { host: "10.0.0.1", segments: ["x"] }],
    ["domain Example.ORG", { host: "example.org", segments: [] }],
    ["domain example.org  port 8080", { host: "example.org", port: "8080", segments: [] }],
    ["domain example.org port 8080 /a/b", { host: "example.org", port: "8080", segments: ["a", "b"] }],
    ["", null],
    ["blog", null],
    ["domain", null],
    ["domain example.org/x y", null],
    ["domain example.org port /", null],
    ["domain example.org port http /", null],
    ["/a b", null],
  ] as const)("%s", ([key, place]) => {
    expect(parseMapPlace(key)).toEqual(place);
  });
});

describe("urlmap()", () => {
  const KEYS = [
    "/",
    "/blog",
    "/blog/old",
    "/café",
    "domain a.test",
    "domain a.test port 8080 /",
    "domain a.test /blog",
  ];

  it.for([
    ["/x", "b.test", "/"],
    ["/blog/x", "b.test", "/blog"],
    ["/blog/old", "b.test", "/blog/old"],
    ["/caf%C3%A9/x", "b.test", "/café"],
    ["/blog/old", "a.test", "domain a.test /blog"],
    ["/café-less", "A.test:80", "domain a.test"],
    ["/blog", "a.test:8080", "domain a.test port 8080 /"],
  ] as const)("gives %s of %s to %s", async ([path, host, app]) => {
    const { url } = await listen(
      urlmap(KEYS.map((key) => [parseMapPlace(key)!, (_request, response) => void response.end(key)])),
    );
    const { body } = await call(url, { path: encodeURI(decodeURI(path)), headers: ["Host", host] });
    expect(body.toString()).toBe(app);
  });
});
