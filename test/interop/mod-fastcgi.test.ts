/** What mod_fastcgi sent, byte for byte, to a whole gateway: no distribution has the module any more. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { buffer } from "node:stream/consumers";

import { beforeEach, describe, expect, it } from "vitest";

import { createServer } from "../../src/library/create-server.ts";
import type { RequestHandler } from "../../src/library/options.ts";
import { open } from "../support/library.ts";

const CAPTURES = new URL("../vectors/captures/", import.meta.url);
const STDOUT = 6;
const END_REQUEST = 3;

/** By the form of the configuration: where the app is. `plain` has no -pass-header. */
const FORMS = { host: "", socket: "", plain: "", prefix: "/james" } as const;

interface Sent {
  readonly method?: string;
  /** What the client asked for, below where the app is. */
  readonly url: string;
  /** The same with where the app is, if it is not just one after the other. */
  readonly path?: string;
  /** What stood before the path. */
  readonly host?: string;
  /** What the client sent; null for what must not arrive. */
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly cgi?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const AUTHORIZATION = { authorization: "Basic dXNlcjpwYXNz" };
/** Of each capture what the browser had sent, as test/vectors/captures/README.md and its name say. */
const SENT: Readonly<Record<string, Sent>> = {
  root: { url: "/", headers: { host: "www.example.test" } },
  encoded: { url: "/a%20b/%E2%98%83/x%2Fy?q=1&r=a+b" },
  "raw-bytes-path": { url: "/café/\xe2\x98\x83?q=é" },
  "question-encoded": { url: "/a%3Fb%23c%25d?q" },
  "double-slash": { url: "//double//slash" },
  dots: { url: "/a/./b/../c/%2e%2e/d" },
  semicolon: { url: "/a;p=1/b,c/~u/(x)!$&'*+=:@" },
  "percent-query": { url: "/p?a=%20&b=%zz&c=1?2" },
  "empty-query": { url: "/p?" },
  "absolute-form": { url: "/abs?x=1", host: "http://other.example:8080" },
  "james-noslash": { url: "/", path: "/james" },
  "james-sub": { url: "/sub/page.html?x=1" },
  "internal-redirect": { method: "POST", url: "/f", body: "body" },
  // Apache asks for where the answer before pointed to; REQUEST_URI is still the old one.
  "internal-redirect.2": { url: "/target/inner?z=1", cgi: { REDIRECT_URL: "/f" } },
  head: { method: "HEAD", url: "/h" },
  propfind: { method: "PROPFIND", url: "/r", headers: { depth: "1" } },
  put: { method: "PUT", url: "/r" },
  "unknown-method": { method: "FROB", url: "/r" },
  tls: { url: "/s?x=1", cgi: { HTTPS: "on" } },
  websocket: { url: "/ws", headers: { upgrade: "websocket" } },
  "auth-basic": { url: "/", headers: AUTHORIZATION },
  "dup-headers": { url: "/", headers: { "x-dup": "one, two", accept: "text/html, text/plain" } },
  "empty-header": { url: "/", headers: { "x-empty": "", "x-space": "lead and trail" } },
  "folded-header": { url: "/", headers: { "x-fold": "one two" } },
  "proxy-header": { url: "/", headers: { proxy: null } },
  "hop-headers": { url: "/", headers: { "x-forwarded-for": "192.0.2.9", "x-forwarded-proto": "https" } },
  "get-body": { url: "/f", body: "body" },
  "post-form": { method: "POST", url: "/f", headers: { "content-type": "application/x-www-form-urlencoded" } },
  "post-empty": { method: "POST", url: "/f", body: "" },
  "post-nolength": { method: "POST", url: "/f", body: "" },
  keepalive: { method: "POST", url: "/k0" },
  "keepalive.2": { method: "POST", url: "/k1" },
  "keepalive.3": { method: "POST", url: "/k2" },
};

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly baseUrl: string;
  readonly originalUrl: string;
  readonly headers: Record<string, string>;
  readonly cgi: Record<string, string>;
  readonly body: Buffer;
}

let seen: Seen[] = [];
beforeEach(() => void (seen = []));

const app: RequestHandler = async (req, res) => {
  const { method = "", url = "", baseUrl, originalUrl, cgi } = req;
  const headers = { ...req.headers } as Record<string, string>;
  seen.push({ method, url, baseUrl, originalUrl, headers, cgi: { ...cgi }, body: await buffer(req) });
  res.setHeader("Content-Type", "text/plain");
  res.end("seen");
};

/** The type and content of each record, to the end of the connection. */
async function replay(port: number, bytes: Buffer): Promise<{ readonly type: number; readonly content: string }[]> {
  const socket = connect(port, "127.0.0.1");
  socket.write(bytes);
  const answer = await buffer(socket);
  const records = [];
  for (let at = 0; at < answer.length;) {
    const [length, padding] = [answer.readUInt16BE(at + 4), answer[at + 6]!];
    records.push({ type: answer[at + 1]!, content: answer.toString("latin1", at + 8, at + 8 + length) });
    at += 8 + length + padding;
  }
  return records;
}

describe.each(Object.entries(FORMS))("mod_fastcgi, %s", (form, baseUrl) => {
  const file = (name: string, ending: string): URL => new URL(`apache-modfastcgi-${form}/${name}.${ending}`, CAPTURES);
  const cases = Object.entries(SENT).filter(([name]) => existsSync(file(name, "bin")));

  it.each(cases)("%s arrives as it was sent, and is answered", async (name, sent) => {
    const { port } = await open(createServer(app));
    const records = await replay(port, readFileSync(file(name, "bin")));

    const { method = "GET", url, path = baseUrl + url, host = "", headers = {}, cgi = {}, body } = sent;
    // A client at the root of the server asked for more slashes than one below a prefix.
    const extra = name === "double-slash" && baseUrl === "" ? "/" : "";
    expect(seen).toHaveLength(1);
    const [request] = seen as [Seen];
    expect(request).toMatchObject({ method, url: extra + url, baseUrl, originalUrl: host + extra + path, cgi });
    for (const [header, value] of Object.entries(form === "plain" && name === "auth-basic" ? {} : headers)) {
      expect([header, request.headers[header] ?? null]).toEqual([header, value]);
    }
    if (body !== undefined) expect(String(request.body)).toBe(body);
    const capture = JSON.parse(readFileSync(file(name, "json"), "utf8")) as { body: { sha256: string } };
    expect(createHash("sha256").update(request.body).digest("hex")).toBe(capture.body.sha256);

    const output = records.flatMap(({ type, content }) => (type === STDOUT ? content : [])).join("");
    expect(output).toMatch(/^Status: 200 OK\r\n/);
    expect(output.endsWith("\r\n\r\nseen")).toBe(method !== "HEAD");
    expect(records.at(-1)).toEqual({ type: END_REQUEST, content: "\0".repeat(8) });
  });
});

it("mod_fastcgi without -pass-header keeps Authorization to itself", async () => {
  const { port } = await open(createServer(app));
  await replay(port, readFileSync(new URL("apache-modfastcgi-plain/auth-basic.bin", CAPTURES)));
  expect(seen[0]?.headers["authorization"]).toBeUndefined();
});
