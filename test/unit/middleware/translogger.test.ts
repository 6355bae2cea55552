import { once } from "node:events";
import { connect } from "node:net";

import { expect, it } from "vitest";

import type { NodeHandler } from "../../../src/app/handler.ts";
import { COMBINED, translogger } from "../../../src/middleware/translogger.ts";
import { call } from "../../support/http-client.ts";
import { listen } from "../../support/node-server.ts";

/** A server, and the line that it writes first. */
async function serve(app: NodeHandler, format: string): Promise<{ url: string; port: number; line: Promise<string> }> {
  let told: (line: string) => void;
  const line = new Promise<string>((resolve) => {
    told = resolve;
  });
  return { ...(await listen(translogger(app, format, (text) => told(text)))), line };
}

const moves: NodeHandler = (request, response) => {
  request.url = "/moved";
  response.end("answered");
};

it.for([
  ["%(REQUEST_URI)s", "/x?y"],
  ["100%% %(status)d %(REQUEST_METHOD)-5s|%(bytes)6s|", "100% 200 GET  |     -|"],
  ["%(bytes)d %(status).2s", "- 20"],
  ['"%(HTTP_REFERER)s" "%(HTTP_USER_AGENT)s"', String.raw`"a\x22 b" "-"`],
] as const)("fills %s as Python does", async ([format, text]) => {
  const { url, line } = await serve(moves, format);
  await call(url, { path: "/x?y", headers: ["Referer", 'a" b'] });
  expect(await line).toBe(text);
});

it("knows whose a request was that was broken off", async () => {
  const { port, line } = await serve(() => {}, COMBINED);
  const client = connect(port, "127.0.0.1");
  await once(client, "connect");
  client.end("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", () => client.destroy());
  expect(await line).toMatch(/^127\.0\.0\.1 - - \[.*\] "GET \/a HTTP\/1\.1" /);
});

it.for(["%(constructor)s", "100%", "%(status)"])("refuses %s", (format) => {
  expect(() => translogger(moves, format, () => {})).toThrow(RangeError);
});
