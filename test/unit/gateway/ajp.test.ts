import { describe, expect, it } from "vitest";

import { AjpClientReader } from "../../../src/protocol/ajp/client-reader.ts";
import { decodeForwardRequest } from "../../../src/protocol/ajp/forward-request.ts";
import { ajpVariables } from "../../../src/gateway/bindings/ajp-variables.ts";
import * as ajp from "../../support/ajp-packets.ts";
import { pairsOf, type Told } from "../../support/four-ways.ts";
import { pause, type Peer, start, type StartOptions, TestApp, until, valueOf } from "./support.ts";

const AJP: StartOptions = { protocol: "ajp" };
const HELLO = Buffer.concat([
  ajp.answer(
    ...[4, ajp.int(200), ajp.string("OK"), ajp.int(2), ajp.int(0xa001), ajp.string("text/plain")],
    ...[ajp.int(0xa003), ajp.string("5")],
  ),
  ajp.answer(3, ajp.int(5), Buffer.from("hello\0")),
]);
const END = ajp.answer(5, 1);
const LAST = ajp.answer(5, 0);

/** What the gateway has sent so far, neighbouring chunks in one. */
function told(peer: Peer): Told[] {
  const reader = new AjpClientReader();
  reader.receive(Buffer.from(peer.text, "latin1"));
  const events: Told[] = [];
  for (let event = reader.nextEvent(); event !== null; event = reader.nextEvent()) {
    const last = events.at(-1);
    if (event.type !== "sendBodyChunk") events.push({ ...event });
    else if (last?.type !== event.type) events.push({ type: event.type, content: String(event.content) });
    else last["content"] = String(last["content"]) + String(event.content);
  }
  return events;
}

const types = (peer: Peer): string[] => told(peer).map(({ type }) => type);

async function heard(peer: Peer, type: string, count = 1): Promise<void> {
  await until(() => types(peer).filter((each) => each === type).length >= count, `${type} ${count}`);
}

