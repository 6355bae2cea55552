import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import type { NodeHandler } from "../../../src/app/handler.ts";
import { cascade } from "../../../src/middleware/cascade.ts";
import type { MountedRequest } from "../../../src/middleware/mount-point.ts";
import { urlmap } from "../../../src/middleware/urlmap.ts";
import { gzip } from "../../../src/middleware/wrappers.ts";
import { listen } from "../../support/node-server.ts";

const last: NodeHandler = ({ url, baseUrl, originalUrl }: MountedRequest, response) =>
  void response.end(JSON.stringify([url, baseUrl, originalUrl]));
const missing: NodeHandler = (_request, response) => void response.writeHead(404).end("missing");
const packed = { headers: { "accept-encoding": "gzip" } };

async function get(handler: NodeHandler, path = "/x", init: RequestInit = {}): Promise<Response> {
  const { url } = await listen(handler);
  return await fetch(url + path, init);
}

describe("cascade()", () => {
  it("shows the next app the URL that the first one was shown", async () => {
    const told = await get(cascade([urlmap([[{ segments: ["a"] }, missing]]), last]), "/a/x?y");
    expect(await told.json()).toEqual(["/a/x?y", null, null]);
  });

  it("leaves the answer to whoever reports that an app has thrown", async () => {
    const throws: NodeHandler = (_request, response) => {
      response.writeHead(404, { "x-from": "first" });
      response.write("x");
      throw new Error("thrown");
    };
    const told = await get(cascade([throws, last]));
    expect([told.status, told.headers.get("x-from"), await told.text()]).toEqual([500, null, "Error: thrown"]);
  });

  it("does not take the report of what an app has thrown for its answer", async () => {
    const throws: NodeHandler = async () => await Promise.reject(new Error("thrown"));
    const told = await get(cascade([throws, last], new Set([500])));
    expect([told.status, await told.text()]).toEqual([500, "Error: thrown"]);
  });

  it("tells of what an app throws while it answers", async () => {
    const throws: NodeHandler = async (_request, response) => {
      response.write("begun");
      await nextTurn();
      throw new Error("thrown late");
    };
    const told = get(cascade([throws, last])).then(async (answer) => await answer.text());
    await expect(told).rejects.toThrow("terminated");
  });

  it("keeps what an app's own filters have put round its answer", async () => {
    const app: NodeHandler = (_request, response) => {
      response.setHeader("content-type", "text/plain");
      for (const letter of "abc") response.write(letter.repeat(3000));
      response.end();
    };
    const told = await get(cascade([await gzip(app, { level: 6 }), last]), "/", packed);
    expect(told.headers.get("content-encoding")).toBe("gzip");
    expect(await told.text()).toBe("a".repeat(3000) + "b".repeat(3000) + "c".repeat(3000));
  });

  it("leaves nothing of the filters of an app whose answer was thrown away", async () => {
    const lost: NodeHandler = (_request, response) => {
      response.statusCode = 404;
      response.setHeader("content-type", "text/plain").write("a".repeat(3000));
      response.end();
    };
    const large: NodeHandler = async (_request, response) => {
      for (let i = 0; i < 40; i++) if (!response.write("z".repeat(100_000))) await once(response, "drain");
      response.end();
    };
    const told = await get(cascade([await gzip(lost, { level: 6 }), large]), "/", packed);
    expect([told.status, told.headers.get("content-encoding"), told.headers.get("vary")]).toEqual([200, null, null]);
    expect((await told.text()).length).toBe(4_000_000);
  });
});
