import { setTimeout as sleep } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import { fetchHandler } from "../../../src/app/fetch.ts";
import { type RequestContext, requestContext } from "../../../src/app/request-context.ts";
import { Hosted } from "../../support/hosted.ts";

describe("requestContext()", () => {
  it("knows the request after waiting, and nothing outside of one", async () => {
    let seen: RequestContext | undefined;
    let request: unknown;
    const hosted = Hosted.run(
      async (req, res) => {
        request = req;
        await sleep(1);
        seen = requestContext();
        res.end();
      },
      undefined,
      { requestContext: true },
    );
    await hosted.ended();
    expect(seen?.id).toBe("request-1");
    expect(seen?.request).toBe(request);
    expect(requestContext()).toBe(undefined);
  });

  it("knows the request of a fetch app, with its console captured too", async () => {
    const handler = fetchHandler(async () => {
      await sleep(1);
      return new Response(requestContext()?.id);
    });
    const hosted = Hosted.run(handler, undefined, { requestContext: true, captureConsole: true });
    await hosted.ended();
    expect(hosted.bodyText).toBe("request-1");
  });

  it("knows nothing unless it is asked for", async () => {
    const hosted = Hosted.run((_req, res) => void res.end(String(requestContext())));
    await hosted.ended();
    expect(hosted.bodyText).toBe("undefined");
  });

  it("has the id of the lines that tell of a failure", async () => {
    const hosted = Hosted.run(() => {
      throw new Error("boom");
    });
    await hosted.ended();
    expect(hosted.logged[0]).toMatch(/^\[request-1\] GET \/hello\?x=1: Error: boom/);
  });
});