describe("an AJP request", () => {
  it("is answered in one write, and the connection kept for the next one", async () => {
    const app = new TestApp();
    const { open, gateway } = await start(app, AJP);
    const peer = await open();
    let chunks = 0;
    peer.socket.on("data", () => chunks++);
    peer.send(ajp.forward({ uri: "/one" }));
    await heard(peer, "endResponse");
    expect(Buffer.from(peer.text, "latin1")).toEqual(Buffer.concat([HELLO, END]));
    expect(chunks).toBe(1);
    peer.send(ajp.CPING);
    await heard(peer, "cpong");
    peer.send(ajp.forward({ uri: "/two" }));
    await heard(peer, "endResponse", 2);
    expect(app.exchanges.map(({ head }) => valueOf(head.params, "REQUEST_URI"))).toEqual(["/one", "/two"]);
    expect(app.exchanges[0]!.head).toMatchObject({ protocol: "ajp", role: "responder", multiplexed: false });
    expect(app.exchanges.every(({ bodyEnded }) => bodyEnded)).toBe(true);
    expect(gateway.counters).toMatchObject({ accepted: 1, requests: 2, aborted: 0 });
  });

  it("ends its connection where that is due: draining, after keepalive_requests, in silence", async () => {
    const { open, gateway } = await start(new TestApp(), {
      ...AJP,
      options: { keepaliveRequests: 1, keepaliveTimeout: 40 },
    });
    const peer = await open();
    peer.send(ajp.forward());
    await peer.closes();
    expect(told(peer).at(-1)).toEqual({ type: "endResponse", reuse: false });
    const silent = await open();
    silent.send(ajp.CPING);
    await silent.closes();
    expect(gateway.counters.keepaliveTimeouts).toBe(1);

    const app = new TestApp(() => {});
    const other = await start(app, AJP);
    const busy = await other.open();
    busy.send(ajp.forward());
    const exchange = await app.exchange();
    other.gateway.close();
    exchange.hello();
    await busy.closes();
    expect(Buffer.from(busy.text, "latin1")).toEqual(Buffer.concat([HELLO, LAST]));
  });

  it("is answered by the gateway where the app fails, and the connection lives on", async () => {
    const app = new TestApp((exchange) => exchange.response.send({ type: "fail", status: 503 }));
    const { open } = await start(app, AJP);
    const peer = await open();
    peer.send(ajp.forward());
    await heard(peer, "endResponse");
    expect(told(peer)).toMatchObject([{ status: 503 }, { content: "503 Service Unavailable\n" }, { reuse: true }]);
    expect((told(peer)[0] as unknown as { headers: string[][] }).headers).toContainEqual(["Retry-After", "1"]);
  });

  it.each([false, true])("whose answer breaks off has no END_RESPONSE (Unix socket: %s)", async (unix) => {
    const app = new TestApp(() => {});
    const { open, gateway } = await start(app, { ...AJP, unix });
    const peer = await open();
    peer.send(ajp.forward());
    const exchange = await app.exchange();
    exchange.sendHead();
    exchange.write("half");
    await heard(peer, "sendBodyChunk");
    exchange.response.send({ type: "fail", status: 500 });
    await until(() => peer.closed || peer.ended, "the close");
    expect(types(peer)).toEqual(["sendHeaders", "sendBodyChunk"]);
    expect(gateway.counters.brokenAnswers).toBe(1);
  });

  it("is aborted when the web server leaves", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, AJP)).open();
    peer.send(ajp.forward());
    const exchange = await app.exchange();
    peer.socket.end();
    await until(() => exchange.aborted !== undefined, "the abort");
    expect(exchange.aborted).toBe("CONNECTION_LOST");
  });

  it("streams large answers whole, in order, with credit", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, AJP)).open();
    peer.send(ajp.forward());
    const exchange = await app.exchange();
    exchange.sendHead("Status: 200 OK\r\n\r\n");
    exchange.write("first");
    exchange.write(Buffer.alloc(3_000_000, "L"));
    exchange.write("last");
    exchange.end();
    await until(() => exchange.credited === 3_000_009, "all credit");
    await heard(peer, "endResponse");
    expect(told(peer)[1]!["content"]).toBe(`first${"L".repeat(3_000_000)}last`);
  });

  it.each([8200, 70_000])("with a head of %i bytes, which no packet takes, is answered 500", async (length) => {
    const app = new TestApp((exchange) => {
      exchange.sendHead(`Status: 200 OK\r\nX-Long: ${"x".repeat(length)}\r\n\r\n`);
      exchange.write("body");
      exchange.end();
    });
    const { open, log } = await start(app, AJP);
    const peer = await open();
    peer.send(ajp.forward());
    await heard(peer, "endResponse");
    expect(told(peer)).toMatchObject([{ status: 500 }, { content: "500 Internal Server Error\n" }, { reuse: true }]);
    expect(app.exchanges[0]!.aborted).toBe("HEAD_LIMIT");
    expect(log.join()).toContain("packet_size");

    const larger = await start(app, { ...AJP, options: { packetSize: 65_536 } });
    const wide = await larger.open();
    wide.send(ajp.forward());
    await heard(wide, "endResponse");
    expect(told(wide)[0]).toMatchObject({ status: length > 65_536 ? 500 : 200 });
  });

  it("has its error text logged, and head and idle timeouts", async () => {
    const app = new TestApp((exchange) => {
      exchange.response.send({ type: "stderr", chunk: Buffer.from("for the log") });
      exchange.hello();
    });
    const { open, log, gateway } = await start(app, { ...AJP, options: { headerTimeout: 50 } });
    const peer = await open();
    peer.send(ajp.forward());
    await heard(peer, "endResponse");
    expect(log).toEqual(["for the log"]);
    peer.send(ajp.forward().subarray(0, 30));
    await peer.closes();
    expect(gateway.counters.headerTimeouts).toBe(1);
  });

  it("is answered 503 above max_connections", async () => {
    const { open } = await start(new TestApp(() => {}), { ...AJP, options: { maxConnections: 1 } });
    (await open()).send(ajp.forward());
    const peer = await open();
    peer.send(ajp.forward());
    await peer.closes();
    expect(told(peer)).toMatchObject([{ status: 503 }, {}, { reuse: false }]);
  });
});

