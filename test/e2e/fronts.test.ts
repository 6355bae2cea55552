import { once } from "node:events";
import { Agent, type IncomingMessage, type InformationEvent } from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { type TestContext, afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";

import { Backends } from "../support/backends.ts";
import { type Front, isRunnable, lighttpdUpgrades } from "../support/front.ts";
import { type Answer, begin, call } from "../support/http-client.ts";
import { note, rowOf } from "../support/matrix.ts";
import { type Configuration, CONFIGURATIONS, SPAWNED, VARIANTS } from "./configurations.ts";

const MIB = 1024 * 1024;
/** A prime period, so that a lost or repeated piece of any round size shows. */
const UPLOAD = Buffer.from(Array.from({ length: 8 * MIB }, (_, i) => i % 251));
const UPLOAD_SHA256 = "bdf23837181f5808331800c1ae2b4f7d7a839536b10d58491471c50dde23833a";

const UPGRADES = await lighttpdUpgrades();

/** How soon a front must have told us that the client has left. */
const SOON = { timeout: 10_000, interval: 20 };

const ALL = [...CONFIGURATIONS, ...VARIANTS, ...SPAWNED];
const backends = new Backends();
let ids = 0;
const freshId = (): string => `request-${(ids += 1)}`;

beforeAll(() => backends.start(ALL));
afterAll(() => backends.stop());

describe.each(ALL.map((each) => [each.title, each] as const))("%s", (title, configuration) => {
  const { prefix, server, protocol, documents = {} } = configuration;
  const row = rowOf(title);
  const page = Object.entries(documents).find(([, content]) => content !== "");

  describe.skipIf(!isRunnable(configuration))("behind the example configuration", () => {
    let front: Front;
    const get = (path: string, ...headers: string[]): Promise<Answer> =>
      call(front.url, { path: prefix + path, headers });
    const post = (path: string, body: string | Uint8Array | readonly string[]): Promise<Answer> =>
      call(front.url, { method: "POST", path: prefix + path, body });

    beforeAll(async () => void (front = await backends.front(configuration)));
    afterAll(() => front?.stop());

    it("tells the app the URL below its mount and the mount", async (context) => {
      expect(json(await get("/inspect?a=1"))).toMatchObject({
        method: "GET",
        url: "/inspect?a=1",
        baseUrl: prefix,
        originalUrl: `${prefix}/inspect?a=1`,
        httpVersion: "1.1",
        remoteAddress: "127.0.0.1",
      });
      if (prefix === "/james") note(context, row, "prefix", configuration.mount === "auto" ? "yes" : "by `mount`");
    });

    it("gives the mount itself the URL /", async () => {
      const answer = await call(front.url, { path: prefix === "" ? "/" : prefix });
      expect(json(answer)).toMatchObject({ url: "/", baseUrl: prefix, originalUrl: prefix === "" ? "/" : prefix });
    });

    it.each(["/a%20b", "/a%2Fb", "/%E2%98%83", "//double//slash", "/x/", "/?q=%20%2F%E2%98%83"])(
      "leaves %s as it was sent",
      async (path) => {
        const url = passed(configuration, path);
        expect(json(await get(path))).toMatchObject({ url, originalUrl: prefix + url });
      },
    );

    onlyIf(page !== undefined, "leaves the files of the web server to it", async () => {
      const [path, content] = page!;
      expect(String((await get(`/${path}`)).body)).toBe(content);
    });

    onlyIf(prefix === "/app.fcgi", "passes on no path that does not begin with a file", async () => {
      expect((await call(front.url, { path: "/other.fcgi" })).status).toBe(404);
    });

    it("answers HEAD with the head alone", async () => {
      const [head, whole] = [await call(front.url, { method: "HEAD", path: `${prefix}/bytes` }), await get("/bytes")];
      expect(head.status).toBe(200);
      expect(head.body.length).toBe(0);
      expect(head.headers.find(([name]) => name === "content-type")).toEqual([
        "content-type",
        "application/octet-stream",
      ]);
      expect(whole.body.length).toBe(300 * 1024);
    });

    it("takes a POST with a body and one without", async () => {
      expect(json(await post("/digest", "abc"))).toMatchObject({ length: 3 });
      expect(json(await post("/digest", ""))).toMatchObject({ length: 0 });
    });

    it("takes an upload of 8 MiB", async () => {
      expect(json(await post("/digest", UPLOAD))).toEqual({ length: 8 * MIB, sha256: UPLOAD_SHA256 });
    });

    it("takes a chunked upload, or the front says that it cannot", async (context) => {
      const answer = await post("/digest", ["one", "two", "three"]);
      if (server === "apache" && protocol === "scgi") expect(answer.status).toBe(411);
      else expect(json(answer)).toMatchObject({ length: 11 });
      note(context, row, "upload of unknown length", answer.status === 200 ? "yes" : String(answer.status));
    });

    it("answers before the upload is over", async () => {
      expect(json(await post("/early", "x".repeat(MIB)))).toEqual({ read: false });
    });

    it("joins repeated headers as node does", async () => {
      const { headers } = json(
        await get("/inspect", "X-Dup", "one", "X-Dup", "two", "Cookie", "a=1; b=2"),
      ) as Inspected;
      expect(headers).toMatchObject({ "x-dup": "one, two", cookie: "a=1; b=2" });
    });

    it("passes cookies both ways", async () => {
      const answer = await get("/cookies", "Cookie", "sid=1; theme=dark");
      expect(json(answer)).toEqual({ cookie: "sid=1; theme=dark" });
      expect(answer.headers.filter(([name]) => name === "set-cookie").map(([, value]) => value)).toEqual([
        "sid=abc123; Path=/; HttpOnly",
        "theme=dark; Max-Age=3600; SameSite=Lax",
      ]);
    });

    it("passes Authorization", async () => {
      const { headers } = json(await get("/inspect", "Authorization", "Basic dXNlcjpwYXNz")) as Inspected;
      expect(headers["authorization"]).toBe("Basic dXNlcjpwYXNz");
    });

    it("sends the first half of an answer before the second is written", async (context) => {
      const id = freshId();
      const response = await begin(front.url, { path: `${prefix}/halves?id=${id}` });
      let received = "";
      for await (const chunk of response) {
        received += String(chunk);
        // Only now is the app told to go on.
        if (received === "first half, ") backends.apps.go(id);
      }
      expect(received).toBe("first half, second half");
      note(context, row, "streaming");
    });

    it("passes early hints on while the app works, or says that it is one that does not", async (context) => {
      const id = freshId();
      const hints: unknown[] = [];
      const passes = server === "lighttpd";
      const go = (): void => backends.apps.go(id);
      // Again, where the web server has yet to start the app.
      const timer = setInterval(go, passes ? 500 : 30);
      context.onTestFinished(() => clearInterval(timer));
      const informed = ({ statusCode, headers }: InformationEvent): void => {
        hints.push(statusCode, headers["link"]);
        go();
      };
      const answer = call(front.url, { path: `${prefix}/hints?id=${id}`, informed });
      // Those that do not say who they are take hints for the answer, of which a part may come, or nothing.
      const breaks = !passes && (protocol === "ajp" || title.startsWith("nginx scgi tcp, stock"));
      if (breaks) await Promise.race([answer.catch(() => null), sleep(1000)]);
      else {
        expect(await answer).toMatchObject({ status: 200, body: Buffer.from("the answer"), complete: true });
        expect(hints).toEqual(passes ? [103, "</style.css>; rel=preload"] : []);
      }
      note(context, row, "early hints", passes ? "yes" : "no");
    });

    it("carries a WebSocket, or hears that it cannot, or hears of none", async (context) => {
      const answer = await webSocket(`${front.url.replace("http", "ws")}${prefix}/inspect`);
      if (answer?.status === 501) expect(String(answer.body)).toContain("carried by nginx over SCGI");
      else if (answer !== null) expect(JSON.parse(String(answer.body))).toMatchObject({ method: "GET" });
      const became = answer === null ? "yes" : answer.status === 501 ? "501" : "no";
      expect(became).toBe(webSocketBecomes(configuration));
      note(context, row, "upgrade", became);
    });

    it("serves several requests over one connection of the client", async (context) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (const path of ["/digest", "/inspect", "/bytes"]) {
        const answer = await call(front.url, { path: prefix + path, agent });
        expect(answer).toMatchObject({ status: 200, complete: true });
      }
      expect(Object.values(agent.freeSockets).flat()).toHaveLength(1);
      agent.destroy();
      note(context, row, "keep-alive");
    });

    it("tells the app that the client has left while the answer is written", async (context) => {
      const id = freshId();
      const response = await begin(front.url, { path: `${prefix}/drip?id=${id}` });
      await once(response, "data");
      response.destroy();
      await vi.waitFor(
        () =>
          expect(backends.apps.events(id)).toEqual(
            expect.arrayContaining(["req aborted", "req close", "res close, unfinished"]),
          ),
        SOON,
      );
      note(context, row, "client gone, writing");
    });

    // The others tell a client's leave only when they cannot hand on an answer.
    onlyIf(server === "nginx", "tells the app that the client has left while it thinks", async (context) => {
      const id = freshId();
      const leaving = new AbortController();
      const asked = fetch(`${front.url}${prefix}/hang?id=${id}`, { signal: leaving.signal }).catch(() => "left");
      await vi.waitFor(() => expect(backends.apps.events(id)).toContain("request"), SOON);
      leaving.abort();
      await asked;
      await vi.waitFor(() => expect(backends.apps.events(id)).toContain("res close, unfinished"), SOON);
      note(context, row, "client gone, thinking");
    });

    onlyIf(streamsUploads(configuration), "tells the app that the client has left in mid-upload", async (context) => {
      const id = freshId();
      const leaving = new AbortController();
      const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(50_000)) });
      const init = { method: "POST", body, duplex: "half", signal: leaving.signal } as RequestInit;
      const asked = fetch(`${front.url}${prefix}/sink?id=${id}`, init).catch(() => "left");
      await vi.waitFor(() => expect(backends.apps.events(id)).toContain("request"), SOON);
      leaving.abort();
      await asked;
      await vi.waitFor(() => {
        expect(backends.apps.events(id)).toEqual(expect.arrayContaining(["req aborted", "req error ECONNRESET"]));
      }, SOON);
      note(context, row, "upload streamed");
      note(context, row, "client gone, uploading");
    });

    it.for([
      ["without a length", "/break", showsBreak(configuration, false)],
      ["with a length", "/break?length=1000", showsBreak(configuration, true)],
    ] as const)(
      "lets an answer %s that breaks off look incomplete, where that can be said",
      async ([, path, shows], context) => {
        const answer = await get(path);
        expect(answer.status).toBe(200);
        if (path === "/break") note(context, row, "break without a length", answer.complete ? "no" : "yes");
        if (configuration.connector !== undefined) {
          // mod_jk and mod_fcgid add the error page, and only a length tells that something is missing.
          expect(String(answer.body)).toMatch(/^the beginning <!DOCTYPE HTML/);
          expect(answer.complete).toBe(path === "/break");
          return;
        }
        expect(String(answer.body)).toBe("the beginning ");
        expect(answer.complete).toBe(!shows);
      },
    );
  });
});

