/** A small web server of our own: HTTP in, FastCGI, SCGI or AJP out. For the demo and for tests, not for the open internet. */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  validateHeaderName,
  validateHeaderValue,
} from "node:http";
import { PassThrough, type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Answer, AnswerHead } from "../client/answer.ts";
import { FastCgiClient } from "../client/fastcgi-client.ts";
import type { ClientRequest, ClientTimeouts } from "../client/request.ts";
import { SEND } from "../client/send.ts";
import { describeTarget, type ConnectOptions, type Target } from "../client/target.ts";
import { sendPage } from "./page.ts";
import { place, variables, type FrontRequest } from "./variables.ts";

export interface FrontOptions extends ClientTimeouts, Pick<ConnectOptions, "connectTimeout"> {
  /** Where the gateway listens. */
  readonly target: Target;
  /** Default "fastcgi". */
  readonly protocol?: "fastcgi" | "scgi" | "ajp" | undefined;
  /** The path below which everything goes to the gateway: "/" (the default) or one like "/james". */
  readonly mount?: string | undefined;
  /** Keeps FastCGI connections from one request to the next. Default true. */
  readonly keepConn?: boolean | undefined;
  /** What to start when nobody answers at `target`; shown on the page that says so. */
  readonly hint?: string | undefined;
  /** Takes a line for each failed request and what the app wrote to its error stream. Default: nobody does. */
  readonly log?: ((line: string) => void) | undefined;
}

/** Headers of an answer that belong to one connection (RFC 9110 7.6.1), or to CGI. */
const NOT_PASSED = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "status",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** No connection could be made: nobody listens, or not for us. */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "EACCES",
  "ENOTSOCK",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
]);

/** An `http.Server`, not yet listening. */
export function createFront(options: FrontOptions): Server {
  const { target, protocol = "fastcgi", mount = "/", keepConn = true } = options;
  if (!/^\/(?:[^/?#%]+(?:\/[^/?#%]+)*)?$/.test(mount)) throw new TypeError(`not a mount: ${mount}`);
  const client = protocol === "fastcgi" && keepConn ? new FastCgiClient(target) : null;
  const ask = (request: ClientRequest): Promise<Answer> => {
    if (client !== null) return client.request(request);
    return SEND[protocol](target, request);
  };
  const server = createServer((request, response) => {
    void serve(ask, options, mount, request, response);
  });
  return server.on("close", () => client?.close());
}

async function serve(
  ask: (request: ClientRequest) => Promise<Answer>,
  options: FrontOptions,
  mount: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = request.url ?? "/";
  if (url === "*") return void response.writeHead(200, { "content-length": 0 }).end();
  const where = place(url, mount);
  if (where === null) return sendPage(response, 404, `Nothing is here. The app is at ${mount}`);
  const chunked = request.headers["transfer-encoding"] !== undefined;
  if (chunked && options.protocol === "scgi") return sendPage(response, 411, "SCGI tells the length of a body first.");

  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort(new Error("the browser has left"));
  });
  const body = chunked || Number(request.headers["content-length"] ?? 0) > 0 ? upload(request) : undefined;
  try {
    const { connectTimeout, headTimeout, bodyTimeout } = options;
    const answer = await ask({
      params: variables(known(request), where),
      informed: (head) => announce(head, request, response),
      body,
      signal: gone.signal,
      connectTimeout,
      headTimeout,
      bodyTimeout,
    });
    try {
      await pass(answer, request, response);
    } finally {
      for (const line of answer.stderr.split("\n")) if (line !== "") options.log?.(line);
    }
  } catch (error) {
    if (gone.signal.aborted) return;
    options.log?.(`${request.method} ${url}: ${error instanceof Error ? error.message : String(error)}`);
    if (response.headersSent) response.destroy();
    else apologize(error, options, response);
  } finally {
    body?.destroy();
  }
}

/** What the variables are made of. */
function known(request: IncomingMessage): FrontRequest {
  const { method = "GET", httpVersion, rawHeaders, socket } = request;
  const { remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 } = socket;
  const encrypted = "encrypted" in socket;
  return { method, httpVersion, rawHeaders, encrypted, remoteAddress, remotePort, localAddress, localPort };
}

/** The request's body, in a stream whose end is not the end of the browser's connection. */
function upload(request: IncomingMessage): Readable {
  // What the gateway does not take is read all the same, or the next request could not follow.
  return request.pipe(new PassThrough()).once("close", () => request.resume());
}

/** An interim answer, which node itself writes for links and nothing else. A client of HTTP/1.0 knows none. */
function announce(head: AnswerHead, { httpVersion }: IncomingMessage, { socket }: ServerResponse): void {
  // Whoever sends the next request before the last answer has its response without a socket, and is told nothing.
  if (httpVersion === "1.0" || socket === null) return;
  const headers = passed(head);
  for (const [name, value] of headers) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  }
  const { status, reason } = head;
  const lines = [`HTTP/1.1 ${status} ${reason}`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

function passed({ headers }: AnswerHead): AnswerHead["headers"] {
  return headers.filter(([name]) => !NOT_PASSED.has(name.toLowerCase()));
}

/** Sends the answer on as it comes. */
async function pass(answer: Answer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headers = passed(answer);
  const told = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  if (told !== undefined && !/^\d+$/.test(told)) throw new Error(`the answer's Content-Length is ${told}`);
  response.writeHead(answer.status, answer.reason, headers.flat());
  // An event stream says nothing for a while, but its head must arrive.
  response.flushHeaders();
  const bodiless = request.method === "HEAD" || answer.status === 204 || answer.status === 304;
  if (bodiless || told === undefined) await pipeline(answer.body, response);
  else await pipeline(answer.body, exactly(Number(told)), response);
  await answer.ended;
}

/** Lets so many bytes through, not one more, and fails if there are fewer. */
function exactly(bytes: number): Transform {
  let left = bytes;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, callback) {
      const passed = chunk.subarray(0, left);
      left -= passed.byteLength;
      callback(null, passed);
    },
    flush(callback) {
      callback(left > 0 ? new Error(`the answer ended ${left} bytes before its Content-Length`) : null);
    },
  });
}

function apologize(error: unknown, options: FrontOptions, response: ServerResponse): void {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const at = describeTarget(options.target);
  if (UNREACHABLE.has(code)) sendPage(response, 503, `No gateway answers at ${at} (${code}).`, options.hint);
  else if (code === "ETIMEDOUT") sendPage(response, 504, `The gateway at ${at} did not answer in time.`);
  else
    sendPage(response, 502, `The gateway at ${at} did not give a complete answer${code === "" ? "" : ` (${code})`}.`);
}