describe("a body", () => {
  it("is asked for as the app takes it, and no sooner", async () => {
    const app = new TestApp((exchange) => void (exchange.reads = false));
    const peer = await (await start(app, AJP)).open();
    peer.send(ajp.post(11), ajp.body("first"));
    const exchange = await app.exchange();
    await until(() => exchange.received === 5, "the first packet");
    await pause(20);
    expect(types(peer)).toEqual([]);
    exchange.response.send({ type: "credit", bytes: 5 });
    await heard(peer, "getBodyChunk");
    expect(told(peer)).toEqual([{ type: "getBodyChunk", requested: 6 }]);
    peer.send(ajp.body("sec"));
    await until(() => exchange.received === 8, "the second packet");
    exchange.response.send({ type: "credit", bytes: 3 });
    await heard(peer, "getBodyChunk", 2);
    peer.send(ajp.body("ond"));
    await until(() => exchange.bodyEnded, "the end");
    exchange.hello();
    await heard(peer, "endResponse");
    expect(exchange.body).toBe("firstsecond");
    expect(told(peer).at(-1)).toEqual({ type: "endResponse", reuse: true });
  });

  it("of unknown length is asked for from the start, to the empty packet", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, AJP)).open();
    peer.send(ajp.chunked());
    await heard(peer, "getBodyChunk");
    expect(told(peer)).toEqual([{ type: "getBodyChunk", requested: 65_535 }]);
    peer.send(ajp.body("one"));
    await heard(peer, "getBodyChunk", 2);
    peer.send(ajp.EMPTY);
    const exchange = await app.exchange();
    await until(() => exchange.bodyEnded, "the end");
    exchange.hello();
    await heard(peer, "endResponse");
    expect(told(peer).at(-1)).toEqual({ type: "endResponse", reuse: true });
    expect([exchange.body, types(peer).filter((type) => type === "getBodyChunk").length]).toEqual(["one", 2]);
  });

  it("of lighttpd's comes in as many packets as make up what was asked for", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, AJP)).open();
    peer.send(ajp.post(30_000), ajp.bareBody("a".repeat(8188)));
    await heard(peer, "getBodyChunk");
    expect(told(peer)).toEqual([{ type: "getBodyChunk", requested: 21_812 }]);
    for (const length of [8188, 8188, 5436]) peer.send(ajp.bareBody("b".repeat(length)));
    const exchange = await app.exchange();
    await until(() => exchange.bodyEnded, "the end");
    expect(exchange.received).toBe(30_000);
    exchange.hello();
    await heard(peer, "endResponse");
    expect(types(peer).filter((type) => type === "getBodyChunk")).toHaveLength(1);
  });

  it("that the app does not read ends with the answer, and the connection with it", async () => {
    const app = new TestApp((exchange) => {
      exchange.reads = false;
      exchange.hello();
    });
    const { open } = await start(app, AJP);
    const peer = await open();
    peer.send(ajp.post(100_000), ajp.body("x".repeat(8186)));
    await peer.closes();
    expect(Buffer.from(peer.text, "latin1")).toEqual(Buffer.concat([HELLO, LAST]));
    const exchange = app.exchanges[0]!;
    expect(exchange.aborted).toBe("BODY_UNREAD");
    expect(exchange.credited).toBe(5);
    // Nothing that still comes is taken for a request.
    peer.send(ajp.body("x"), ajp.forward());
    await pause(20);
    expect([app.exchanges.length, peer.error]).toEqual([1, null]);
  });

  it("that is short comes unasked, and is read to its end after an early answer", async () => {
    const app = new TestApp();
    const peer = await (await start(app, AJP)).open();
    peer.send(ajp.post(4));
    await pause(20);
    expect(types(peer)).toEqual(["sendHeaders", "sendBodyChunk"]);
    peer.send(ajp.body("body"));
    await heard(peer, "endResponse");
    expect(told(peer).at(-1)).toEqual({ type: "endResponse", reuse: true });
    peer.send(ajp.forward());
    await heard(peer, "endResponse", 2);
  });

  it("is read on by an app that was reading when it answered", async () => {
    const app = new TestApp((exchange) => {
      exchange.onEvent = (event) => {
        if (event.type === "body" && exchange.received > 3 && exchange.received < 10) exchange.hello();
      };
    });
    const peer = await (await start(app, AJP)).open();
    peer.send(ajp.post(12), ajp.body("abc"));
    await heard(peer, "getBodyChunk");
    peer.send(ajp.body("def"));
    await heard(peer, "getBodyChunk", 2);
    peer.send(ajp.body("ghijkl"));
    await heard(peer, "endResponse");
    expect(told(peer).at(-1)).toEqual({ type: "endResponse", reuse: true });
    expect([app.exchanges[0]!.body, app.exchanges[0]!.bodyEnded]).toEqual(["abcdefghijkl", true]);
  });

  it.each(["fails", "is abandoned"])("is not asked for any more when its app %s", async (end) => {
    const app = new TestApp((exchange) => {
      exchange.onEvent = (event) => {
        if (event.type !== "body" || exchange.received < 6 || end !== "fails") return;
        exchange.response.send({ type: "fail", status: 500 });
      };
    });
    const peer = await (await start(app, { ...AJP, options: { maxBodyBytes: 8 } })).open();
    peer.send(ajp.chunked());
    await heard(peer, "getBodyChunk");
    peer.send(ajp.body("abc"));
    await heard(peer, "getBodyChunk", 2);
    peer.send(ajp.body(end === "fails" ? "def" : "defghi"));
    await heard(peer, "endResponse");
    expect(types(peer)).toEqual([...["getBodyChunk", "getBodyChunk", "sendHeaders", "sendBodyChunk", "endResponse"]]);
    expect(told(peer).at(-1)).toEqual({ type: "endResponse", reuse: false });
  });

  it("that is announced and cut short is no complete one", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, AJP)).open();
    peer.send(ajp.post(10), ajp.body("half"));
    await heard(peer, "getBodyChunk");
    peer.send(ajp.body(""));
    await heard(peer, "endResponse");
    expect(told(peer)[1]).toMatchObject({ status: 400 });
    expect(app.exchanges[0]).toMatchObject({ aborted: "BODY_INCOMPLETE", bodyEnded: false });
    expect(told(peer).at(-1)).toEqual({ type: "endResponse", reuse: false });
  });

  it("of lighttpd's that begins with two NULs smuggles nothing in", async () => {
    const app = new TestApp(() => {});
    const peer = await (await start(app, AJP)).open();
    // What a client sends first and what it sends next: lighttpd passes each on in a packet, with no length before it.
    const next = ajp.forward({ uri: "/forged", attributes: [ajp.attribute(3, "admin")] });
    peer.send(ajp.post(1000), ajp.bareBody("\0\0"), next);
    await heard(peer, "endResponse");
    await pause(20);
    expect(app.exchanges.map(({ head }) => valueOf(head.params, "REQUEST_URI"))).toEqual(["/"]);
    expect(told(peer).at(-1)).toEqual({ type: "endResponse", reuse: false });
  });

  it("is held to max_body_bytes and to body_timeout", async () => {
    const app = new TestApp(() => {});
    const { open } = await start(app, { ...AJP, options: { maxBodyBytes: 5, bodyTimeout: 40 } });
    const large = await open();
    large.send(ajp.post(6), ajp.body("sixsix"));
    await heard(large, "endResponse");
    expect(told(large)).toMatchObject([{ status: 413 }, {}, { reuse: true }]);
    const grows = await open();
    grows.send(ajp.chunked());
    await heard(grows, "getBodyChunk");
    grows.send(ajp.body("sixsix"));
    await heard(grows, "endResponse");
    expect(told(grows)[1]).toMatchObject({ status: 413 });
    const slow = await open();
    slow.send(ajp.post(5));
    await slow.closes();
    expect(told(slow)).toMatchObject([{ status: 408 }, {}, { reuse: false }]);
  });
});

