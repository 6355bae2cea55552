/** Runs one exchange on an app host without a gateway: what the app sends is recorded, credit is given by hand. */
import type { NodeHandler } from "../../src/app/handler.ts";
import { AppHost, type AppHostOptions } from "../../src/app/host.ts";
import type { Params, RequestEvent, RequestHead, RequestSink, ResponseEvent, Role } from "../../src/exchange.ts";
import { silentLogger } from "../../src/log.ts";
import { paramsOf } from "./params.ts";

type Variables = Record<string, string> | readonly (readonly [string, string])[];

function makeParams(variables: Variables): Params {
  return paramsOf(Array.isArray(variables) ? (variables as [string, string][]) : Object.entries(variables));
}

export const GET: Record<string, string> = {
  REQUEST_METHOD: "GET",
  REQUEST_URI: "/hello?x=1",
  SCRIPT_NAME: "",
  PATH_INFO: "/hello",
  QUERY_STRING: "x=1",
  SERVER_PROTOCOL: "HTTP/1.1",
  SERVER_NAME: "www.example.test",
  SERVER_PORT: "443",
  SERVER_ADDR: "10.0.0.1",
  REMOTE_ADDR: "192.0.2.7",
  REMOTE_PORT: "40000",
  HTTPS: "on",
  HTTP_HOST: "www.example.test",
};

export const POST: Record<string, string> = {
  ...GET,
  REQUEST_METHOD: "POST",
  CONTENT_TYPE: "text/plain",
  CONTENT_LENGTH: "5",
};

export class Hosted {
  readonly events: ResponseEvent[] = [];
  readonly logged: string[] = [];
  #sink: RequestSink | null = null;
  /** Credit comes back at once, as it does from a gateway whose web server keeps up. */
  autoCredit = true;
  #uncredited = 0;

  static run(
    handler: NodeHandler,
    variables: Variables = GET,
    options: Partial<AppHostOptions> & { role?: Role } = {},
  ): Hosted {
    const hosted = new Hosted();
    hosted.start(handler, variables, options);
    return hosted;
  }

  start(
    handler: NodeHandler,
    variables: Variables = GET,
    options: Partial<AppHostOptions> & { role?: Role } = {},
  ): void {
    const { role = "responder", ...rest } = options;
    const push = (line: string): void => void this.logged.push(line);
    const host = new AppHost({
      app: { kind: "node", handler },
      mount: "auto",
      debug: false,
      captureConsole: false,
      conflictingHeaders: "merge",
      maxResponseHeader: 65536,
      earlyHints: false,
      log: { ...silentLogger, error: push, warn: push, info: push },
      ...rest,
    });
    const head: RequestHead = {
      id: "request-1",
      protocol: "fastcgi",
      role,
      params: makeParams(variables),
      multiplexed: false,
    };
    this.#sink = host.dispatch(head, { send: (event) => this.#take(event) });
    this.creditAll();
  }

  send(event: RequestEvent): void {
    this.#sink!.send(event);
  }
  body(text: string): void {
    this.send({ type: "body", chunk: Buffer.from(text) });
  }
  end(): void {
    this.send({ type: "bodyEnd" });
  }
  creditAll(): void {
    if (!this.autoCredit || this.#uncredited === 0 || this.#sink === null) return;
    this.credit();
  }
  credit(): void {
    const bytes = this.#uncredited;
    this.#uncredited = 0;
    this.send({ type: "credit", bytes });
  }

  get types(): string[] {
    return this.events.map((event) => event.type);
  }
  get headText(): string {
    const head = this.events.find((event) => event.type === "head");
    return head?.type === "head" ? head.block : "";
  }
  get status(): number {
    const head = this.events.find((event) => event.type === "head");
    return head?.type === "head" ? head.status : 0;
  }
  get bodyText(): string {
    return this.#text("body");
  }
  get stderrText(): string {
    return this.#text("stderr");
  }
  get creditGiven(): number {
    return this.events.reduce((sum, event) => (event.type === "credit" ? sum + event.bytes : sum), 0);
  }

  async until(condition: () => boolean, what = "the condition"): Promise<void> {
    for (let i = 0; i < 500; i++) {
      if (condition()) return;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error(`${what} did not come about; events: ${this.types.join(" ")}`);
  }
  async ended(): Promise<void> {
    await this.until(() => this.types.includes("end") || this.types.includes("fail"), "the end of the answer");
  }

  #text(type: "body" | "stderr"): string {
    return Buffer.concat(this.events.flatMap((event) => (event.type === type ? [event.chunk] : []))).toString();
  }

  #take(event: ResponseEvent): void {
    this.events.push(event);
    if (event.type !== "body") return;
    this.#uncredited += event.chunk.length;
    if (this.autoCredit) queueMicrotask(() => this.creditAll());
  }
}
