/** The status over HTTP, on a Unix socket or an address of its own. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";

import { type Bound, type ListenAddress, bind } from "../gateway/listen-address.ts";
import type { Logger } from "../log.ts";
import type { StatusReport } from "../report.ts";
import { OPENMETRICS_TYPE, openMetricsOf } from "./openmetrics.ts";
import { PAGE_POLICY, pageOf } from "./page.ts";
import { isReady } from "./ready.ts";
import { textOf } from "./text.ts";

const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 8 * 1024;
const BACKLOG = 64;
/** Milliseconds for a request's head to come. */
const HEAD_TIME = 5_000;
/** How often that is looked at. Milliseconds. */
const CHECKS = 1_000;
/** Milliseconds of a connection, all in all: also for a peer that takes its answer slowly. */
const CONNECTION_TIME = 15_000;
/** Who may connect to a Unix socket without a mode of its own: the supervisor's user. */
const SOCKET_MODE = 0o600;

export interface StatusServerOptions {
  /** Called for every answer. */
  readonly report: () => StatusReport;
  /** Called for each token that is given away: see `#probe`. */
  readonly expectProbe: (token: string) => void;
  readonly log: Logger;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** More than can be guessed. */
const TOKEN_BYTES = 24;

const TEXT = "text/plain; charset=utf-8";

export class StatusServer {
  readonly #report: () => StatusReport;
  readonly #expectProbe: (token: string) => void;
  readonly #log: Logger;
  readonly #server: http.Server;
  #bound: Bound | null = null;
  /** Of a TCP address: what a Host header may say beside addresses and localhost. Null on a Unix socket. */
  #host: string | null = null;

  constructor({ report, expectProbe, log }: StatusServerOptions) {
    this.#report = report;
    this.#expectProbe = expectProbe;
    this.#log = log;
    this.#server = http.createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: HEAD_TIME,
        requestTimeout: HEAD_TIME,
        connectionsCheckingInterval: CHECKS,
      },
      (request, response) => this.#serve(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on("connection", (socket) => {
      const deadline = setTimeout(() => socket.destroy(), CONNECTION_TIME).unref();
      socket.once("close", () => clearTimeout(deadline));
    });
  }

  /**
   * Resolves when it listens. To be called once.
   *
   * @throws ListenError, or the error of Node (EADDRINUSE, EACCES)
   */
  async listen(address: ListenAddress): Promise<void> {
    const own = "path" in address ? { mode: SOCKET_MODE, ...address } : address;
    if ("port" in own) this.#host = own.host?.toLowerCase() ?? "localhost";
    this.#bound = bind(this.#server, own, { backlog: BACKLOG, log: this.#log });
    await once(this.#server, "listening");
    this.#server.on("error", (error) => this.#log.warn(`status: ${error.message}`));
  }

  /** As of net.Server. */
  address(): AddressInfo | string | null {
    return this.#server.address();
  }

  /** Removes the Unix socket and cuts off who is connected, at once. */
  close(): void {
    this.#bound?.close();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    let answer: Answer;
    try {
      answer = this.#answer(request);
    } catch (error) {
      this.#log.error(`status: ${String((error as Error).stack)}`);
      answer = { status: 500, type: TEXT, body: "The status could not be put together; the log says why.\n" };
    }
    const { status, type, body, headers } = answer;
    response.writeHead(status, {
      ...{ "Content-Type": type, "Content-Length": Buffer.byteLength(body), "Cache-Control": "no-store" },
      ...{ "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", Connection: "close" },
      ...{ "Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": PAGE_POLICY, ...headers },
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  #answer({ method, url = "/", headers }: IncomingMessage): Answer {
    if (this.#host !== null && !isOurs(headers.host, this.#host)) {
      return {
        status: 421,
        type: TEXT,
        body: "The Host header must be an address, localhost or status_listen's host.\n",
      };
    }
    const [path = ""] = url.split("?");
    if (path === "/probe" && this.#host === null) return this.#probe(method);
    const make = ANSWERS.get(path);
    if (make === undefined) return { status: 404, type: TEXT, body: `There are ${[...ANSWERS.keys()].join(" ")}\n` };
    if (method !== "GET" && method !== "HEAD") {
      return { status: 405, type: TEXT, body: "GET and HEAD only\n", headers: { Allow: "GET, HEAD" } };
    }
    return make(this.#report, headers.accept ?? "");
  }

  /**
   * A token by which requests are answered with what has arrived of them. Only who may connect to the Unix socket gets
   * one: through an address it would be a stranger's.
   */
  #probe(method = ""): Answer {
    if (method !== "POST") return { status: 405, type: TEXT, body: "POST only\n", headers: { Allow: "POST" } };
    const token = randomBytes(TOKEN_BYTES).toString("hex");
    this.#expectProbe(token);
    return { status: 200, type: "application/json", body: `${JSON.stringify({ token })}\n` };
  }
}

type MakeAnswer = (report: () => StatusReport, accept: string) => Answer;

const ANSWERS: ReadonlyMap<string, MakeAnswer> = new Map<string, MakeAnswer>([
  [
    "/",
    (report, accept) => {
      const html = /\btext\/html\b/i.test(accept);
      const body = html ? pageOf(report()) : textOf(report());
      return { status: 200, type: html ? "text/html; charset=utf-8" : TEXT, body, headers: { Vary: "Accept" } };
    },
  ],
  ["/status.txt", (report) => ({ status: 200, type: TEXT, body: textOf(report()) })],
  ["/status.json", (report) => ({ status: 200, type: "application/json", body: `${JSON.stringify(report())}\n` })],
  ["/metrics", (report) => ({ status: 200, type: OPENMETRICS_TYPE, body: openMetricsOf(report()) })],
  [
    "/ready",
    (report) => {
      const ready = isReady(report());
      return { status: ready ? 200 : 503, type: TEXT, body: ready ? "ready\n" : "not ready\n" };
    },
  ],
  ["/live", () => ({ status: 200, type: TEXT, body: "live\n" })],
]);

/** A page of elsewhere can make its own name point here (DNS rebinding); it cannot make the Host header an address. */
function isOurs(header: string | undefined, host: string): boolean {
  const name = (header ?? "").toLowerCase().replace(/:\d+$/, "");
  const bare = name.replace(/^\[(.*)\]$/, "$1");
  return bare === "localhost" || bare === host.replace(/^\[(.*)\]$/, "$1") || isIP(bare) !== 0;
}
