/** A plain HTTP client: one request, its answer as it came. */
import { request as httpRequest, type Agent, type IncomingMessage, type InformationEvent } from "node:http";

export interface Call {
  readonly method?: string;
  readonly path: string;
  /** Name, value, name, value: in this order, repeats included. */
  readonly headers?: readonly string[];
  /** A list is sent chunked, with a pause between its items. */
  readonly body?: Uint8Array | string | readonly string[];
  readonly agent?: Agent;
  /** Hears of interim answers. */
  readonly informed?: (interim: InformationEvent) => void;
}

export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** Name (lower case) and value as they came. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** False if the connection ended before the answer did. */
  readonly complete: boolean;
}

const PAUSE_BETWEEN_CHUNKS = 30;
/** A request that stands still so long, in milliseconds, has failed. */
const TIMEOUT = 8_000;

/** Resolves when the answer is over, also one that breaks off. */
export async function call(origin: string, call: Call): Promise<Answer> {
  const response = await begin(origin, call);
  const chunks: Buffer[] = [];
  let complete = true;
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch {
    complete = false;
  }
  return {
    status: response.statusCode ?? 0,
    reason: response.statusMessage ?? "",
    headers: pairs(response.rawHeaders),
    body: Buffer.concat(chunks),
    complete: complete && response.complete,
  };
}

/** Resolves when the head of the answer is there; its body is for the caller to read. */
export function begin(
  origin: string,
  { method = "GET", path, headers = [], body, agent, informed }: Call,
): Promise<IncomingMessage> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const all = [...headers];
    const names = new Set(headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()));
    if (!names.has("host")) all.unshift("Host", "www.example.test");
    if (body !== undefined && !names.has("content-length") && !names.has("transfer-encoding")) {
      if (Array.isArray(body)) all.push("Transfer-Encoding", "chunked");
      else all.push("Content-Length", String(Buffer.byteLength(body as string | Uint8Array)));
    }
    if (agent === undefined) all.push("Connection", "close");
    const request = httpRequest({ hostname, port, method, path, agent: agent ?? false, headers: all });
    if (informed !== undefined) request.on("information", informed);
    request.once("response", resolve);
    request.once("error", reject);
    request.setTimeout(TIMEOUT, () => request.destroy(new Error(`${method} ${path}: nothing for ${TIMEOUT} ms`)));
    if (!Array.isArray(body)) request.end(body);
    else void sendSlowly(request, body as readonly string[]);
  });
}

async function sendSlowly(request: ReturnType<typeof httpRequest>, body: readonly string[]): Promise<void> {
  for (const piece of body) {
    request.write(piece);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_BETWEEN_CHUNKS));
  }
  request.end();
}

function pairs(raw: readonly string[]): (readonly [string, string])[] {
  const all: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) all.push([raw[i]!.toLowerCase(), raw[i + 1]!]);
  return all;
}
