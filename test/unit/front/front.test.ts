import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { connect, createServer, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { createFront, type FrontOptions } from "../../../src/front/front.ts";
import {
  answer,
  decodePairs,
  isRequestEnd,
  rawResponder,
  record,
  type RawConnection,
  type RawRecord,
} from "../client/raw-responder.ts";

async function listening(options: FrontOptions): Promise<number> {
  const front = createFront(options).listen(0, "127.0.0.1");
  await once(front, "listening");
  onTestFinished(() => {
    front.closeAllConnections();
    front.close();
  });
  return (front.address() as AddressInfo).port;
}

/** A front before a responder that calls `reply` at the end of each request. */
async function start(
  reply: (connection: RawConnection, record: RawRecord) => void,
  options: Partial<FrontOptions> = {},
): Promise<{ port: number; connections: RawConnection[] }> {
  const { port, connections } = await rawResponder((record, connection) => {
    if (isRequestEnd(record)) reply(connection, record);
  });
  return { port: await listening({ target: { port }, ...options }), connections };
}

async function ask(port: number, path: string, options: RequestOptions = {}, body?: string): Promise<IncomingMessage> {
  const request = httpRequest({ port, host: "127.0.0.1", path, agent: false, ...options });
  request.on("error", () => {});
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return response;
}

const params = (connection: RawConnection): Record<string, string> =>
  Object.fromEntries(decodePairs(connection.stream(4)));

describe("the front", () => {
  it("turns an HTTP request into FastCGI and the answer into HTTP", async () => {
    const { port, connections } = await start(({ socket }) => {
      socket.write(
        answer(
          "Status: 418 I'm a teapot\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n" +
            "Connection: close\r\nKeep-Alive: 5\r\n\r\nshort and stout",
        ),
      );
    });
    const response = await ask(
      port,
      "/pot?lid=1",
      { method: "POST", headers: { "Content-Type": "text/plain" } },
      "water",
    );
    expect(response.statusCode).toBe(418);
    expect(response.statusMessage).toBe("I'm a teapot");
    expect(response.headers).toMatchObject({ "content-type": "text/plain", "set-cookie": ["a=1", "b=2"] });
    expect(response.headers).not.toHaveProperty("keep-alive", "5");
    expect(await text(response)).toBe("short and stout");
    expect(params(connections[0]!)).toMatchObject({
      REQUEST_METHOD: "POST",
      PATH_INFO: "/pot",
      QUERY_STRING: "lid=1",
      CONTENT_LENGTH: "5",
      HTTP_HOST: `127.0.0.1:${port}`,
    });
    expect(connections[0]!.stream(5).toString()).toBe("water");
  });

  it("sends a chunked upload without a length and uses its connection again", async () => {
    const { port, connections } = await start(({ socket }) => socket.write(answer("Status: 200 OK\r\n\r\nok")));
    for (let i = 0; i < 2; i += 1) {
      const headers = { "Transfer-Encoding": "chunked" };
      await text(await ask(port, "/", { method: "POST", headers }, "in pieces"));
    }
    expect(connections).toHaveLength(1);
    expect(connections[0]!.requests).toBe(2);
    expect(params(connections[0]!)).not.toHaveProperty("CONTENT_LENGTH");
    expect(connections[0]!.stream(5).toString()).toBe("in piecesin pieces");
  });

  it("opens a connection for each request without keepConn", async () => {
    const reply = ({ socket }: RawConnection): void => void socket.end(answer("Status: 200 OK\r\n\r\nok"));
    const { port, connections } = await start(reply, { keepConn: false });
    await text(await ask(port, "/"));
    await text(await ask(port, "/"));
    expect(connections).toHaveLength(2);
  });

  it("sends the head and each piece of an event stream at once", async () => {
    const { port, connections } = await start(({ socket }) => {
      socket.write(record(6, 1, "Status: 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"));
    });
    const response = await ask(port, "/events");
    expect(response.headers["content-type"]).toBe("text/event-stream");
    for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
      connections[0]!.socket.write(record(6, 1, event));
      expect(String((await once(response, "data"))[0])).toBe(event);
    }
  });

  it("answers HEAD with the head alone", async () => {
    const { port } = await start(({ socket }) => socket.write(answer("Status: 200 OK\r\nContent-Length: 7\r\n\r\n")));
    const response = await ask(port, "/", { method: "HEAD" });
    expect(response.headers["content-length"]).toBe("7");
    expect(await text(response)).toBe("");
  });

  it("closes the gateway's connection when the browser leaves, before or after the head", async () => {
    const { port, connections } = await start(({ socket, number }) => {
      if (number === 1) socket.write(record(6, 1, "Status: 200 OK\r\n\r\nfirst"));
    });
    const early = connect(port, "127.0.0.1", () => early.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    await expect.poll(() => connections[0]?.requests).toBe(1);
    early.destroy();
    await expect.poll(() => connections[0]!.socket.destroyed).toBe(true);
    const response = await ask(port, "/");
    response.destroy();
    await expect.poll(() => connections[1]?.socket.destroyed).toBe(true);
  });

  it("does not pass an answer for complete that breaks off, or is shorter than it said", async () => {
    const { port } = await start(({ socket, number }) => {
      if (number === 0) socket.end(record(6, 1, "Status: 200 OK\r\n\r\nhalf"));
      else socket.end(answer("Status: 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
    });
    await expect(text(await ask(port, "/"))).rejects.toThrow("aborted");
    await expect(text(await ask(port, "/"))).rejects.toThrow("aborted");
  });

  it("answers 503 with a hint when no gateway is there", async () => {
    const target = { path: "/nonexistent/app.sock" };
    const port = await listening({ target, hint: "propylon serve <wiki>.ini" });
    const response = await ask(port, "/");
    expect(response.statusCode).toBe(503);
    const page = await text(response);
    expect(page).toContain("/nonexistent/app.sock (ENOENT)");
    expect(page).toContain("propylon serve &lt;wiki>.ini");
  });

  it("answers 502 when the gateway gives no answer, 504 when it takes too long, and says so in the log", async () => {
    const lines: string[] = [];
    const { port } = await start(({ socket, number }) => void (number === 0 && socket.end()), {
      headTimeout: 50,
      log: (line) => lines.push(line),
    });
    expect((await ask(port, "/one")).statusCode).toBe(502);
    expect((await ask(port, "/two")).statusCode).toBe(504);
    expect(lines).toEqual([
      expect.stringContaining("GET /one: FCGI_TRUNCATED"),
      expect.stringContaining("GET /two: ETIMEDOUT"),
    ]);
  });

  it("logs what the app writes to its error stream", async () => {
    const lines: string[] = [];
    const reply = ({ socket }: RawConnection): void =>
      void socket.write(answer("Status: 200 OK\r\n\r\n", { stderr: "one\ntwo\n" }));
    const { port } = await start(reply, { log: (line) => lines.push(line) });
    await text(await ask(port, "/"));
    await expect.poll(() => lines).toEqual(["one", "two"]);
  });

  it("reads an upload that nobody takes, so that the browser's connection can go on", async () => {
    const port = await listening({ target: { path: "/nonexistent/app.sock" } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    for (let i = 0; i < 2; i += 1) {
      const response = await ask(port, "/", { method: "POST", agent }, "x".repeat(1_000_000));
      expect(response.statusCode).toBe(503);
      await text(response);
    }
  });

  it("serves its mount alone", async () => {
    const reply = ({ socket }: RawConnection): void => void socket.write(answer("Status: 200 OK\r\n\r\n"));
    const { port, connections } = await start(reply, { mount: "/james" });
    expect((await ask(port, "/")).statusCode).toBe(404);
    expect((await ask(port, "/james/a%20b")).statusCode).toBe(200);
    expect(params(connections[0]!)).toMatchObject({ SCRIPT_NAME: "/james", PATH_INFO: "/a b" });
    expect(() => createFront({ target: { port: 1 }, mount: "james/" })).toThrow("not a mount: james/");
  });

  it("answers OPTIONS * itself", async () => {
    const { port, connections } = await start(() => {});
    expect((await ask(port, "*", { method: "OPTIONS" })).statusCode).toBe(200);
    expect(connections).toHaveLength(0);
  });

  it("speaks SCGI too, but not for a body of unknown length", async () => {
    const server = createServer((socket) => {
      socket.once("data", () => socket.end("Status: 200 OK\r\n\r\nscgi"));
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const target = { port: (server.address() as AddressInfo).port };
    const port = await listening({ target, protocol: "scgi" });
    expect(await text(await ask(port, "/"))).toBe("scgi");
    const headers = { "Transfer-Encoding": "chunked" };
    expect((await ask(port, "/", { method: "POST", headers }, "x")).statusCode).toBe(411);
  });
});
