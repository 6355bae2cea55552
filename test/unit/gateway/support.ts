/** A gateway under test: a dispatcher that does what the test says, and web servers made of raw bytes. */
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach } from "vitest";

import type { AbortCode } from "../../../src/errors.ts";
import type {
  Dispatcher,
  Params,
  RequestEvent,
  RequestHead,
  RequestSink,
  ResponseSink,
} from "../../../src/exchange.ts";
import { Gateway, type GatewaySetup } from "../../../src/gateway/server.ts";
import type { Logger } from "../../../src/log.ts";

export const HELLO_HEAD = "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n";

/** The app's end of one exchange: what came, and a short way to answer. */
export class Exchange implements RequestSink {
  readonly head: RequestHead;
  readonly response: ResponseSink;
  readonly events: RequestEvent[] = [];
  /** Gives the body's bytes back as credit at once. */
  reads = true;
  /** Keeps body chunks; off where a test sends more than it wants to hold. */
  keeps = true;
  credited = 0;
  received = 0;
  onEvent: ((event: RequestEvent) => void) | null = null;

  constructor(head: RequestHead, response: ResponseSink) {
    this.head = head;
    this.response = response;
  }

  send(event: RequestEvent): void {
    if (event.type === "credit") this.credited += event.bytes;
    if (event.type === "body" || event.type === "data") this.received += event.chunk.length;
    if (this.keeps || event.type !== "body") this.events.push(event);
    this.onEvent?.(event);
    if ((event.type === "body" || event.type === "data") && this.reads) {
      this.response.send({ type: "credit", bytes: event.chunk.length });
    }
  }

  get aborted(): AbortCode | undefined {
    return this.events.find((event) => event.type === "abort")?.code;
  }
  get bodyEnded(): boolean {
    return this.events.some((event) => event.type === "bodyEnd");
  }
  get body(): string {
    const chunks = this.events.flatMap((event) => (event.type === "body" ? [event.chunk] : []));
    return Buffer.concat(chunks).toString("latin1");
  }
  sendHead(block: string = HELLO_HEAD): void {
    this.response.send({ type: "head", status: 200, block });
  }
  write(text: string | Uint8Array): void {
    this.response.send({ type: "body", chunk: typeof text === "string" ? Buffer.from(text) : text });
  }
  end(appStatus = 0): void {
    this.response.send({ type: "end", appStatus });
  }
  hello(): void {
    this.sendHead();
    this.write("hello");
    this.end();
  }
}

export class TestApp implements Dispatcher {
  readonly exchanges: Exchange[] = [];
  /** Runs inside `dispatch`, as a synchronous app does. */
  handle: (exchange: Exchange) => void;

  constructor(handle: (exchange: Exchange) => void = (exchange) => exchange.hello()) {
    this.handle = handle;
  }

  dispatch(head: RequestHead, response: ResponseSink): RequestSink {
    const exchange = new Exchange(head, response);
    this.exchanges.push(exchange);
    this.handle(exchange);
    return exchange;
  }

  /** The `index`th exchange, as soon as there is one. */
  async exchange(index = 0): Promise<Exchange> {
    await until(() => this.exchanges.length > index, `exchange ${index}`);
    return this.exchanges[index]!;
  }
}

export function valueOf({ block, offsets, base, count }: Params, name: string): string | undefined {
  for (let i = 0; i < count; i++) {
    const at = base + 4 * i;
    if (block.slice(offsets[at], offsets[at + 1]) === name) return block.slice(offsets[at + 2], offsets[at + 3]);
  }
  return undefined;
}

