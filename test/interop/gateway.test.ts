import { once } from "node:events";
import type { AddressInfo } from "node:net";

import { afterEach, describe, expect, it, onTestFinished } from "vitest";

import { ajpRequest } from "../../src/client/ajp-request.ts";
import { FastCgiClient } from "../../src/client/fastcgi-client.ts";
import { fastCgiRequest } from "../../src/client/fastcgi-request.ts";
import { fastCgiValues } from "../../src/client/fastcgi-values.ts";
import { scgiRequest } from "../../src/client/scgi-request.ts";
import type { Dispatcher, RequestEvent, ResponseSink } from "../../src/exchange.ts";
import { createFront } from "../../src/front/front.ts";
import { Gateway, type GatewaySetup } from "../../src/gateway/server.ts";

/** Sends back what it gets, as it gets it. */
const echo: Dispatcher = {
  dispatch(_head, response: ResponseSink) {
    response.send({ type: "head", status: 200, block: "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n" });
    let waiting = 0;
    return {
      send(event: RequestEvent): void {
        if (event.type === "body") {
          waiting += event.chunk.length;
          response.send({ type: "body", chunk: event.chunk });
        } else if (event.type === "credit") {
          waiting -= event.bytes;
          response.send({ type: "credit", bytes: event.bytes });
        } else if (event.type === "bodyEnd") {
          response.send({ type: "end", appStatus: waiting < 0 ? 1 : 0 });
        }
      },
    };
  },
};

const gateways: Gateway[] = [];

afterEach(async () => {
  for (const gateway of gateways.splice(0)) {
    gateway.closeAllConnections();
    await new Promise<void>((resolve) => void gateway.close(() => resolve()));
  }
});

async function serve(setup: Omit<GatewaySetup, "dispatcher">): Promise<{ port: number; gateway: Gateway }> {
  const gateway = new Gateway({ dispatcher: echo, ...setup });
  gateways.push(gateway);
  gateway.listen({ port: 0 });
  await once(gateway, "listening");
  return { port: (gateway.address() as AddressInfo).port, gateway };
}

async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

const params = (length: number): [string, string][] => [
  ["CONTENT_LENGTH", String(length)],
  ["REQUEST_METHOD", "POST"],
  ["REQUEST_URI", "/"],
];

describe("our clients and our gateway", () => {
  const body = Buffer.alloc(3_000_000, "abcdefg");

  it("understand each other over FastCGI", async () => {
    const target = await serve({ protocol: "fastcgi" });
    const answer = await fastCgiRequest(target, { params: params(body.length), body });
    expect(answer.status).toBe(200);
    expect(await text(answer.body)).toBe(body.toString());
    expect(await answer.ended).toMatchObject({ appStatus: 0, protocolStatus: 0 });
  });

  it("understand each other over SCGI", async () => {
    const target = await serve({ protocol: "scgi" });
    const answer = await scgiRequest(target, { params: params(body.length), body });
    expect(answer.status).toBe(200);
    expect(await text(answer.body)).toBe(body.toString());
  });

  it("understand each other over AJP, with a length and without", async () => {
    const target = await serve({ protocol: "ajp", options: { secret: "s3cret" } });
    for (const told of [params(body.length), params(0).slice(1)]) {
      const answer = await ajpRequest(target, { params: told, body, secret: "s3cret" });
      expect(answer.status).toBe(200);
      expect((await text(answer.body)) === body.toString()).toBe(true);
    }
    const stranger = await ajpRequest(target, { params: params(2), body: Buffer.from("hi") });
    expect(stranger.status).toBe(403);
  });

  it("meet behind the front over AJP, uploads of unknown length among them", async () => {
    const front = createFront({ target: await serve({ protocol: "ajp" }), protocol: "ajp" }).listen(0, "127.0.0.1");
    onTestFinished(() => void front.close());
    await once(front, "listening");
    const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}/`;
    const init = { method: "POST", body: new Blob([body]).stream(), duplex: "half" } as RequestInit;
    for (const each of [{ method: "POST", body }, init]) {
      expect((await (await fetch(url, each)).text()) === body.toString()).toBe(true);
    }
  });

  it("keep their connections", async () => {
    const { port, gateway } = await serve({ protocol: "fastcgi" });
    const client = new FastCgiClient({ port });
    for (let i = 0; i < 10; i++) {
      const answer = await client.request({ params: params(2), body: Buffer.from("hi") });
      expect(await text(answer.body)).toBe("hi");
      await answer.ended;
    }
    client.close();
    expect(gateway.counters).toMatchObject({ accepted: 1, requests: 10, aborted: 0, badRecords: 0 });
  });

  it("agree on what a gateway can do", async () => {
    const { port } = await serve({ protocol: "fastcgi", options: { multiplexed: true, maxConnections: 10 } });
    const values = await fastCgiValues({ port }, ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"]);
    expect([...values]).toEqual([
      ["FCGI_MAX_CONNS", "10"],
      ["FCGI_MAX_REQS", "320"],
      ["FCGI_MPXS_CONNS", "1"],
    ]);
  });
});
