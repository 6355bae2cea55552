/** Paste's cascade: the first app that does not answer 404. */
import type { ServerResponse } from "node:http";

import type { NodeHandler } from "../app/handler.ts";

const HOOKED = ["writeHead", "write", "end", "flushHeaders"] as const;

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
      const rejected = rejectedAnswer(response, caught);
      const running = Promise.resolve(app(request, response));
      // An app need not come back once it has answered, and one that was thrown out of says nothing of the next.
      const isRejected = await Promise.race([
        rejected,
        running.then(
          () => rejected,
          (error: unknown) => Promise.reject(error),
        ),
      ]);
      if (isRejected) await ask(i + 1)(request, response);
    };
  };
  return ask(0);
}

/**
 * Watches over the answer of an app. Resolves with true when it is complete and was thrown away; the response is then as
 * it was before. False once it is another's affair.
 */
async function rejectedAnswer(response: ServerResponse, caught: ReadonlySet<number>): Promise<boolean> {
  const own = HOOKED.map((name) => Object.getOwnPropertyDescriptor(response, name));
  const before = { headers: response.getHeaders(), statusCode: response.statusCode };
  return await new Promise((resolve) => {
    let dropped = false;
    const release = (isRejected: boolean): void => {
      for (const [i, name] of HOOKED.entries()) {
        delete (response as Partial<ServerResponse>)[name];
        if (own[i] !== undefined) Object.defineProperty(response, name, own[i]);
      }
      response.off("close", closed);
      if (isRejected) {
        for (const name of response.getHeaderNames()) response.removeHeader(name);
        for (const [name, value] of Object.entries(before.headers))
          if (value !== undefined) response.setHeader(name, value);
        response.statusCode = before.statusCode;
        response.statusMessage = undefined as never;
      }
      resolve(isRejected);
    };
    const closed = (): void => release(false);
    response.once("close", closed);
    /** The first call that shows the status decides; the call is made again where it is let through. */
    const hook = (name: (typeof HOOKED)[number], call: (...args: unknown[]) => unknown): void => {
      const decide = (...args: unknown[]): unknown => {
        const status = name === "writeHead" ? Number(args[0]) : response.statusCode;
        if (!dropped && !caught.has(status)) {
          release(false);
          return (response[name] as (...args: unknown[]) => unknown)(...args);
        }
        dropped = true;
        return call(...args);
      };
      Object.defineProperty(response, name, { value: decide, configurable: true, writable: true });
    };
    hook("writeHead", () => response);
    hook("flushHeaders", () => {});
    hook("write", (...args) => {
      callBack(args);
      return true;
    });
    hook("end", (...args) => {
      callBack(args);
      release(true);
      return response;
    });
  });
}

function callBack(args: readonly unknown[]): void {
  const last = args.at(-1);
  if (typeof last === "function") process.nextTick(last);
}