/** Waits for `condition`, looking every few milliseconds, at most four seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 4000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await pause(3);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export interface Running {
  readonly gateway: Gateway;
  readonly log: string[];
  open(): Promise<Peer>;
}

export interface StartOptions extends Omit<GatewaySetup, "dispatcher" | "protocol"> {
  readonly protocol?: "fastcgi" | "scgi" | "ajp";
  readonly unix?: boolean;
}

/** A gateway on a free port or a Unix socket; closed after the test. */
export async function start(app: Dispatcher, { unix, protocol, ...setup }: StartOptions = {}): Promise<Running> {
  const log: string[] = [];
  const keep = (message: string): void => void log.push(message);
  const logger: Logger = { error: keep, warn: keep, info: keep, debug: () => {} };
  const gateway = new Gateway({ dispatcher: app, protocol: protocol ?? "fastcgi", log: logger, ...setup });
  gateway.listen(unix ? { path: join(mkdtempSync(join(tmpdir(), "gateway-")), "s") } : { port: 0, host: "127.0.0.1" });
  await once(gateway, "listening");
  cleanups.push(async () => {
    if (!gateway.listening) return;
    gateway.closeAllConnections();
    await new Promise<void>((resolve) => void gateway.close(() => resolve()));
  });
  return {
    gateway,
    log,
    open: async () => {
      const address = gateway.address();
      const socket = connect(
        typeof address === "string"
          ? { path: address, allowHalfOpen: true }
          : { port: (address as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true },
      );
      const peer = new Peer(socket);
      await once(socket, "connect");
      cleanups.push(() => void socket.destroy());
      return peer;
    },
  };
}

/** The web server's end of a connection. */
export class Peer {
  readonly socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  /** The gateway has ended its sending side. */
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => (this.#bytes = Buffer.concat([this.#bytes, chunk])));
    socket.on("end", () => (this.ended = true));
    socket.on("error", (error) => (this.error = error));
    socket.on("close", () => (this.closed = true));
  }

  send(...pieces: readonly (Uint8Array | string)[]): void {
    this.socket.write(Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece))));
  }

  get text(): string {
    return this.#bytes.toString("latin1");
  }

  get records(): WireRecord[] {
    const records: WireRecord[] = [];
    for (let at = 0; at + 8 <= this.#bytes.length;) {
      const length = this.#bytes.readUInt16BE(at + 4);
      const next = at + 8 + length + this.#bytes[at + 6]!;
      if (next > this.#bytes.length) break;
      records.push({
        version: this.#bytes[at]!,
        type: this.#bytes[at + 1]!,
        id: this.#bytes.readUInt16BE(at + 2),
        content: this.#bytes.subarray(at + 8, at + 8 + length),
      });
      at = next;
    }
    return records;
  }

  /** What came on STDOUT for a request. */
  stdout(id = 1): string {
    return this.#stream(6, id);
  }
  stderr(id = 1): string {
    return this.#stream(7, id);
  }
  #stream(type: number, id: number): string {
    const contents = this.records.flatMap((record) =>
      record.type === type && record.id === id ? [record.content] : [],
    );
    return Buffer.concat(contents).toString("latin1");
  }

  /** The END_REQUEST records of a request: appStatus, protocolStatus. */
  ends(id = 1): { appStatus: number; protocolStatus: number }[] {
    return this.records
      .filter((record) => record.type === 3 && record.id === id)
      .map(({ content }) => ({ appStatus: content.readUInt32BE(0), protocolStatus: content[4]! }));
  }

  /** Waits for the `count`th END_REQUEST of `id`. */
  async ended1(id = 1, count = 1): Promise<void> {
    await until(() => this.ends(id).length >= count, `END_REQUEST ${count} of request ${id}`);
  }
  async closes(): Promise<void> {
    await until(() => this.ended || this.closed, "the end of the connection");
  }
}

export interface WireRecord {
  version: number;
  type: number;
  id: number;
  content: Buffer;
}

export const BEGIN = 1;
export const ABORT = 2;
export const PARAMS = 4;
export const STDIN = 5;
export const GET_VALUES = 9;

export function record(type: number, id: number, content: Uint8Array | string = ""): Buffer {
  const bytes = Buffer.from(content);
  const header = Buffer.from([1, type, id >> 8, id & 255, bytes.length >> 8, bytes.length & 255, 0, 0]);
  return Buffer.concat([header, bytes]);
}

export function pairs(variables: Record<string, string>): Buffer {
  const length = (n: number): Buffer =>
    n < 128 ? Buffer.from([n]) : Buffer.from([(n >>> 24) | 128, (n >> 16) & 255, (n >> 8) & 255, n & 255]);
  const pieces: Buffer[] = [];
  for (const [name, value] of Object.entries(variables)) {
    pieces.push(length(name.length), length(value.length), Buffer.from(name + value, "latin1"));
  }
  return Buffer.concat(pieces);
}

const VARIABLES = {
  REQUEST_METHOD: "GET",
  REQUEST_URI: "/",
  SCRIPT_NAME: "",
  PATH_INFO: "/",
  SERVER_PROTOCOL: "HTTP/1.1",
};

export interface RequestForm {
  id?: number;
  role?: number;
  keep?: boolean;
  variables?: Record<string, string>;
}

/** BEGIN_REQUEST and all PARAMS. */
export function head({ id = 1, role = 1, keep = false, variables = {} }: RequestForm = {}): Buffer {
  return Buffer.concat([
    record(BEGIN, id, Buffer.from([0, role, keep ? 1 : 0, 0, 0, 0, 0, 0])),
    record(PARAMS, id, pairs({ ...VARIABLES, ...variables })),
    record(PARAMS, id),
  ]);
}

/** A whole GET. */
export function get(form: RequestForm = {}): Buffer {
  return Buffer.concat([head(form), record(STDIN, form.id ?? 1)]);
}

/** A whole POST, its length told. */
export function post(body: string | Uint8Array, { variables, ...form }: RequestForm = {}): Buffer {
  const told = { REQUEST_METHOD: "POST", CONTENT_LENGTH: String(body.length), ...variables };
  return Buffer.concat([head({ ...form, variables: told }), ...stdin(body, form.id), record(STDIN, form.id ?? 1)]);
}

/** STDIN records without the empty one. */
export function stdin(body: string | Uint8Array, id = 1): Buffer[] {
  const bytes = Buffer.from(body);
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 32_768) records.push(record(STDIN, id, bytes.subarray(at, at + 32_768)));
  return records;
}

/** An SCGI request; `length` is what CONTENT_LENGTH says. */
export function scgi(body = "", length: number = body.length, variables: Record<string, string> = {}): string {
  const all = { CONTENT_LENGTH: String(length), SCGI: "1", ...VARIABLES, ...variables };
  const block = Object.entries(all)
    .map(([name, value]) => `${name}\0${value}\0`)
    .join("");
  return `${block.length}:${block},${body}`;
}
