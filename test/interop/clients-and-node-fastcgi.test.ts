import { once } from "node:events";
import { createRequire } from "node:module";
import { request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { FastCgiClient } from "../../src/client/fastcgi-client.ts";
import { fastCgiRequest } from "../../src/client/fastcgi-request.ts";
import { fastCgiValues } from "../../src/client/fastcgi-values.ts";
import { createFront } from "../../src/front/front.ts";

const nodeFastCgi = createRequire(import.meta.url)("node-fastcgi") as {
  createServer(responder: RequestListener): Server;
};

/** A foreign responder that says what it has understood. */
async function echo(): Promise<{ port: number }> {
  const server = nodeFastCgi.createServer((request, response) => {
    let length = 0;
    request.on("data", (chunk: Buffer) => (length += chunk.length));
    request.on("end", () => {
      response.writeHead(203, { "Content-Type": "text/plain", "X-Method": request.method ?? "" });
      response.end(`${request.url} ${request.headers["x-long"]?.length} ${length}`);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port };
}

const params: [string, string][] = [
  ["REQUEST_METHOD", "POST"],
  ["REQUEST_URI", "/a?b=c"],
  ["SERVER_PROTOCOL", "HTTP/1.1"],
  ["HTTP_X_LONG", "x".repeat(2000)],
];

describe("our clients and node-fastcgi", () => {
  it("understand each other: variables short and long, a body of many records, head and answer", async () => {
    const answer = await fastCgiRequest(await echo(), { params, body: Buffer.alloc(300_000, "b") });
    expect(answer.status).toBe(203);
    expect(answer.headers).toContainEqual(["X-Method", "POST"]);
    expect(await text(answer.body)).toBe("/a?b=c 2000 300000");
    expect(await answer.ended).toEqual({ appStatus: 0, protocolStatus: 0 });
  });

  it("go on when it closes a connection that was to be kept", async () => {
    const client = new FastCgiClient(await echo());
    onTestFinished(() => client.close());
    const get: [string, string][] = [["REQUEST_METHOD", "GET"], ...params.slice(1)];
    for (let i = 0; i < 3; i += 1) {
      expect(await text((await client.request({ params: get })).body)).toBe("/a?b=c 2000 0");
    }
  });

  it("agree on FCGI_GET_VALUES", async () => {
    const values = await fastCgiValues(await echo(), ["FCGI_MAX_CONNS", "FCGI_MPXS_CONNS"]);
    expect([...values.keys()].sort()).toEqual(["FCGI_MAX_CONNS", "FCGI_MPXS_CONNS"]);
  });

  it("meet behind the front", async () => {
    const front = createFront({ target: await echo() }).listen(0, "127.0.0.1");
    onTestFinished(() => void front.close());
    await once(front, "listening");
    const { port } = front.address() as AddressInfo;
    const request = httpRequest({ port, path: "/x?y", method: "PUT", agent: false, headers: { "X-Long": "12345" } });
    request.end("body");
    const [response] = (await once(request, "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(203);
    expect(await text(response)).toBe("/x?y 5 4");
  });
});
