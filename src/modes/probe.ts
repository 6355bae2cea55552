/**
 * A dispatcher before another one: answers the probes of `propylon doctor` in place of the app, with what has arrived of
 * them. A probe is known by a token that the server's supervisor made shortly before and gave to nobody but whoever may
 * connect to its status socket; any other request, whatever it claims, is the app's. So is what a web server asks an
 * authorizer, since a 200 of ours would let the client in.
 */
import { createHash } from "node:crypto";

import { hintsAllowed } from "../cgi/early-hints.ts";
import { requestLine } from "../cgi/request-head.ts";
import { allVariables, variable } from "../cgi/variables.ts";
import type { Dispatcher, Params, RequestEvent, RequestHead, RequestSink, ResponseSink } from "../exchange.ts";
import type { ProbeReport } from "../report.ts";

/** How long a token is known. Milliseconds. */
export const PROBE_TIME = 60_000;
/** Tokens known at a time; the oldest is forgotten for one more. */
const MAX_TOKENS = 8;
/** Characters of a variable that are told. */
const MAX_VALUE = 1024;
/** Bytes of headers that a probe may ask for. */
const MAX_FILL = 64 * 1024;
/** Between the two parts of an answer in parts. Milliseconds. */
const PAUSE = 600;

/** What is told of a probe: nothing that the web server was configured to keep to itself and the app. */
const TOLD = [
  ...["REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "SCRIPT_NAME", "PATH_INFO", "SERVER_NAME", "SERVER_PORT"],
  ...["SERVER_PROTOCOL", "SERVER_SOFTWARE", "REMOTE_ADDR", "REMOTE_PORT", "REMOTE_USER", "AUTH_TYPE", "HTTPS"],
  ...["CONTENT_LENGTH", "HTTP_HOST", "HTTP_AUTHORIZATION", "HTTP_X_PROPYLON_FILL", "HTTP_X_FORWARDED_FOR"],
  ...["HTTP_X_FORWARDED_PROTO", "HTTP_FORWARDED", "HTTP_COOKIE"],
] as const;

const HEADER = "HTTP_X_PROPYLON_PROBE";
/** How the names of the probe's own cookies begin. */
const COOKIE = "propylon-doctor-";

export class Probes implements Dispatcher {
  readonly #next: Dispatcher;
  readonly #mount: string;
  /** Digests of tokens, so that no comparison tells of one. */
  readonly #expected = new Set<string>();

  constructor(next: Dispatcher, mount: string) {
    this.#next = next;
    this.#mount = mount;
  }

  /** Knows probes by `token` for `PROBE_TIME`. */
  expect(token: string): void {
    const [oldest] = this.#expected;
    if (oldest !== undefined && this.#expected.size >= MAX_TOKENS) this.#expected.delete(oldest);
    const key = digest(token);
    this.#expected.add(key);
    setTimeout(() => this.#expected.delete(key), PROBE_TIME).unref();
  }

  dispatch(head: RequestHead, response: ResponseSink): RequestSink {
    if (this.#expected.size === 0 || head.role !== "responder") return this.#next.dispatch(head, response);
    // The token, then perhaps what the answer is to be like.
    const [token = "", how = ""] = (variable(head.params, HEADER) ?? "").split(" ");
    if (token === "" || !this.#expected.has(digest(token))) return this.#next.dispatch(head, response);
    return new ProbedExchange(head, response, { how, mount: this.#mount, proof: digest(`proof ${token}`) });
  }
}

/** The answer is made when the request is complete. */
class ProbedExchange implements RequestSink {
  readonly #head: RequestHead;
  readonly #response: ResponseSink;
  readonly #asked: { readonly how: string; readonly mount: string; readonly proof: string };
  #body = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(head: RequestHead, response: ResponseSink, asked: { how: string; mount: string; proof: string }) {
    this.#head = head;
    this.#response = response;
    this.#asked = asked;
  }

  send(event: RequestEvent): void {
    switch (event.type) {
      case "body":
      case "data":
        this.#body += event.chunk.length;
        this.#response.send({ type: "credit", bytes: event.chunk.length });
        return;
      case "bodyEnd":
        return this.#answer();
      case "abort":
        clearTimeout(this.#timer);
        return;
      case "dataEnd":
      case "credit":
    }
  }

  #answer(): void {
    const { how } = this.#asked;
    const fill = Math.min(MAX_FILL, Number(/^head=(\d{1,6})$/.exec(how)?.[1] ?? 0));
    if (how === "hints" && hintsAllowed(this.#head.params) !== "none") {
      const block = "Status: 103 Early Hints\r\nlink: </>; rel=propylon-doctor\r\n\r\n";
      this.#response.send({ type: "head", status: 103, block });
    }
    const header = fill === 0 ? "" : `X-Propylon-Fill: ${"x".repeat(fill)}\r\n`;
    const type = "Content-Type: application/json\r\nCache-Control: no-store\r\n";
    this.#response.send({ type: "head", status: 200, block: `Status: 200 OK\r\n${type}${header}\r\n` });
    if (how !== "parts") return this.#end();
    this.#write("\n");
    this.#timer = setTimeout(() => this.#end(), PAUSE);
  }

  #end(): void {
    this.#write(`${JSON.stringify(this.#report())}\n`);
    this.#response.send({ type: "end", appStatus: 0 });
  }

  #write(text: string): void {
    this.#response.send({ type: "body", chunk: Buffer.from(text) });
  }

  #report(): ProbeReport {
    const { params } = this.#head;
    const came = TOLD.flatMap((name) => {
      const value = name === "HTTP_COOKIE" ? ownCookies(params) : variable(params, name);
      return value === undefined ? [] : [[name, value] as const];
    });
    return {
      proof: this.#asked.proof,
      variables: Object.fromEntries(came.map(([name, value]) => [name, value.slice(0, MAX_VALUE)])),
      lengths: Object.fromEntries(came.map(([name, value]) => [name, value.length])),
      target: this.#target(),
      body: this.#body,
    };
  }

  #target(): ProbeReport["target"] {
    try {
      const { baseUrl, originalUrl } = requestLine(this.#head.params, this.#asked.mount);
      return { baseUrl, originalUrl };
    } catch {
      return null;
    }
  }
}

/** As the app would get them, several fields as one; without cookies that the web server may have added. */
function ownCookies(params: Params): string | undefined {
  const { HTTP_COOKIE: all } = allVariables(params);
  const own = all?.split(";").filter((each) => each.includes(COOKIE));
  return own?.join(";");
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