/** The path that the front sends. AJP carries one alone: lighttpd's is decoded, Apache's at the root has merged slashes. */
function passed({ server, protocol, prefix, connector }: Configuration, path: string): string {
  if (protocol !== "ajp" || connector === "mod_jk" || (server === "apache" && prefix !== "")) return path;
  const merged = path.replaceAll(/\/{2,}/g, "/");
  return server === "lighttpd" ? merged.replace("/a%2Fb", "/a/b") : merged;
}

/**
 * A TCP connection can be reset, FastCGI has records that cannot be, and an AJP answer has an end of its own; SCGI on a Unix socket has neither, so that only
 * the length tells, and mod_proxy_scgi takes that away. Caddy and h2o believe in the length alone.
 */
function showsBreak({ server, protocol, transport }: Configuration, withLength: boolean): boolean {
  if (server === "caddy" || server === "h2o") return withLength;
  return protocol !== "scgi" || transport === "tcp" || (withLength && server !== "apache");
}

/** A test of what this front can do; one that cannot lacks nothing, so that no test counts as skipped. */
function onlyIf(able: boolean, title: string, test: (context: TestContext) => Promise<void>): void {
  if (able) it(title, test);
}

/**
 * nginx carries it over SCGI. h2o, HAProxy and mod_fcgid keep to themselves that it is asked for, and so does a lighttpd
 * that could carry it and is not told to (`gw_upgrade_policy`).
 */
