import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { FastCgiClient, type FastCgiClientOptions } from "../../../src/client/fastcgi-client.ts";
import { answer, isRequestEnd, rawResponder, record, type RawConnection, type RawRecord } from "./raw-responder.ts";

const get = { params: [["REQUEST_METHOD", "GET"]] } as const;
const post = { params: [["REQUEST_METHOD", "POST"]], body: Buffer.from("x") } as const;
const OK = answer("Status: 200 OK\r\n\r\nok");

async function start(
  seen: (record: RawRecord, connection: RawConnection) => void,
  options: FastCgiClientOptions = {},
): Promise<{ client: FastCgiClient; connections: RawConnection[] }> {
  const { port, connections } = await rawResponder(seen);
  const client = new FastCgiClient({ port }, options);
  onTestFinished(() => client.close());
  return { client, connections };
}

async function body(client: FastCgiClient, request: Parameters<FastCgiClient["request"]>[0]): Promise<string> {
  return text((await client.request(request)).body);
}

describe("the FastCGI client", () => {
  it("sends one request after the other on the same connection, with FCGI_KEEP_CONN", async () => {
    const { client, connections } = await start((record, { socket }) => {
      if (isRequestEnd(record)) socket.write(OK);
    });
    for (let i = 0; i < 3; i += 1) expect(await body(client, i === 1 ? post : get)).toBe("ok");
    expect(connections).toHaveLength(1);
    const begins = connections[0]!.records.filter(({ type }) => type === 1);
    expect(begins.map(({ content }) => content[2])).toEqual([1, 1, 1]);
  });

  it("opens a second connection for a request beside another, and keeps no more than it may", async () => {
    const waiting: (() => void)[] = [];
    const { client, connections } = await start(
      (record, { socket }) => {
        if (isRequestEnd(record)) waiting.push(() => socket.write(OK));
      },
      { maxIdle: 1 },
    );
    const both = [body(client, get), body(client, get)];
    await expect.poll(() => waiting.length).toBe(2);
    for (const reply of waiting) reply();
    expect(await Promise.all(both)).toEqual(["ok", "ok"]);
    await expect.poll(() => connections.filter(({ socket }) => socket.destroyed).length).toBe(1);
  });

  it("lets requests wait in line for one of maxConnections", async () => {
    const waiting: (() => void)[] = [];
    const { client, connections } = await start(
      (record, { socket }) => {
        if (isRequestEnd(record)) waiting.push(() => socket.write(OK));
      },
      { maxConnections: 1 },
    );
    const order: number[] = [];
    const all = [1, 2, 3].map(async (i) => {
      await body(client, get);
      order.push(i);
    });
    const impatient = new AbortController();
    const given = client.request({ ...get, signal: impatient.signal });
    impatient.abort(new Error("too long"));
    await expect(given).rejects.toThrow("too long");
    for (let i = 0; i < 3; i += 1) {
      await expect.poll(() => waiting.length).toBe(i + 1);
      waiting[i]!();
    }
    await Promise.all(all);
    expect(order).toEqual([1, 2, 3]);
    expect(connections).toHaveLength(1);
  });

  it("sends a request again when a kept connection turns out to be closed", async () => {
    const { client, connections } = await start((record, { socket, requests, number }) => {
      if (!isRequestEnd(record)) return;
      if (number === 0 && requests === 2) socket.destroy();
      else socket.write(OK);
    });
    expect(await body(client, get)).toBe("ok");
    expect(await body(client, get)).toBe("ok");
    expect(connections.map(({ requests }) => requests)).toEqual([2, 1]);
  });

  it("does so once, and neither for a POST, nor when the answer has begun, nor on a new connection", async () => {
    const { client, connections } = await start((seen, { socket, requests, number }) => {
      if (!isRequestEnd(seen)) return;
      if (requests === 1 && number < 4) socket.write(OK);
      else if (number === 1) socket.end(record(6, 1, "Status: 200 "));
      else socket.destroy();
    });
    await body(client, get);
    await expect(body(client, post)).rejects.toMatchObject({
      code: expect.stringMatching(/FCGI_TRUNCATED|ECONNRESET/),
    });
    expect(connections).toHaveLength(1);

    await body(client, get);
    await expect(body(client, get)).rejects.toMatchObject({ code: "FCGI_TRUNCATED" });
    expect(connections).toHaveLength(2);

    await body(client, get);
    async function* stream(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("x");
    }
    await expect(body(client, { ...get, body: stream() })).rejects.toThrow();
    expect(connections).toHaveLength(3);

    await body(client, get);
    await expect(body(client, get)).rejects.toThrow();
    expect(connections).toHaveLength(5);
  });

  it("forgets an idle connection that the responder closes or speaks on, and closes one that idles too long", async () => {
    const { client, connections } = await start(
      (record, { socket }) => {
        if (isRequestEnd(record)) socket.write(OK);
      },
      { idleTimeout: 80 },
    );
    await body(client, get);
    connections[0]!.socket.end();
    await expect.poll(() => connections[0]!.socket.destroyed).toBe(true);
    await body(client, get);
    connections[1]!.socket.write("?");
    await expect.poll(() => connections[1]!.socket.destroyed).toBe(true);
    await body(client, get);
    expect(connections).toHaveLength(3);
    await expect.poll(() => connections[2]!.socket.destroyed).toBe(true);
  });

  it("does not keep a connection whose request was answered before it was sent whole", async () => {
    const { client, connections } = await start((record, { socket }) => {
      if (record.type === 4 && record.content.length === 0) socket.write(OK);
    });
    async function* never(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("x");
      await new Promise(() => {});
    }
    expect(await body(client, { params: post.params, body: never() })).toBe("ok");
    await expect.poll(() => connections[0]!.socket.destroyed).toBe(true);
  });

  it("closes idle connections at once and takes no request after close", async () => {
    const { client, connections } = await start((record, { socket }) => {
      if (isRequestEnd(record)) socket.write(OK);
    });
    await body(client, get);
    client.close();
    await expect.poll(() => connections[0]!.socket.destroyed).toBe(true);
    await expect(client.request(get)).rejects.toThrow("the client is closed");
  });

  it("leaves no listener behind on a kept connection", async () => {
    const { client, connections } = await start((record, { socket }) => {
      if (isRequestEnd(record)) socket.write(OK);
    });
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on("warning", warned);
    const { signal } = new AbortController();
    for (let i = 0; i < 20; i += 1) await body(client, { ...get, signal });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", warned);
    expect(warnings).toEqual([]);
    expect(connections).toHaveLength(1);
  });
});
