/** What a response says before its head, over real sockets: to web servers that pass it on, and to all others. */
import { once } from "node:events";
import { type Server as HttpServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";

import { describe, expect, it, onTestFinished } from "vitest";

import { SEND } from "../../src/client/send.ts";
import { createFront } from "../../src/front/front.ts";
import { createServer, type RequestHandler, type ServerOptions } from "../../src/index.ts";
import { open, VARIABLES } from "../support/library.ts";

const PROTOCOLS = ["fastcgi", "scgi", "ajp"] as const;
const LINK = "</style.css>; rel=preload; as=style";

/** Statuses and headers in the order in which they came, then the body. */
async function told(
  protocol: (typeof PROTOCOLS)[number],
  options: ServerOptions,
  handler: RequestHandler,
  more: Readonly<Record<string, string>> = {},
) {
  const target = await open(createServer({ protocol, ...options }, handler));
  const heads: { status: number; headers: unknown }[] = [];
  const params = Object.entries({ ...VARIABLES, ...more });
  const answer = await SEND[protocol](target, {
    params,
    informed: ({ status, headers }) =>
      heads.push({ status, headers: headers.toSorted(([a], [b]) => (a < b ? -1 : 1)) }),
  });
  heads.push({ status: answer.status, headers: answer.headers });
  return { heads, body: await text(answer.body), ended: await answer.ended };
}

describe.each(PROTOCOLS)("over %s", (protocol) => {
  it("early hints come before the answer, as often as the app gives any", async () => {
    const { heads, body } = await told(protocol, { earlyHints: true }, (_req, res) => {
      res.writeProcessing();
      res.writeEarlyHints({ link: LINK, "x-trace": "1" }, () => {
        setTimeout(() => {
          res.writeEarlyHints({ link: [LINK, "</a.js>; rel=preload"] });
          res.setHeader("X-Final", "yes");
          res.end("answer");
        }, 20);
      });
    });
    expect(heads).toEqual([
      { status: 102, headers: [] },
      {
        status: 103,
        headers: [
          ["link", LINK],
          ["x-trace", "1"],
        ],
      },
      { status: 103, headers: [["link", `${LINK}, </a.js>; rel=preload`]] },
      { status: 200, headers: expect.arrayContaining([["X-Final", "yes"]]) },
    ]);
    expect(body).toBe("answer");
  });

  it.each([
    ["without the option", {}, {}],
    ["to a client of HTTP/1.0", { earlyHints: true }, { SERVER_PROTOCOL: "HTTP/1.0" }],
  ])("nothing is said before the answer %s", async (_why, options, more) => {
    const handler: RequestHandler = (_req, res) => res.writeEarlyHints({ link: LINK }, () => void res.end("answer"));
    const { heads, body } = await told(protocol, options, handler, more);
    expect([heads.map(({ status }) => status), body]).toEqual([[200], "answer"]);
  });

  it("an app that fails after its hints is answered 500, one that takes too long 504", async () => {
    const hint: RequestHandler = (_req, res) => res.writeEarlyHints({ link: LINK });
    const failing = await told(protocol, { earlyHints: true }, (req, res) => {
      hint(req, res);
      throw new Error("after the hints");
    });
    expect(failing.heads.map(({ status }) => status)).toEqual([103, 500]);
    const slow = await told(protocol, { earlyHints: true, responseTimeout: 300 }, hint);
    expect(slow.heads.map(({ status }) => status)).toEqual([103, 504]);
  });

  it("there is an end to what an app may say before its answer", async () => {
    const warnings: string[] = [];
    const log = { debug() {}, info() {}, warn: (line: string) => warnings.push(line), error() {} };
    const { heads, body } = await told(protocol, { earlyHints: true, maxResponseHeader: 1000, log }, (_req, res) => {
      for (let i = 0; i < 1000; i++) res.writeEarlyHints({ link: LINK });
      res.end("answer");
    });
    const statuses = heads.map(({ status }) => status);
    expect(statuses.at(-1)).toBe(200);
    expect(statuses.filter((status) => status === 103).length).toBe(
      Math.floor(1000 / `Status: 103 Early Hints\r\nlink: ${LINK}\r\n\r\n`.length),
    );
    expect(body).toBe("answer");
    expect(warnings).toEqual([expect.stringContaining("max_response_header")]);
  });
});

it.each(["fastcgi", "scgi"] as const)(
  "nothing is said over %s to a web server that would take it for the answer",
  async (protocol) => {
    const handler: RequestHandler = (_req, res) => res.writeEarlyHints({ link: LINK }, () => void res.end("answer"));
    for (const SERVER_SOFTWARE of [
      "Apache/2.4.71 (Debian)",
      "nginx/1.22.1",
      "Caddy/2.6.2",
      "h2o/2.2.5",
      "HAProxy 2.6",
    ]) {
      const { heads, body } = await told(protocol, { earlyHints: true }, handler, { SERVER_SOFTWARE });
      expect([heads.map(({ status }) => status), body]).toEqual([[200], "answer"]);
    }
    const { heads } = await told(protocol, { earlyHints: true }, handler, { SERVER_SOFTWARE: "lighttpd/1.4.69" });
    expect(heads.map(({ status }) => status)).toEqual([103, 200]);
  },
);

it.each(PROTOCOLS)("over %s a client of HTTP/2 is sent the first hint, which alone it heeds", async (protocol) => {
  const handler: RequestHandler = (_req, res) => {
    res.writeProcessing();
    res.writeEarlyHints({ link: LINK });
    res.writeEarlyHints({ link: "</second.css>; rel=preload" }, () => void res.end("answer"));
  };
  const { heads, body } = await told(protocol, { earlyHints: true }, handler, { SERVER_PROTOCOL: "HTTP/2.0" });
  expect(heads.slice(0, -1)).toEqual([{ status: 103, headers: [["link", LINK]] }]);
  expect([heads.at(-1)!.status, body]).toEqual([200, "answer"]);
});

it("over ajp a hint that no packet holds is left out, and the answer comes", async () => {
  const { heads, body } = await told("ajp", { earlyHints: true }, (_req, res) => {
    res.writeEarlyHints({ link: `</${"x".repeat(9000)}.css>; rel=preload` });
    res.end("answer");
  });
  expect([heads.map(({ status }) => status), body]).toEqual([[200], "answer"]);
});

describe("the embedded web front", () => {
  async function front(handler: RequestHandler): Promise<number> {
    const target = await open(createServer({ earlyHints: true }, handler));
    const server: HttpServer = createFront({ target }).listen(0, "127.0.0.1");
    onTestFinished(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }
  const handler: RequestHandler = (_req, res) => {
    res.writeEarlyHints({ link: [LINK, LINK] }, () => void res.end("answer"));
  };

  it("passes hints on", async () => {
    const port = await front(handler);
    const request = httpRequest({ host: "127.0.0.1", port, agent: false }).end();
    const seen: unknown[] = [];
    request.on("information", ({ statusCode, statusMessage, headers }) =>
      seen.push({ statusCode, statusMessage, link: headers["link"] }),
    );
    const [response] = await once(request, "response");
    expect([response.statusCode, await text(response)]).toEqual([200, "answer"]);
    expect(seen).toEqual([{ statusCode: 103, statusMessage: "Early Hints", link: `${LINK}, ${LINK}` }]);
  });

  it("spares a client of HTTP/1.0 them", async () => {
    const socket = connect(await front(handler), "127.0.0.1");
    socket.write("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).not.toContain("103");
  });
});
