import { once } from "node:events";
import { buffer, text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, describe, it } from "vitest";
import { Exchange } from "../../../src/client/exchange.ts";
import { FastCgiFraming } from "../../../src/client/fastcgi-framing.ts";
import { connect } from "../../../src/client/target.ts";
import { fastCgiRequest } from "../../../src/client/fastcgi-request.ts";
import { answer, decodePairs, isRequestEnd, rawResponder, record } from "./raw-responder.ts";

const GET: [string, string][] = [
  ["REQUEST_METHOD", "GET"],
  ["SCRIPT_NAME", ""],
  ["HTTP_COOKIE", "c".repeat(300)],
];

describe("a FastCGI request", () => {
  it("sends its variables and body, ended by empty records, and reads head, body, stderr and ending", async () => {
    const { port, connections } = await rawResponder((record, { socket }) => {
      if (!isRequestEnd(record)) return;
      socket.write(
        answer("Status: 404 Not Here\r\nContent-Type: text/plain\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nnothing", {
          appStatus: 258,
          stderr: "mind the gap\n",
        }),
      );
    });
    const response = await fastCgiRequest({ port }, { params: GET, body: Buffer.from("a=1") });
    expect(response.status).toBe(404);
    expect(response.reason).toBe("Not Here");
    expect(response.headers).toEqual([
      ["Content-Type", "text/plain"],
      ["Set-Cookie", "a"],
      ["Set-Cookie", "b"],
    ]);
    expect(await text(response.body)).toBe("nothing");
    expect(await response.ended).toEqual({ appStatus: 258, protocolStatus: 0 });
    expect(response.stderr).toBe("mind the gap\n");

    const { records, stream } = {
      records: connections[0]!.records,
      stream: connections[0]!.stream.bind(connections[0]),
    };
    expect(records[0]).toMatchObject({ type: 1, id: 1 });
    expect([...records[0]!.content]).toEqual([0, 1, 0, 0, 0, 0, 0, 0]);
    expect(decodePairs(stream(4))).toEqual(GET);
    expect(stream(5).toString()).toBe("a=1");
    expect(records.filter(({ content }) => content.length === 0).map(({ type }) => type)).toEqual([4, 5]);
  });

  it("says its role and FCGI_KEEP_CONN, and sends the filter's file after the body", async () => {
    const { port, connections } = await rawResponder((record, { socket }) => {
      if (record.type === 8 && record.content.length === 0) socket.write(answer("Status: 200 OK\r\n\r\n"));
    });
    const response = await fastCgiRequest(
      { port },
      { params: GET, role: 3, keepConn: true, body: Buffer.from("body"), data: Buffer.from("file") },
    );
    expect(await text(response.body)).toBe("");
    expect([...connections[0]!.records[0]!.content]).toEqual([0, 3, 1, 0, 0, 0, 0, 0]);
    expect(connections[0]!.stream(8).toString()).toBe("file");
    expect(connections[0]!.records.findIndex(isRequestEnd)).toBeLessThan(
      connections[0]!.records.findIndex(({ type }) => type === 8),
    );
  });

  it("gives the first bytes of an answer before the last are there", async () => {
    const { port, connections } = await rawResponder((seen, { socket }) => {
      if (isRequestEnd(seen)) socket.write(record(6, 1, "Content-Type: text/event-stream\r\n\r\ndata: 1\n\n"));
    });
    const response = await fastCgiRequest({ port }, { params: GET });
    expect(response.status).toBe(200);
    const [first] = (await once(response.body, "data")) as [Buffer];
    expect(first.toString()).toBe("data: 1\n\n");
    const rest = once(response.body, "end");
    connections[0]!.socket.write(answer("data: 2\n\n"));
    await rest;
  });

  it("takes the body no faster than the responder reads", async () => {
    const { port, connections } = await rawResponder((record, { socket }) => {
      if (record.type === 1) socket.pause();
      if (isRequestEnd(record)) socket.write(answer("Status: 200 OK\r\n\r\n"));
    });
    const piece = Buffer.alloc(64 * 1024, "x");
    let taken = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      while (taken < 512) {
        taken += 1;
        yield piece;
      }
    }
    const pending = fastCgiRequest({ port }, { params: GET, body: endless() });
    await expect.poll(() => connections[0]?.socket.isPaused()).toBe(true);
    await sleep(100);
    const held = taken;
    expect(held).toBeLessThan(400);
    connections[0]!.socket.resume();
    await text((await pending).body);
    expect(taken).toBe(512);
    expect(connections[0]!.stream(5).length).toBe(512 * piece.length);
  });

  it("reads the answer no faster than its body is read", async () => {
    const size = 32 * 1024 * 1024;
    const { port, connections } = await rawResponder((seen, { socket }) => {
      if (!isRequestEnd(seen)) return;
      socket.write(record(6, 1, "Status: 200 OK\r\n\r\n"));
      const piece = record(6, 1, Buffer.alloc(32768));
      for (let sent = 0; sent < size; sent += 32768) socket.write(piece);
      socket.write(answer(""));
    });
    const response = await fastCgiRequest({ port }, { params: GET });
    await sleep(100);
    expect(connections[0]!.socket.writableLength).toBeGreaterThan(size / 4);
    expect((await buffer(response.body)).length).toBe(size);
  });

  it("closes the connection when its signal is aborted, before the answer or in the middle of it", async () => {
    const { port, connections } = await rawResponder((seen, { socket, number }) => {
      if (isRequestEnd(seen) && number === 1) socket.write(record(6, 1, "Status: 200 OK\r\n\r\nhalf"));
    });
    const early = new AbortController();
    const pending = fastCgiRequest({ port }, { params: GET, signal: early.signal });
    await expect.poll(() => connections[0]?.requests).toBe(1);
    early.abort(new Error("enough"));
    await expect(pending).rejects.toThrow("enough");
    await expect.poll(() => connections[0]!.socket.destroyed).toBe(true);

    const late = new AbortController();
    const response = await fastCgiRequest({ port }, { params: GET, signal: late.signal });
    late.abort(new Error("enough"));
    await expect(text(response.body)).rejects.toThrow("enough");
    await expect(response.ended).rejects.toThrow("enough");
    await expect.poll(() => connections[1]!.socket.destroyed).toBe(true);

    await expect(fastCgiRequest({ port }, { params: GET, signal: AbortSignal.abort() })).rejects.toThrow("aborted");
    expect(connections).toHaveLength(2);
  });

  it("closes the connection when the answer's body is destroyed", async () => {
    const { port, connections } = await rawResponder((seen, { socket }) => {
      if (isRequestEnd(seen)) socket.write(record(6, 1, "Status: 200 OK\r\n\r\nhalf"));
    });
    const response = await fastCgiRequest({ port }, { params: GET });
    response.body.destroy();
    await expect.poll(() => connections[0]!.socket.destroyed).toBe(true);
    await expect(response.ended).rejects.toThrow("abandoned");
  });

  it("does not take an answer for complete that breaks off", async () => {
    const { port } = await rawResponder((seen, { socket }) => {
      if (isRequestEnd(seen)) socket.end(record(6, 1, "Status: 200 OK\r\n\r\nhalf"));
    });
    const response = await fastCgiRequest({ port }, { params: GET });
    await expect(text(response.body)).rejects.toMatchObject({ code: "FCGI_TRUNCATED" });
    await expect(response.ended).rejects.toMatchObject({ code: "FCGI_TRUNCATED" });
  });

  it("fails with a code when there is no answer to be had", async () => {
    const replies = [
      answer("", { protocolStatus: 2 }),
      answer("no head here"),
      Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"),
      record(6, 7, "Status: 200 OK\r\n\r\n"),
      Buffer.alloc(0),
    ];
    const { port } = await rawResponder((seen, { socket, number }) => {
      if (isRequestEnd(seen)) socket.end(replies[number]!);
    });
    const ask = (): Promise<unknown> => fastCgiRequest({ port }, { params: GET });
    await expect(ask()).rejects.toThrow("CGI_BAD_RESPONSE: the request was refused with FCGI_OVERLOADED");
    await expect(ask()).rejects.toMatchObject({ code: "CGI_BAD_RESPONSE" });
    await expect(ask()).rejects.toMatchObject({ code: "FCGI_BAD_VERSION" });
    await expect(ask()).rejects.toMatchObject({ code: "FCGI_BAD_RECORD" });
    await expect(ask()).rejects.toMatchObject({ code: "FCGI_TRUNCATED" });
  });

  it("fails at once on a connection that was closed before, and says that it may be sent again", async () => {
    const { port } = await rawResponder((_record, { socket }) => socket.destroy());
    const socket = await connect({ port });
    socket.destroy();
    await once(socket, "close");
    const request = { params: GET };
    const exchange = new Exchange(socket, new FastCgiFraming(request, true), request, true, () => {});
    await expect(exchange.answer).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(exchange.lost).toBe(true);
  });

  it("passes the system's error on when nobody listens", async () => {
    await expect(fastCgiRequest({ path: "/nonexistent/app.sock" }, { params: GET })).rejects.toMatchObject({
      code: "ENOENT",
    });
  });

  it("waits for the head and for a silent body only so long", async () => {
    const { port } = await rawResponder((seen, { socket, number }) => {
      if (isRequestEnd(seen) && number === 1) socket.write(record(6, 1, "Status: 200 OK\r\n\r\nhalf"));
    });
    await expect(fastCgiRequest({ port }, { params: GET, headTimeout: 40 })).rejects.toMatchObject({
      code: "ETIMEDOUT",
    });
    const response = await fastCgiRequest({ port }, { params: GET, bodyTimeout: 40 });
    await expect(text(response.body)).rejects.toMatchObject({ code: "ETIMEDOUT" });
  });

  it("ends an upload that nobody waits for any more", async () => {
    const { port } = await rawResponder((seen, { socket }) => {
      if (seen.type === 5) socket.end(answer("Status: 413 Too Large\r\n\r\n"));
    });
    let returned = false;
    async function* slow(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          yield Buffer.from("x");
          await sleep(5);
        }
      } finally {
        returned = true;
      }
    }
    const response = await fastCgiRequest({ port }, { params: GET, body: slow() });
    expect(response.status).toBe(413);
    await text(response.body);
    await expect.poll(() => returned).toBe(true);
  });

  it("fails with the error of its body", async () => {
    const { port, connections } = await rawResponder(() => {});
    // oxlint-disable-next-line require-yield
    async function* broken(): AsyncGenerator<Uint8Array> {
      await sleep(1);
      throw new Error("no more");
    }
    await expect(fastCgiRequest({ port }, { params: GET, body: broken() })).rejects.toThrow("no more");
    await expect.poll(() => connections[0]!.socket.destroyed).toBe(true);
  });
});
