import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";

import { ajpRequest } from "../../../src/client/ajp-request.ts";
import * as ajp from "../../support/ajp-packets.ts";

const { answer, int, string } = ajp;
const HEAD = answer(
  4,
  int(201),
  string("Created"),
  int(2),
  int(0xa001),
  string("text/plain"),
  string("X-A"),
  string("b"),
);
const MADE = answer(3, int(4), Buffer.from("made\0"));
const ask = (length: number): Buffer => answer(6, int(length));
const END = answer(5, 1);

/** Calls `reply` with each connection and what it has sent so far. */
async function container(reply: (received: Buffer, socket: Socket) => void): Promise<{ port: number }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    let received: Buffer = Buffer.alloc(0);
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => reply((received = Buffer.concat([received, chunk])), socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port };
}

async function* pieces(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

const PARAMS: [string, string][] = [
  ...([
    ["QUERY_STRING", "x=1"],
    ["REQUEST_URI", "/a%20b?x=1"],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", "/a b"],
    ["SERVER_PROTOCOL", "HTTP/1.1"],
    ["SERVER_PORT", "80"],
    ["SERVER_NAME", "www.example.test"],
    ["REMOTE_ADDR", "203.0.113.7"],
    ["REMOTE_PORT", "52814"],
    ["REMOTE_USER", "alice"],
    ["HTTP_HOST", "www.example.test"],
    ["HTTP_X_FOO", "bar"],
    ["eppn", "alice@example.test"],
  ] as [string, string][]),
];

describe("an AJP request", () => {
  it("sends of CGI's variables what mod_proxy_ajp would, and reads the answer to its end", async () => {
    let seen: Buffer = Buffer.alloc(0);
    const target = await container((received, socket) => {
      seen = received;
      socket.write(Buffer.concat([HEAD, answer(3, int(0), 0), MADE, END]));
    });
    const found = await ajpRequest(target, { params: [["REQUEST_METHOD", "GET"], ...PARAMS], secret: "s3cret" });
    expect(found).toMatchObject({
      ...{ status: 201, reason: "Created", stderr: "" },
      headers: [
        ["Content-Type", "text/plain"],
        ["X-A", "b"],
      ],
    });
    expect(await text(found.body)).toBe("made");
    expect(await found.ended).toEqual({ appStatus: 0, protocolStatus: 0 });
    expect(seen).toEqual(
      ajp.forward({
        uri: "/a%20b",
        headers: [
          [11, "www.example.test"],
          ["x-foo", "bar"],
        ],
        attributes: [
          ...[ajp.attribute(5, "x=1"), ajp.attribute(3, "alice"), ajp.reqAttribute("AJP_REMOTE_PORT", "52814")],
          ...[ajp.reqAttribute("eppn", "alice@example.test"), ajp.attribute(12, "s3cret")],
        ],
      }),
    );
  });

  it("sends the begin of a body unasked, and more as it is asked for", async () => {
    let seen: Buffer = Buffer.alloc(0);
    const asked: number[] = [];
    const target = await container((received, socket) => {
      seen = received;
      const sent = received.length;
      if (asked.length === 0) socket.write(ask((asked[0] = 3)));
      else if (asked.length === 1) socket.write(ask((asked[1] = 9000)));
      else if (received.subarray(-1).toString() === "z" && sent > 9000) socket.write(Buffer.concat([HEAD, END]));
    });
    const body = Buffer.concat([
      Buffer.alloc(8186, "a"),
      Buffer.from("bcd"),
      Buffer.alloc(5000, "e"),
      Buffer.from("z"),
    ]);
    const params: [string, string][] = [["REQUEST_METHOD", "POST"], ["CONTENT_LENGTH", String(body.length)], ...PARAMS];
    const found = await ajpRequest(target, { params, body });
    await found.ended;
    const packets = [body.subarray(0, 8186), body.subarray(8186, 8189), body.subarray(8189)];
    expect(seen.subarray(-(body.length + 18))).toEqual(Buffer.concat(packets.map(ajp.body)));
  });

  it("sends nothing unasked of a body whose length it does not know, and an empty packet at its end", async () => {
    const seen: Buffer[] = [];
    const target = await container((received, socket) => {
      seen.push(received);
      socket.write(seen.length < 4 ? ask(8186) : Buffer.concat([HEAD, END]));
    });
    const found = await ajpRequest(target, { params: [["REQUEST_METHOD", "POST"]], body: pieces("one", "two") });
    await found.ended;
    const [head, ...more] = seen;
    expect(head!.includes("Transfer-Encoding")).toBe(true);
    const packets = ["one", "two", ""].map(ajp.body);
    expect(more).toEqual(packets.map((_, i) => Buffer.concat([head!, ...packets.slice(0, i + 1)])));
  });

  it("ends with an early answer, however much of its body nobody asked for", async () => {
    const target = await container((_, socket) => socket.write(Buffer.concat([HEAD, MADE, END])));
    const found = await ajpRequest(target, { params: PARAMS, body: Buffer.alloc(100_000) });
    expect(await text(found.body)).toBe("made");
  });

  it("fails when the answer has no head, breaks off, or is none; and for a body of another length", async () => {
    const headless = await container((_, socket) => socket.write(END));
    await expect(ajpRequest(headless, { params: [] })).rejects.toMatchObject({ code: "CGI_BAD_RESPONSE" });
    const cut = await container((_, socket) => socket.end(Buffer.concat([HEAD, MADE])));
    const found = await ajpRequest(cut, { params: [] });
    await expect(text(found.body)).rejects.toMatchObject({ code: "AJP_TRUNCATED" });
    const http = await container((_, socket) => socket.end("HTTP/1.1 400 Bad Request"));
    await expect(ajpRequest(http, { params: [] })).rejects.toMatchObject({ code: "AJP_BAD_MAGIC" });
    const silent = await container(() => {});
    const wrong = { code: "AJP_BAD_CONTENT_LENGTH" };
    const params: [string, string][] = [["CONTENT_LENGTH", "3"]];
    await expect(ajpRequest(silent, { params, body: pieces("four") })).rejects.toMatchObject(wrong);
    await expect(ajpRequest(silent, { params, body: pieces("2x") })).rejects.toMatchObject(wrong);
  });
});
