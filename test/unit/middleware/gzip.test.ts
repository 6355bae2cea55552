import { expect, it } from "vitest";

import type { NodeHandler } from "../../../src/app/handler.ts";
import { gzip } from "../../../src/middleware/wrappers.ts";
import { listen } from "../../support/node-server.ts";

async function get(app: NodeHandler, init: RequestInit = {}): Promise<Response> {
  const { url } = await listen(await gzip(app, { level: 6 }));
  return await fetch(url, { ...init, headers: { "accept-encoding": "gzip" } });
}

const TEXT = "text ".repeat(1000);

it("sends events as they come", async () => {
  const told = await get((_request, response) => {
    response.setHeader("content-type", "text/event-stream; charset=utf-8").write("data: 1\n\n");
  });
  const { value } = await told.body!.getReader().read();
  expect(Buffer.from(value).toString()).toBe("data: 1\n\n");
});

it("leaves a range of bytes alone", async () => {
  const told = await get((_request, response) => {
    const headers = { "content-type": "text/plain", "content-range": "bytes 0-4999/9999" };
    response.writeHead(206, headers).end(TEXT);
  });
  expect([told.headers.get("content-encoding"), await told.text()]).toEqual([null, TEXT]);
});

it.for([
  ["HEAD", 200],
  ["GET", 304],
] as const)("adds nothing to what has no body: %s, %i", async ([method, status]) => {
  const told = await get(
    (_request, response) => {
      response.writeHead(status, { "content-type": "text/plain" }).end(status === 304 ? undefined : TEXT);
    },
    { method },
  );
  expect([told.status, await told.text()]).toEqual([status, ""]);
});