function webSocketBecomes({ server, protocol, connector }: Configuration): "yes" | "501" | "no" {
  if (server === "nginx" && protocol === "scgi") return "yes";
  const hides = server === "h2o" || server === "haproxy" || connector === "mod_fcgid";
  return hides || (server === "lighttpd" && UPGRADES) ? "no" : "501";
}

/** Opens a WebSocket and has it echo: null, or the answer that comes instead. */
async function webSocket(url: string): Promise<Pick<Answer, "status" | "body"> | null> {
  const socket = new WebSocket(url);
  const opened = once(socket, "open").then(() => null);
  const answered = once(socket, "unexpected-response").then(([, response]) => response as IncomingMessage);
  try {
    const response = await Promise.race([opened, answered]);
    if (response !== null) return { status: response.statusCode!, body: await buffer(response) };
    socket.send(UPLOAD);
    const [echo] = (await once(socket, "message")) as [Buffer];
    expect(echo.equals(UPLOAD)).toBe(true);
    return null;
  } finally {
    socket.terminate();
  }
}

interface Inspected {
  readonly headers: Record<string, string>;
}

/** Of the example configurations only these pass a body on while it arrives; the others wait for the whole of it. */
function streamsUploads({ server, protocol }: Configuration): boolean {
  return protocol === "fastcgi" && (server === "nginx" || server === "caddy");
}

function json(answer: Answer): unknown {
  expect(answer).toMatchObject({ status: 200, complete: true });
  return JSON.parse(String(answer.body));
}