describe("the secret", () => {
  const withSecret = { ...AJP, options: { secret: "s3cret" } };
  const secret = (text: string): Buffer => ajp.forward({ attributes: [ajp.attribute(12, text)] });

  it("lets the web server in that has it", async () => {
    const { open, gateway } = await start(new TestApp(), withSecret);
    const peer = await open();
    peer.send(secret("s3cret"));
    await heard(peer, "endResponse");
    peer.send(secret("s3cret"));
    await heard(peer, "endResponse", 2);
    expect(gateway.counters).toMatchObject({ badSecrets: 0, requests: 2 });
  });

  it("keeps out every other: 403, counted, logged once, closed", async () => {
    const app = new TestApp();
    const { open, gateway, log } = await start(app, withSecret);
    for (const request of [ajp.forward(), secret(""), secret("s3cre"), secret("s3cret "), secret("S3CRET")]) {
      const peer = await open();
      peer.send(request);
      await peer.closes();
      expect(told(peer)).toMatchObject([{ status: 403 }, {}, { reuse: false }]);
    }
    expect(app.exchanges).toEqual([]);
    expect(gateway.counters).toMatchObject({ badSecrets: 5, requests: 0, refusedRequests: 5 });
    expect(log).toHaveLength(1);
    expect(log[0]).not.toContain("s3cret");
  });

  it("is passed over where none is asked for, and never becomes a variable", async () => {
    const app = new TestApp();
    const peer = await (await start(app, AJP)).open();
    peer.send(secret("s3cret"));
    await heard(peer, "endResponse");
    expect(app.exchanges[0]!.head.params.block).not.toContain("s3cret");
  });
});

