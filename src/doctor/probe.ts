/** Requests through the web server that the running server itself answers, with what has arrived of them. */
import { createHash, randomBytes } from "node:crypto";

import type { ProbeReport } from "../report.ts";
import { fetchProbeToken } from "../status/client.ts";
import type { Context } from "./context.ts";
import { type HttpAnswer, type HttpAsk, askFront } from "./http.ts";
import { askByHttp2 } from "./http2.ts";

/** The server's processes are told of the token one after the other. */
const TRIES = 4;
const BETWEEN = 150;

export interface Probed {
  readonly answer: HttpAnswer;
  /** Null where the answer is not the server's. */
  readonly report: ProbeReport | null;
}

export interface ProbeOptions {
  /** What the answer is to be like: `parts`, `hints`, `head=BYTES`. */
  readonly how?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Below the app's root, encoded, begins with `/`. Default: the root as the URL has it. */
  readonly below?: string;
  readonly body?: Uint8Array;
}

export class Prober {
  /** What every probe has as its query: no cache knows it. */
  readonly query: string = `propylon-doctor=${randomBytes(6).toString("hex")}`;
  /** The web server's certificate is verified. */
  verify = true;
  readonly #context: Context;
  readonly #url: URL;
  readonly #token: string | null;

  private constructor(context: Context, url: URL, token: string | null) {
    this.#context = context;
    this.#url = url;
    this.#token = token;
  }

  /** Without a status socket there is no token, and no answer is known to be the server's. */
  static async prepare(context: Context, url: URL): Promise<Prober> {
    const { patient, report, bounds, skip } = context;
    let token: string | null = null;
    if (report !== null && patient.statusPath !== null) {
      token = await fetchProbeToken(patient.statusPath, bounds.short).catch((error: unknown) => {
        skip(`what arrives of a request (the server gives no token for it: ${(error as Error).message})`);
        return null;
      });
    }
    return new Prober(context, url, token);
  }

  /** Whether the server can be told from anybody else. */
  get recognises(): boolean {
    return this.#token !== null;
  }

  /** The path that is asked for. */
  pathOf({ below }: ProbeOptions = {}): string {
    const { pathname } = this.#url;
    return below === undefined ? pathname : pathname.replace(/\/$/, "") + below;
  }

  /** @throws the system's error */
  async ask(options: ProbeOptions = {}): Promise<Probed> {
    const { headers, body } = options;
    const answer = await askFront({
      ...this.#usual(options),
      headers: { ...this.#mark(options), ...headers },
      ...(body === undefined ? {} : { method: "POST", body }),
    });
    return { answer, report: this.#reportIn(answer.body) };
  }

  /**
   * Over HTTP/2, each cookie in a field of its own.
   *
   * @returns null where the web server does not speak HTTP/2, or the answer is not the server's
   * @throws the system's error, or one that says that time is up
   */
  async askByHttp2(cookies: readonly string[]): Promise<ProbeReport | null> {
    const body = await askByHttp2({ ...this.#usual(), headers: this.#mark(), cookies });
    return body === null ? null : this.#reportIn(body);
  }

  /** The first contact: as soon as all processes know the token. @throws the system's error */
  async askFirst(): Promise<Probed> {
    for (let left = TRIES; ; left--) {
      const probed = await this.ask();
      if (probed.report !== null || left <= 1 || this.#token === null || this.#context.signal.aborted) return probed;
      await new Promise((resolve) => setTimeout(resolve, BETWEEN));
    }
  }

  #usual(options: ProbeOptions = {}): HttpAsk {
    const { bounds, signal } = this.#context;
    const path = `${this.pathOf(options)}?${this.query}`;
    return { url: this.#url, path, timeout: bounds.long, signal, verify: this.verify };
  }

  /** By which the server knows the probe. */
  #mark({ how }: ProbeOptions = {}): Record<string, string> {
    if (this.#token === null) return {};
    return { "X-Propylon-Probe": how === undefined ? this.#token : `${this.#token} ${how}` };
  }

  #reportIn(body: string): ProbeReport | null {
    try {
      const report = JSON.parse(body) as Partial<ProbeReport> | null;
      const proof = createHash("sha256").update(`proof ${this.#token}`).digest("hex");
      return this.#token !== null && report?.proof === proof ? (report as ProbeReport) : null;
    } catch {
      return null;
    }
  }
}
