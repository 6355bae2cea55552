import { once } from "node:events";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import http from "node:http";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { silentLogger } from "../../../src/log.ts";
import type { StatusReport } from "../../../src/report.ts";
import { type StatusTarget, fetchProbeToken, fetchStatus } from "../../../src/status/client.ts";
import { StatusServer } from "../../../src/status/server.ts";
import { readOpenMetrics } from "../../support/openmetrics.ts";
import { emptyReport, usualReport, worstReport } from "../../support/status-reports.ts";

let directory: string;
let path: string;
let report: StatusReport;
let tokens: string[] = [];
const opened: { close(): unknown }[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "propylon-status-"));
  path = join(directory, "status");
  report = usualReport();
  tokens = [];
});

afterEach(async () => {
  vi.useRealTimers();
  for (const each of opened.splice(0)) each.close();
  await rm(directory, { recursive: true, force: true });
});

async function listen(address: Parameters<StatusServer["listen"]>[0] = { path }): Promise<StatusServer> {
  const server = new StatusServer({
    report: () => report,
    expectProbe: (token) => void tokens.push(token),
    log: silentLogger,
  });
  opened.push(server);
  await server.listen(address);
  return server;
}

interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

async function ask(
  target: StatusTarget,
  url: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const where = "path" in target ? { socketPath: target.path } : target;
  const request = http.request({ ...where, path: url, agent: false, ...options }).end();
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

function open(): Socket {
  const socket = connect(path);
  socket.on("error", () => {});
  opened.push({ close: () => socket.destroy() });
  return socket;
}

describe("the status server on a Unix socket", () => {
  it("lets nobody but its own user connect, and removes the socket at once when closed", async () => {
    const server = await listen();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    server.close();
    await expect(stat(path)).rejects.toThrow("ENOENT");
  });

  it("gives the socket another mode where one is asked for", async () => {
    await listen({ path, mode: 0o660 });
    expect((await stat(path)).mode & 0o777).toBe(0o660);
  });

  it.each([
    ["/", "text/plain; charset=utf-8", /^FastCGI on \/run\/app\.sock: running\n/],
    ["/status.txt", "text/plain; charset=utf-8", /^FastCGI on /],
    ["/status.txt?x=1", "text/plain; charset=utf-8", /^FastCGI on /],
    ["/status.json", "application/json", /^\{"where"/],
    ["/metrics", "application/openmetrics-text; version=1.0.0; charset=utf-8", /# EOF\n$/],
    ["/ready", "text/plain; charset=utf-8", /^ready\n$/],
    ["/live", "text/plain; charset=utf-8", /^live\n$/],
  ])("answers GET and HEAD of %s as %s", async (url, type, body) => {
    await listen();
    const got = await ask({ path }, url);
    expect(got).toMatchObject({ status: 200, headers: { "content-type": type, "cache-control": "no-store" } });
    expect(got.body).toMatch(body);
    const head = await ask({ path }, url, { method: "HEAD" });
    expect(head).toMatchObject({ status: 200, body: "" });
    expect(head.headers["content-length"]).toBe(String(Buffer.byteLength(got.body)));
  });

  it("shows the page to whoever takes HTML", async () => {
    await listen();
    const { headers, body } = await ask({ path }, "/", { headers: { Accept: "text/html,*/*;q=0.8" } });
    expect(headers).toMatchObject({ "content-type": "text/html; charset=utf-8", vary: "Accept" });
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(body).toMatch(/^<!doctype html>/);
  });

  it("answers 404 for what is not there and 405 for other methods", async () => {
    await listen();
    expect(await ask({ path }, "/../etc/passwd")).toMatchObject({ status: 404 });
    expect(await ask({ path }, "/status.json", { method: "POST" })).toMatchObject({
      ...{ status: 405, headers: { allow: "GET, HEAD" } },
    });
  });

  it("is live but not ready where no worker is", async () => {
    report = emptyReport();
    await listen();
    expect(await ask({ path }, "/ready")).toMatchObject({ status: 503, body: "not ready\n" });
    expect(await ask({ path }, "/live")).toMatchObject({ status: 200 });
  });

  it("gives a token for probes, another one each time, by POST on the Unix socket alone", async () => {
    await listen();
    const given = [await fetchProbeToken(path), await fetchProbeToken(path)];
    expect(given).toEqual(tokens);
    expect(new Set(given).size).toBe(2);
    expect(given[0]).toMatch(/^[0-9a-f]{48}$/);
    expect(await ask({ path }, "/probe")).toMatchObject({ status: 405, headers: { allow: "POST" } });
    const { port } = (await listen({ host: "127.0.0.1", port: 0 })).address() as AddressInfo;
    expect(await ask({ host: "127.0.0.1", port }, "/probe", { method: "POST" })).toMatchObject({ status: 404 });
    expect(tokens).toEqual(given);
  });

  it("answers 500 where there can be no report, and goes on", async () => {
    const server = new StatusServer({
      report: () => {
        throw new Error("secret of the supervisor");
      },
      expectProbe: () => {},
      log: silentLogger,
    });
    opened.push(server);
    await server.listen({ path });
    const { status, body } = await ask({ path }, "/status.json");
    expect(status).toBe(500);
    expect(body).not.toContain("secret");
    expect(await ask({ path }, "/live")).toMatchObject({ status: 200 });
  });

  it("answers 431 for large headers", async () => {
    await listen();
    expect(await ask({ path }, "/", { headers: { "X-Long": "x".repeat(10_000) } })).toMatchObject({ status: 431 });
  });

  it("serves others while one takes its answer slowly, and cuts that one off in the end", async () => {
    report = usualReport({ slowLog: Array.from({ length: 20 }, () => "x".repeat(500_000)) });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await listen();
    const slow = open();
    slow.write("GET /status.json HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(slow, "readable");
    expect(await ask({ path }, "/live")).toMatchObject({ status: 200 });
    const closed = once(slow, "close");
    vi.advanceTimersByTime(15_000);
    slow.resume();
    await closed;
    expect(slow.bytesRead).toBeLessThan(10_000_000);
  });

  it("holds 64 connections and drops one more", async () => {
    await listen();
    const held: Socket[] = [];
    while (held.length < 64) {
      const socket = open();
      await once(socket, "connect");
      held.push(socket);
    }
    const more = open();
    more.resume();
    await once(more, "close");
    expect(held.filter(({ destroyed }) => destroyed)).toEqual([]);
  });

  it("cuts off who is connected when closed", async () => {
    const server = await listen();
    const socket = open();
    await once(socket, "connect");
    // One that is still in the backlog is not connected yet.
    await ask({ path }, "/live");
    socket.resume();
    const closed = once(socket, "close");
    server.close();
    await closed;
  });

  it("rejects where another serves already", async () => {
    await listen();
    await expect(listen()).rejects.toMatchObject({ code: "LISTEN_IN_USE" });
    expect(await ask({ path }, "/live")).toMatchObject({ status: 200 });
  });
});

describe("the status server on TCP", () => {
  const tcp = async (host?: string): Promise<StatusTarget> => {
    const server = await listen({ port: 0, ...(host === undefined ? {} : { host }) });
    return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
  };

  it.each(["localhost", "LOCALHOST:1", "127.0.0.1:9000", "192.0.2.7", "[::1]:9000"])(
    "answers Host %s",
    async (host) => {
      expect(await ask(await tcp(), "/live", { headers: { Host: host } })).toMatchObject({ status: 200 });
    },
  );

  it.each(["evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example", ".", "[evil]"])(
    "answers 421 to Host %j, which another page may have made point here",
    async (host) => {
      const { status, body } = await ask(await tcp(), "/status.json", { headers: { Host: host } });
      expect(status).toBe(421);
      expect(body).not.toContain("workers");
    },
  );

  it("answers the host that it was told to listen on", async () => {
    const target = await tcp("localhost");
    expect(await ask(target, "/live", { headers: { Host: "localhost" } })).toMatchObject({ status: 200 });
    expect(await ask(target, "/live", { headers: { Host: "other" } })).toMatchObject({ status: 421 });
  });

  it("asks no Host of who comes over a Unix socket", async () => {
    await listen();
    expect(await ask({ path }, "/live", { headers: { Host: "anything" } })).toMatchObject({ status: 200 });
  });

  it("is read by a client", async () => expect(await fetchStatus(await tcp())).toEqual(report));
});

describe("fetchStatus", () => {
  it("brings the report as it was", async () => {
    report = worstReport();
    await listen();
    const fetched = await fetchStatus({ path });
    expect(fetched.workers).toEqual(report.workers);
    expect(fetched.slowLog).toEqual(report.slowLog);
  });

  it.each([
    ["no JSON", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "sent no JSON"],
    ["something else", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", "no status of propylon"],
    ["an error", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "it answered 500"],
    ["half an answer", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", /aborted|before the answer did/],
    ["no HTTP", "hello\r\n\r\n", "Parse Error"],
    ["nothing", "", "socket hang up"],
  ])("rejects %s", async (_title, answer, message) => {
    await impostor((socket) => socket.end(answer));
    await expect(fetchStatus({ path })).rejects.toThrow(message);
  });

  it("rejects what has no end", async () => {
    await impostor((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const chunk = Buffer.alloc(2 ** 20, "x");
      const more = (): unknown => socket.destroyed || socket.write(chunk, more);
      more();
    });
    await expect(fetchStatus({ path })).rejects.toThrow("more than 16777216 bytes");
  });

  it("gives up after its timeout", async () => {
    await impostor(() => {});
    await expect(fetchStatus({ path }, 50)).rejects.toThrow("no answer within 50 ms");
  });

  it("says why nobody answers", async () => {
    await expect(fetchStatus({ path })).rejects.toMatchObject({ code: "ENOENT" });
    await writeFile(path, "");
    await expect(fetchStatus({ path })).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  /** Answers each request with whatever `answer` writes. */
  async function impostor(answer: (socket: Socket) => void): Promise<void> {
    const server = createServer((socket) => {
      socket.on("error", () => {}).once("data", () => answer(socket));
      opened.push({ close: () => socket.destroy() });
    });
    opened.push(server);
    server.listen(path);
    await once(server, "listening");
  }
});

describe("metrics over the wire", () => {
  it("are what a strict reader takes", async () => {
    await listen();
    const { body } = await ask({ path }, "/metrics");
    expect(readOpenMetrics(body).get("propylon_ready")?.samples[0]?.value).toBe(1);
  });
});