describe("a web server that breaks the protocol", () => {
  it("loses its connection, and nobody else does", async () => {
    const app = new TestApp();
    const { open, gateway, log } = await start(app, AJP);
    const other = await open();
    other.send(ajp.forward());
    const wrong = [
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      ajp.packet(77),
      ajp.forward({ method: 99 }),
      ajp.packet(2, 2, ajp.int(500), Buffer.from("HTTP/1.1\0")),
      Buffer.of(0x12, 0x34, 0xff, 0xff),
      ajp.chunked({ headers: [[8, "3"]] }),
    ];
    for (const bytes of wrong) {
      const peer = await open();
      peer.send(bytes);
      await peer.closes();
      expect(peer.text).toBe("");
    }
    expect(gateway.counters.protocolErrors).toBe(wrong.length);
    expect(log).toHaveLength(wrong.length);
    other.send(ajp.forward());
    await heard(other, "endResponse", 2);
  });

  it("cannot shut anything down; SHUTDOWN and PING are counted, and too many of them end the connection", async () => {
    const { open, gateway } = await start(new TestApp(), { ...AJP, options: { badRecordsPerConnection: 2 } });
    const peer = await open();
    peer.send(ajp.packet(7), ajp.packet(8), ajp.forward());
    await heard(peer, "endResponse");
    expect(gateway.counters.badRecords).toBe(2);
    peer.send(ajp.packet(7));
    await peer.closes();
    expect(gateway.counters).toMatchObject({ badRecords: 3, protocolErrors: 1 });
  });

  it("is answered 431 where it has too many headers", async () => {
    const app = new TestApp();
    const { open } = await start(app, { ...AJP, options: { maxParams: 2 } });
    const peer = await open();
    peer.send(
      ajp.forward({
        headers: [
          ["A", "1"],
          ["B", "2"],
          ["C", "3"],
        ],
      }),
    );
    await peer.closes();
    expect(told(peer)).toMatchObject([{ status: 431 }, {}, { reuse: false }]);
    expect(app.exchanges).toEqual([]);
  });
});

