/** Runs one handler under node's own http server and behind a gateway, and tells what it and its client saw of each. */
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

import { fastCgiRequest } from "../../src/client/fastcgi-request.ts";
import { createServer } from "../../src/library/create-server.ts";

export interface Scene {
  readonly log: string[];
  /** The client closes its connection. */
  readonly leave: () => void;
}

export interface Visit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent with its length, in pieces if it is a list; a piece of `null` stands for one that never comes. */
  readonly body?: string | readonly (string | null)[];
  readonly handler: (req: http.IncomingMessage, res: http.ServerResponse, scene: Scene) => unknown;
  readonly options?: {
    readonly IncomingMessage: typeof http.IncomingMessage;
    readonly ServerResponse: typeof http.ServerResponse;
  };
}

export interface Account {
  /** What the handler has logged, in its order. */
  readonly log: string[];
  /** "gone" for a client without an answer. */
  readonly status: number | "gone";
  /** Name in lower case and value; Date and what frames the connection left out. */
  readonly headers: readonly string[];
  /** "... broken off" where the answer was. */
  readonly body: string;
}

/** Between the pieces of a body, in milliseconds. */
const PAUSE = 40;
/** So long nothing must have happened, in milliseconds, before a scene is over. */
const QUIET = 80;
const FRAMING = new Set(["date", "connection", "keep-alive", "transfer-encoding"]);

type Send = (port: number, visit: Visit, signal: AbortSignal) => Promise<Omit<Account, "log">>;

/** Both accounts; equal where the gateway does as node does. */
export async function sideBySide(visit: Visit): Promise<{ node: Account; gateway: Account }> {
  return {
    node: await play(http.createServer(visit.options ?? {}), overHttp, visit),
    gateway: await play(createServer(visit.options ?? {}) as unknown as http.Server, overFastCgi, visit),
  };
}

async function play(server: http.Server, send: Send, visit: Visit): Promise<Account> {
  const leaving = new AbortController();
  const scene: Scene = { log: [], leave: () => leaving.abort() };
  let over: Promise<unknown> | undefined;
  server.on("request", (req: http.IncomingMessage, res: http.ServerResponse) => {
    over = (async () => visit.handler(req, res, scene))().catch((error) => scene.log.push(`threw ${error}`));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const seen = await send(port, visit, leaving.signal);
  await over;
  await quiet(scene.log);
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
  return { log: scene.log, ...seen };
}

async function quiet(log: readonly string[]): Promise<void> {
  for (let last = -1; last !== log.length;) {
    last = log.length;
    await sleep(QUIET);
  }
}

const overHttp: Send = async (port, { method = "GET", headers = {}, body }, signal) => {
  const length = lengthOf(body);
  // The connection is kept, as an exchange of a gateway says nothing about the connection that carries it.
  const agent = new http.Agent({ keepAlive: true });
  const request = http.request({
    port,
    method,
    path: "/a?b=c",
    agent,
    signal,
    headers: { ...headers, ...(length > 0 ? { "Content-Length": length } : {}) },
  });
  request.on("error", () => {});
  const answered = once(request, "response") as Promise<[http.IncomingMessage]>;
  void (async () => {
    for await (const piece of pieces(body, signal)) request.write(piece);
    request.end();
  })();
  try {
    const [response] = await answered;
    const raw = response.rawHeaders;
    const names = raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1]!] as [string, string]] : []));
    return { status: response.statusCode!, headers: told(names), body: await textOf(response) };
  } catch {
    return GONE;
  }
};

const overFastCgi: Send = async (port, { method = "GET", headers = {}, body }, signal) => {
  const length = lengthOf(body);
  const params: [string, string][] = [
    ["REQUEST_METHOD", method],
    ["REQUEST_URI", "/a?b=c"],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", "/a"],
    ["QUERY_STRING", "b=c"],
    ["SERVER_PROTOCOL", "HTTP/1.1"],
    ["REMOTE_ADDR", "127.0.0.1"],
    ["HTTP_HOST", `localhost:${port}`],
    ...Object.entries(headers).map(([name, value]): [string, string] => [
      `HTTP_${name.toUpperCase().replaceAll("-", "_")}`,
      value,
    ]),
  ];
  if (length > 0) params.push(["CONTENT_LENGTH", String(length)]);
  const whole = typeof body === "string" ? { body: Buffer.from(body) } : body ? { body: pieces(body, signal) } : {};
  try {
    const answer = await fastCgiRequest({ port }, { params, signal, ...whole });
    return { status: answer.status, headers: told(answer.headers), body: await textOf(answer.body) };
  } catch {
    return GONE;
  }
};

const GONE = { status: "gone", headers: [], body: "" } as const;

function lengthOf(body: Visit["body"]): number {
  if (body === undefined) return 0;
  const all = typeof body === "string" ? [body] : body;
  return all.reduce((sum, piece) => sum + (piece?.length ?? 1), 0);
}

async function* pieces(body: Visit["body"], signal: AbortSignal): AsyncGenerator<Uint8Array, undefined> {
  const all = body === undefined ? [] : typeof body === "string" ? [body] : body;
  for (const [i, piece] of all.entries()) {
    if (i > 0) await sleep(PAUSE);
    if (piece === null) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    else yield Buffer.from(piece);
  }
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  try {
    for await (const chunk of body) text += Buffer.from(chunk).toString("latin1");
  } catch {
    text += "... broken off";
  }
  return text;
}

function told(headers: readonly (readonly [string, string])[]): string[] {
  return headers
    .filter(([name]) => !FRAMING.has(name.toLowerCase()))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
