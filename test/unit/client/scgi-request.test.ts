import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { scgiRequest } from "../../../src/client/scgi-request.ts";

/** Calls `reply` with each connection and what it has sent so far. */
async function scgiResponder(reply: (received: string, socket: Socket) => void): Promise<{ port: number }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    let received = "";
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => reply((received += chunk.toString("latin1")), socket));
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

describe("an SCGI request", () => {
  it("sends a netstring with CONTENT_LENGTH first, then the body, and reads to the end of the connection", async () => {
    let seen = "";
    const target = await scgiResponder((received, socket) => {
      seen = received;
      if (received.endsWith("body")) socket.end("Status: 201 Created\r\nX-A: b\r\n\r\nmade");
    });
    const answer = await scgiRequest(target, {
      params: [
        ["REQUEST_METHOD", "POST"],
        ["CONTENT_LENGTH", "4"],
      ],
      body: pieces("bo", "dy"),
    });
    expect(answer).toMatchObject({ status: 201, reason: "Created", headers: [["X-A", "b"]], stderr: "" });
    expect(await text(answer.body)).toBe("made");
    expect(await answer.ended).toEqual({ appStatus: 0, protocolStatus: 0 });
    expect(seen).toBe("44:CONTENT_LENGTH\x004\0SCGI\x001\0REQUEST_METHOD\0POST\0,body");
  });

  it("has the length 0 without a body", async () => {
    let seen = "";
    const target = await scgiResponder((received, socket) => {
      seen = received;
      socket.end("Status: 204 No Content\r\n\r\n");
    });
    const answer = await scgiRequest(target, { params: [] });
    expect(answer.status).toBe(204);
    expect(await text(answer.body)).toBe("");
    expect(seen).toBe("24:CONTENT_LENGTH\x000\0SCGI\x001\0,");
  });

  it("refuses a body of unknown or wrong length", async () => {
    const target = await scgiResponder(() => {});
    await expect(scgiRequest(target, { params: [], body: pieces("x") })).rejects.toThrow(TypeError);
    const params: [string, string][] = [["CONTENT_LENGTH", "3"]];
    const wrong = { code: "SCGI_BAD_CONTENT_LENGTH" };
    await expect(scgiRequest(target, { params, body: pieces("four") })).rejects.toMatchObject(wrong);
    await expect(scgiRequest(target, { params, body: pieces("2x") })).rejects.toMatchObject(wrong);
  });

  it("fails when the connection ends without a head, or is reset in the body", async () => {
    const silent = await scgiResponder((_, socket) => socket.end());
    await expect(scgiRequest(silent, { params: [] })).rejects.toMatchObject({ code: "CGI_BAD_RESPONSE" });
    const reset = await scgiResponder((_, socket) => {
      socket.write("Status: 200 OK\r\n\r\nhalf", () => setTimeout(() => socket.resetAndDestroy(), 20));
    });
    const answer = await scgiRequest(reset, { params: [] });
    await expect(text(answer.body)).rejects.toMatchObject({ code: "ECONNRESET" });
  });
});