describe("the variables", () => {
  const limits = { maxParams: 100, maxParamName: 256, maxParamValue: 4096 };
  const variables = (form: ajp.RequestForm): Record<string, string> =>
    Object.fromEntries(pairsOf(ajpVariables(decodeForwardRequest(ajp.forward(form), limits))));

  it("are those of CGI, with the names of mod_ssl", () => {
    expect(
      variables({
        ...{ method: 4, uri: "/a%20b", ssl: 1 },
        headers: [
          [11, "www.example.test"],
          [8, "3"],
          ["content-TYPE", "text/plain"],
          ["X-Foo-Bar", "x"],
        ],
        attributes: [
          ...[ajp.attribute(3, "alice"), ajp.attribute(4, "Basic"), ajp.attribute(5, "x=1"), ajp.attribute(6, "node1")],
          ...[ajp.attribute(7, "PEM"), ajp.attribute(8, "AES"), ajp.attribute(9, "session"), 11, ajp.int(256)],
          ...[ajp.reqAttribute("AJP_REMOTE_PORT", "52814"), ajp.reqAttribute("AJP_LOCAL_ADDR", "192.0.2.10")],
          ...[ajp.reqAttribute("AJP_SSL_PROTOCOL", "TLSv1.3"), ajp.reqAttribute("eppn", "alice@example.test")],
          ajp.reqAttribute("Shib-Session-ID", "_4711"),
        ],
      }),
    ).toEqual({
      ...{ GATEWAY_INTERFACE: "CGI/1.1", REQUEST_METHOD: "POST", REQUEST_URI: "/a%20b?x=1", QUERY_STRING: "x=1" },
      ...{ SCRIPT_NAME: "", PATH_INFO: "/a b", SERVER_PROTOCOL: "HTTP/1.1", REQUEST_SCHEME: "https", HTTPS: "on" },
      ...{ SERVER_NAME: "www.example.test", SERVER_PORT: "80", SERVER_ADDR: "192.0.2.10" },
      ...{ REMOTE_ADDR: "203.0.113.7", REMOTE_PORT: "52814", REMOTE_USER: "alice", AUTH_TYPE: "Basic" },
      ...{ JVM_ROUTE: "node1", SSL_CLIENT_CERT: "PEM", SSL_CIPHER: "AES", SSL_SESSION_ID: "session" },
      ...{ SSL_CIPHER_USEKEYSIZE: "256", SSL_PROTOCOL: "TLSv1.3", eppn: "alice@example.test" },
      "Shib-Session-ID": "_4711",
      ...{ CONTENT_LENGTH: "3", CONTENT_TYPE: "text/plain", HTTP_HOST: "www.example.test", HTTP_X_FOO_BAR: "x" },
    });
  });

  it("have of a client nothing but HTTP_*, CONTENT_LENGTH and CONTENT_TYPE, whatever it calls its headers", () => {
    const names = ["REMOTE_USER", "Remote-User", "HTTPS", "SSL_CLIENT_CERT", "X_Forwarded_For", "X.Dot", "", "A B"];
    const headers = names.filter((name) => name !== "").map((name) => [name, "forged"] as const);
    const forged = Object.entries(variables({ headers })).filter(([, value]) => value === "forged");
    expect(forged.map(([name]) => name)).toEqual(["HTTP_REMOTE_USER", "HTTP_HTTPS"]);
  });

  it("have of named attributes no header of a client's and nothing that the packet says", () => {
    const names = ["HTTP_X_USER", "REDIRECT_HTTP_X", "REQUEST_URI", "CONTENT_LENGTH", "REMOTE_ADDR", "SCRIPT_NAME"];
    const others = ["javax.servlet.include.request_uri", "", "__proto__", "1A"];
    const attributes = [...names, ...others].map((name) => ajp.reqAttribute(name, "set"));
    const set = Object.entries(variables({ attributes })).filter(([, value]) => value === "set");
    expect(set.map(([name]) => name).filter((name) => name !== "__proto__")).toEqual([]);
  });

  it.each([
    ["mod_proxy_ajp", "/a%20b/%E2%98%83/x%2Fy", "/a%20b/%E2%98%83/x%2Fy", "/a b/\xe2\x98\x83/x/y"],
    ["a browser", "/a%20b/x[1]|2^", "/a%20b/x[1]|2^", "/a b/x[1]|2^"],
    ["lighttpd", "/a b/\xe2\x98\x83/x/y", "/a%20b/%E2%98%83/x/y", "/a b/\xe2\x98\x83/x/y"],
    ["lighttpd", "/a b<c>/../x[1]", "/a%20b%3Cc%3E/../x%5B1%5D", "/x[1]"],
    ["lighttpd", "/a?b#c%d", "/a%3Fb%23c%25d", "/a?b#c%d"],
    ["either", "/plain/path;v=1", "/plain/path;v=1", "/plain/path;v=1"],
    ["either", "*", "*", "*"],
  ])("have the path as %s writes it: %s", (_, uri, requestUri, pathInfo) => {
    expect(variables({ uri })).toMatchObject({ REQUEST_URI: requestUri, PATH_INFO: pathInfo, QUERY_STRING: "" });
  });

  it("tell an empty query from none", () => {
    expect(variables({ uri: "/p", attributes: [ajp.attribute(5, "")] })).toMatchObject({ REQUEST_URI: "/p?" });
  });
});

describe("an address that others can reach", () => {
  it("is not listened at without a secret", async () => {
    const { gateway } = await start(new TestApp(), AJP);
    gateway.closeAllConnections();
    await new Promise<void>((resolve) => void gateway.close(() => resolve()));
    const errors: Error[] = [];
    gateway.on("error", (error) => errors.push(error));
    gateway.listen({ host: "0.0.0.0", port: 0 });
    await until(() => errors.length > 0, "the error");
    expect(errors[0]).toMatchObject({ code: "CONFIG_BAD_VALUE", place: { key: "secret" } });
    expect(gateway.listening).toBe(false);
  });

  it("is with one", async () => {
    const { gateway } = await start(new TestApp(), { ...AJP, options: { secret: "s3cret" } });
    await new Promise<void>((resolve) => void gateway.close(() => resolve()));
    const listening = new Promise<void>((resolve) => void gateway.once("listening", resolve));
    gateway.listen({ host: "0.0.0.0", port: 0 });
    await listening;
  });
});
