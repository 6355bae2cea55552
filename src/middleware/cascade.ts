/** Paste's cascade: the first app that does not answer 404. */
import type { ServerResponse } from "node:http";

import type { NodeHandler } from "../app/handler.ts";
import type { MountedRequest } from "./mount-point.ts";

/**
 * Tries `apps` in turn; an answer with a status of `caught` is thrown away and the next app is asked, but for the last
 * one's. An app that has read the request's body leaves nothing of it to the next.
 */
export function cascade(apps: readonly NodeHandler[], caught: ReadonlySet<number> = new Set([404])): NodeHandler {
  const last = apps.length - 1;
  const ask = (i: number): NodeHandler => {
    const app = apps[i]!;
    if (i === last) return app;
    return async (request, response) => {
      const restore = remembered(request);
      const attempt = new Attempt(response, caught);
      try {
        const running = Promise.resolve(app(request, response));
        // An app need not come back once its answer was thrown away.
        if (!(await Promise.race([attempt.rejected, running.then(async () => await attempt.rejected)])))
          return await running;
      } catch (error) {
        // Whoever reports that is no part of the app.
        attempt.abandon();
        throw error;
      }
      restore();
      return await ask(i + 1)(request, response);
    };
  };
  return ask(0);
}

/** What an app may move of a request, as it is now: another app shall see it so. */
function remembered(request: MountedRequest): () => void {
  const { url, baseUrl, originalUrl, cgi } = request;
  return () => void Object.assign(request, { url, baseUrl, originalUrl, cgi });
}

type Method = (...args: unknown[]) => unknown;

/** The methods that show the status, each with what it does for an answer that nobody gets. */
const SWALLOWED: Readonly<Record<string, (response: ServerResponse, args: readonly unknown[]) => unknown>> = {
  writeHead: (response) => response,
  flushHeaders: () => {},
  write: (_response, args) => {
    callBack(args);
    return true;
  },
  end: (response, args) => {
    callBack(args);
    return response;
  },
};

/** Watches over the answer of one app. The first call that shows the status decides whether it goes on to the client. */
class Attempt {
  /** True when the answer is complete and was thrown away, false once it is the client's. */
  readonly rejected: Promise<boolean>;
  readonly #resolve: (isRejected: boolean) => void;
  readonly #response: ServerResponse;
  readonly #caught: ReadonlySet<number>;
  /** How the response was before. */
  readonly #before: Pick<ServerResponse, "statusCode" | "statusMessage"> & {
    readonly headers: ReturnType<ServerResponse["getHeaders"]>;
    readonly methods: ReadonlyMap<string, PropertyDescriptor>;
  };
  readonly #hooks = new Map<string, Method>();
  #state: "open" | "dropping" | "passed" | "rejected" = "open";

  constructor(response: ServerResponse, caught: ReadonlySet<number>) {
    const { promise, resolve } = withResolvers();
    this.rejected = promise;
    this.#resolve = resolve;
    this.#response = response;
    this.#caught = caught;
    const { statusCode, statusMessage } = response;
    this.#before = { statusCode, statusMessage, headers: response.getHeaders(), methods: ownMethods(response) };
    for (const name of Object.keys(SWALLOWED)) this.#hook(name);
    response.once("close", this.#pass);
  }

  /** The app is gone without an answer of its own; what follows is for the client. */
  abandon(): void {
    if (this.#state === "passed" || this.#state === "rejected") return;
    this.#reject();
  }

  #hook(name: string): void {
    const response = this.#response;
    const original = (response as unknown as Record<string, Method>)[name]!;
    const hook: Method = (...args) => {
      if (this.#state === "open") {
        const status = name === "writeHead" ? Number(args[0]) : response.statusCode;
        if (this.#caught.has(status)) this.#state = "dropping";
        else this.#pass();
      }
      if (this.#state === "passed") return Reflect.apply(original, response, args);
      const result = SWALLOWED[name]!(response, args);
      if (name === "end" && this.#state === "dropping") this.#reject();
      return result;
    };
    this.#hooks.set(name, hook);
    Object.defineProperty(response, name, { value: hook, configurable: true, writable: true });
  }

  /** What the app has put over a hook stays, and finds the way through it. */
  readonly #pass = (): void => {
    this.#state = "passed";
    const now = ownMethods(this.#response);
    for (const [name, hook] of this.#hooks) if (now.get(name)?.value === hook) this.#restore(name);
    this.#end(false);
  };

  /** Nothing of the app stays: neither its headers nor the methods that its filters have put over those of the response. */
  #reject(): void {
    this.#state = "rejected";
    const response = this.#response;
    const { headers, statusCode, statusMessage } = this.#before;
    for (const name of ownMethods(response).keys()) this.#restore(name);
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
    Object.assign(response, { statusCode, statusMessage });
    this.#end(true);
  }

  #restore(name: string): void {
    const before = this.#before.methods.get(name);
    if (before === undefined) Reflect.deleteProperty(this.#response, name);
    else Object.defineProperty(this.#response, name, before);
  }

  #end(isRejected: boolean): void {
    this.#response.off("close", this.#pass);
    this.#resolve(isRejected);
  }
}

function ownMethods(response: ServerResponse): Map<string, PropertyDescriptor> {
  const all = Object.entries(Object.getOwnPropertyDescriptors(response));
  return new Map(all.filter(([, { value }]) => typeof value === "function"));
}

function withResolvers(): { readonly promise: Promise<boolean>; readonly resolve: (value: boolean) => void } {
  let resolve!: (value: boolean) => void;
  const promise = new Promise<boolean>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

function callBack(args: readonly unknown[]): void {
  const last = args.at(-1);
  if (typeof last === "function") process.nextTick(last);
}
