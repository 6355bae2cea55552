import { once } from "node:events";
import {
  type IncomingMessage,
  Agent,
  type ServerResponse,
  createServer as createHttpServer,
  request as httpRequest,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

import express from "express";
import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createServer } from "../../../src/library/create-server.ts";
import { readForwarded } from "../../../src/middleware/forwarded.ts";
import { type PrefixOptions, prefix } from "../../../src/middleware/prefix.ts";
import { ask, open } from "../../support/library.ts";

/** What an app sees of itself and its client. */
function mirror(req: IncomingMessage, res: ServerResponse): void {
  const {
    url,
    baseUrl,
    originalUrl,
    cgi = {},
    headers,
    rawHeaders,
    socket,
  } = req as IncomingMessage & {
    baseUrl: string;
    originalUrl: string;
    cgi?: Record<string, string>;
  };
  const { remoteAddress, encrypted } = socket as { remoteAddress?: string; encrypted?: boolean };
  const { SCRIPT_NAME, PATH_INFO, REMOTE_ADDR, SERVER_NAME, SERVER_PORT, HTTPS } = cgi;
  const variables = { SCRIPT_NAME, PATH_INFO, REMOTE_ADDR, SERVER_NAME, SERVER_PORT, HTTPS };
  const hosts = rawHeaders.filter((_value, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === "host");
  res.end(
    JSON.stringify({
      url,
      baseUrl,
      originalUrl,
      headers,
      hosts,
      remoteAddress,
      encrypted: encrypted === true,
      variables,
    }),
  );
}

interface Seen {
  readonly url: string;
  readonly baseUrl: string;
  readonly originalUrl: string;
  readonly headers: Record<string, string>;
  readonly hosts: string[];
  readonly remoteAddress: string;
  readonly encrypted: boolean;
  readonly variables: Record<string, string | undefined>;
}

/** What a web server tells of a request for `uri`. */
function at(uri: string, mount = ""): Record<string, string> {
  const [path = "", query = ""] = uri.split("?");
  const pathInfo = decodeURIComponent(path).slice(mount.length);
  return { REQUEST_URI: uri, SCRIPT_NAME: mount, PATH_INFO: pathInfo, QUERY_STRING: query };
}

/** By FastCGI. */
async function seen(options: PrefixOptions, variables: Record<string, string>): Promise<Seen> {
  const told = await ask(await open(createServer(prefix(mirror, options))), variables);
  expect(told.status).toBe(200);
  return JSON.parse(told.body) as Seen;
}

describe("prefix()", () => {
  it.for([
    ["/james/x?y=1", "/x?y=1"],
    ["/james", "/"],
    ["/james?y", "/?y"],
    ["/james/", "/"],
    ["/%6Aames/a%2Fb", "/a%2Fb"],
    ["/jamesbond", "/jamesbond"],
    ["/x", "/x"],
    ["/james/james/x", "/james/x"],
  ] as const)("takes /james off %s at the end of a segment", async ([url, rest]) => {
    const { url: below, baseUrl, originalUrl, variables } = await seen({ prefix: "/james" }, at(url));
    expect([below, baseUrl, originalUrl]).toEqual([rest, "/james", rest === url ? `/james${url}` : url]);
    expect(variables["SCRIPT_NAME"]).toBe("/james");
  });

  it("leaves a mount alone that the web server has told", async () => {
    const { url, baseUrl } = await seen({ prefix: "/james/" }, at("/james/james/x", "/james"));
    expect([url, baseUrl]).toEqual(["/james/x", "/james"]);
  });

  it("is what its URL is, spelt in any way", async () => {
    const uri = { REQUEST_URI: "/a%20caf%C3%A9/x", QUERY_STRING: "" };
    const told = await seen({ prefix: "/a café" }, { ...uri, PATH_INFO: "/a cafÃ©/x" });
    expect([told.url, told.baseUrl, told.variables["SCRIPT_NAME"]]).toEqual(["/x", "/a%20caf%C3%A9", "/a cafÃ©"]);
    const mounted = await seen({ prefix: "/a%20caf%c3%a9" }, { ...uri, SCRIPT_NAME: "/a cafÃ©", PATH_INFO: "/x" });
    expect([mounted.url, mounted.baseUrl]).toEqual(["/x", "/a%20caf%C3%A9"]);
  });

  it("is text and no pattern", async () => {
    expect(await seen({ prefix: "/a.b" }, at("/aXb/c"))).toMatchObject({ url: "/aXb/c" });
    expect(await seen({ prefix: "/c++" }, at("/c++/y"))).toMatchObject({ url: "/y", baseUrl: "/c++" });
  });

  it("keeps the web server's mount where none is given", async () => {
    expect(await seen({ scheme: "https" }, at("/wiki/x", "/wiki"))).toMatchObject({
      url: "/x",
      baseUrl: "/wiki",
      encrypted: true,
    });
  });

  it("makes ports and schemes what they are told to be", async () => {
    const https = await seen({ scheme: "https", forcePort: "" }, { HTTP_HOST: "www.example.test:6500" });
    expect(https).toMatchObject({
      encrypted: true,
      hosts: ["www.example.test"],
      headers: { host: "www.example.test" },
    });
    expect(https.variables).toMatchObject({ SERVER_PORT: "443", HTTPS: "on" });
    const port = await seen({ forcePort: 8443 }, { HTTP_HOST: "[2001:db8::1]:80" });
    expect(port).toMatchObject({ headers: { host: "[2001:db8::1]:8443" } });
    const plain = await seen({ scheme: "http" }, { HTTPS: "on" });
    expect([plain.encrypted, plain.variables["HTTPS"]]).toEqual([false, undefined]);
  });

  it("wraps apps of frameworks, whose URLs begin at the prefix", async () => {
    const app = express();
    app.get("/x", (req, res) => void res.send(`${req.baseUrl}|${req.originalUrl}|${req.protocol}`));
    const told = await ask(
      await open(createServer(prefix(app, { prefix: "/james", scheme: "https" }))),
      at("/james/x"),
    );
    expect(told.body).toBe("/james|/james/x|https");
    const hono = new Hono().get("/x", (context) => context.text(context.req.url));
    const fetched = await ask(
      await open(createServer(prefix(hono, { prefix: "/james", scheme: "https" }))),
      at("/james/x"),
    );
    expect(fetched.body).toBe("https://www.example.test/x");
  });

  it("answers 500 for what is no app", async () => {
    const told = await ask(await open(createServer(prefix({ no: "app" }))), {});
    expect(told.status).toBe(500);
    expect(told.stderr).toContain("APP_WRONG_EXPORT");
  });

  it("refuses proxies that are no addresses", () => {
    expect(() => prefix(mirror, { trustedProxies: ["10.0.0.0/64"] })).toThrow(/CONFIG_BAD_VALUE.*10\.0\.0\.0\/64/);
  });
});

const FORGED = {
  HTTP_X_FORWARDED_FOR: "203.0.113.9",
  HTTP_X_FORWARDED_HOST: "evil.example",
  HTTP_X_FORWARDED_PROTO: "https",
  HTTP_X_FORWARDED_SERVER: "evil.example",
  HTTP_FORWARDED: 'for=203.0.113.9;proto=https;host="evil.example"',
};

describe("forwarded headers", () => {
  it.for([
    ["where nobody is trusted", {}],
    ["of a peer who is not trusted", { trustedProxies: ["10.0.0.0/8"] }],
    ["of the other kind from one who is not trusted", { trustedProxies: ["10.0.0.1"], forwardedHeader: "forwarded" }],
    ["with no proxy at all", { trustedProxies: 0 }],
  ] as const)("say nothing %s", async ([, options]) => {
    const { remoteAddress, encrypted, headers } = await seen(options, FORGED);
    expect([remoteAddress, encrypted, headers["host"]]).toEqual(["192.0.2.7", false, "www.example.test"]);
    expect(headers["x-forwarded-for"]).toBe("203.0.113.9");
  });

  const TRUST: PrefixOptions = { trustedProxies: ["192.0.2.0/24", "10.0.0.0/8"] };

  it("of a trusted proxy tell the client, and go", async () => {
    const told = await seen(TRUST, FORGED);
    expect(told).toMatchObject({ remoteAddress: "203.0.113.9", encrypted: true, hosts: ["evil.example"] });
    expect(told.variables).toMatchObject({ REMOTE_ADDR: "203.0.113.9", SERVER_NAME: "evil.example", HTTPS: "on" });
    expect(Object.keys(told.headers).filter((name) => name.startsWith("x-forwarded"))).toEqual([]);
  });

  it("count from the right: what a client has put before them is its own word", async () => {
    const variables = {
      HTTP_X_FORWARDED_FOR: "127.0.0.1, 203.0.113.9, 10.1.1.1",
      HTTP_X_FORWARDED_HOST: "evil.example, www.example.org, inner.example",
      HTTP_X_FORWARDED_PROTO: "gopher, https, http",
    };
    const told = await seen(TRUST, variables);
    expect(told).toMatchObject({ remoteAddress: "203.0.113.9", encrypted: true, hosts: ["www.example.org"] });
    const one = await seen({ trustedProxies: 1 }, variables);
    expect(one).toMatchObject({ remoteAddress: "10.1.1.1", encrypted: false, hosts: ["inner.example"] });
  });

  it("that make no sense change nothing", async () => {
    const variables = { HTTP_X_FORWARDED_FOR: "unknown", HTTP_X_FORWARDED_HOST: "a b", HTTP_X_FORWARDED_PROTO: "ftp" };
    expect(await seen(TRUST, variables)).toMatchObject({
      remoteAddress: "192.0.2.7",
      encrypted: false,
      hosts: ["www.example.test"],
    });
  });

  it.for([
    ["for=203.0.113.9;proto=https;host=www.example.org", "203.0.113.9", "www.example.org"],
    ['For="[2001:db8::9]:4711" ; Host="www.example.org:8443"', "2001:db8::9", "www.example.org:8443"],
    ['for="evil, for=1.2.3.4", for=203.0.113.9;host=www.example.org, for=10.1.1.1', "203.0.113.9", "www.example.org"],
    ["for=unknown", "192.0.2.7", "www.example.test"],
    ["for=203.0.113.9 and more", "192.0.2.7", "www.example.test"],
    ['for="203.0.113.9', "192.0.2.7", "www.example.test"],
    ['" , for=203.0.113.9;host=www.example.org', "203.0.113.9", "www.example.org"],
    ['for=1.2.3.4, x=", for="[2001:db8::9]";host="www.example.org"', "2001:db8::9", "www.example.org"],
    ["for=1.2.3.4;host=evil.example, proto=http;host=www.example.org", "192.0.2.7", "www.example.org"],
    ['for="1.2.3.4,5.6.7.8", for=203.0.113.9;host=www.example.org', "203.0.113.9", "www.example.org"],
  ] as const)("of RFC 7239: %s", async ([value, address, host]) => {
    const { remoteAddress, headers } = await seen(
      { ...TRUST, forwardedHeader: "forwarded" },
      { HTTP_FORWARDED: value },
    );
    expect([remoteAddress, headers["host"]]).toEqual([address, host]);
  });
});

it("reads a header of any length in time in proportion to it", { timeout: 60_000 }, () => {
  const request = (value: string): IncomingMessage =>
    ({ headers: { forwarded: value }, socket: { remoteAddress: "192.0.2.7" } }) as never;
  for (const value of [
    `;${" ".repeat(100_000)}=`,
    `for=1.2.3.4${" ".repeat(100_000)}x`,
    ";".repeat(100_000),
    '"\\'.repeat(50_000),
    'x="\\",'.repeat(20_000),
    'x="'.repeat(30_000),
    `${"x".repeat(50_000)},`.repeat(3),
    `${'",'.repeat(50_000)}"`,
  ]) {
    const begun = performance.now();
    readForwarded(request(value), () => true);
    // A square of the length would take minutes.
    expect(performance.now() - begun).toBeLessThan(5000);
  }
});

describe("prefix() in prefix()", () => {
  it("keeps what the outer one has learnt", async () => {
    const inner = prefix(mirror, { prefix: "/james", trustedProxies: ["192.0.2.7"] });
    const server = createServer(prefix(inner, { trustedProxies: ["192.0.2.7"] }));
    const variables = { ...at("/james/x"), HTTP_X_FORWARDED_FOR: "203.0.113.9", HTTP_X_FORWARDED_PROTO: "https" };
    const told = JSON.parse((await ask(await open(server), variables)).body) as Seen;
    expect(told).toMatchObject({ url: "/x", baseUrl: "/james", remoteAddress: "203.0.113.9", encrypted: true });
  });
});

describe("prefix() before node's own server", () => {
  const server = createHttpServer((req, res) => void (req.url === "/other" ? mirror : handler)(req, res));
  const handler = prefix(mirror, { prefix: "/james", trustedProxies: ["loopback"] });
  beforeAll(async () => await once(server.listen(0, "127.0.0.1"), "listening"));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it("keeps the requests of one connection apart", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const get = async (headers: Record<string, string>, path = "/james/x"): Promise<Seen> => {
      const { port } = server.address() as AddressInfo;
      const sent = httpRequest({ port, host: "127.0.0.1", path, agent, headers }).end();
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      return JSON.parse(await text(response)) as Seen;
    };
    const first = await get({ "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https" });
    expect(first).toMatchObject({ url: "/x", baseUrl: "/james", remoteAddress: "203.0.113.9", encrypted: true });
    expect(await get({})).toMatchObject({ remoteAddress: "127.0.0.1", encrypted: false });
    await get({ "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https" });
    expect(await get({}, "/other")).toMatchObject({ remoteAddress: "127.0.0.1", encrypted: false });
    agent.destroy();
  });
});
