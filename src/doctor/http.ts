/** One request to the web server, as a browser would send it, with what is known of how its answer came. */
import http from "node:http";
import https from "node:https";

export interface HttpAsk {
  readonly url: URL;
  /** The request target, in place of the URL's own path. */
  readonly path: string;
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Milliseconds for all of it. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** Default true. */
  readonly verify?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** A 103 came before it. */
  readonly hinted: boolean;
  /** At most `MAX_BODY` characters, latin1. */
  readonly body: string;
  /** Milliseconds between the first byte of the body and its end. */
  readonly spread: number;
  /** This end of the connection. */
  readonly localAddress: string;
}

/** Characters of an answer that are read. */
export const MAX_BODY: number = 256 * 1024;
const MAX_HEAD = 256 * 1024;

/** Somebody has taken the connection, and does not answer in time. */
export class NoAnswerInTime extends Error {
  override readonly name = "NoAnswerInTime";
}

/** @throws NoAnswerInTime, the system's error, or one with the code ETIMEDOUT where there is no connection */
export async function askFront({ url, path, timeout, signal, ...asked }: HttpAsk): Promise<HttpAnswer> {
  const { method = "GET", headers = {}, body, verify = true } = asked;
  const { request } = url.protocol === "https:" ? https : http;
  return await new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "Content-Length": String(body.length) };
    const sent = request({
      host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      ...(url.port === "" ? {} : { port: Number(url.port) }),
      ...{ method, path, signal, agent: false, maxHeaderSize: MAX_HEAD, rejectUnauthorized: verify },
      headers: { Host: url.host, "User-Agent": "propylon-doctor", ...headers, ...length },
    });
    let localAddress = "";
    let answered = false;
    let hinted = false;
    const timer = setTimeout(() => {
      const message = `no answer in ${timeout} ms`;
      const isConnected = localAddress !== "";
      sent.destroy(
        isConnected ? new NoAnswerInTime(message) : Object.assign(new Error(message), { code: "ETIMEDOUT" }),
      );
    }, timeout);
    sent.once("close", () => clearTimeout(timer));
    // A server that answers before the body is through may well close: the answer counts.
    sent.on("error", (error) => answered || reject(error));
    sent.once("socket", (socket) => socket.once("connect", () => (localAddress = socket.localAddress ?? "")));
    sent.on("information", ({ statusCode }) => (hinted ||= statusCode === 103));
    sent.once("response", (response) => {
      answered = true;
      let text = "";
      let begun: number | null = null;
      response.on("data", (chunk: Buffer) => {
        begun ??= performance.now();
        if (text.length < MAX_BODY) text += chunk.toString("latin1");
        else sent.destroy();
      });
      response.once("error", () => {});
      response.once("close", () => {
        const spread = begun === null ? 0 : performance.now() - begun;
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: text.slice(0, MAX_BODY), spread, hinted, localAddress });
      });
    });
    sent.end(body);
  });
}
