import { describe, expect, it } from "vitest";

import { type CgiHead, cgiResponseHead } from "../../../src/cgi/response-head.ts";

const LIMIT = { maxResponseHeader: 65536 };
const translate = (...lines: string[]): CgiHead => cgiResponseHead(`${lines.join("\r\n")}\r\n\r\n`, LIMIT);
const fields = (...lines: string[]): string[] =>
  translate("HTTP/1.1 200 OK", ...lines)
    .block.split("\r\n")
    .slice(1, -2);

describe("the status", () => {
  it("comes first, once, with the app's own reason", () => {
    expect(translate("HTTP/1.1 200 OK").block).toBe("Status: 200 OK\r\n\r\n");
    expect(translate("HTTP/1.1 299 Very Custom", "A: b")).toEqual({
      status: 299,
      block: "Status: 299 Very Custom\r\nA: b\r\n\r\n",
      contentLength: undefined,
      warnings: [],
      length: 34,
    });
  });

  it.each([
    ["HTTP/1.1 404 ", "Status: 404 Not Found"],
    ["HTTP/1.1 404", "Status: 404 Not Found"],
    ["HTTP/1.1 299 ", "Status: 299 Unknown"],
  ])("gets a reason where %j has none", (line, status) => {
    expect(translate(line).block).toBe(`${status}\r\n\r\n`);
  });

  it("under 200 is told, for the caller to drop", () => {
    expect(translate("HTTP/1.1 103 Early Hints", "Link: </a>").status).toBe(103);
  });

  it.each(["HTTP/1.1 600 X", "HTTP/1.1 099 X", "HTTP/1.1 abc X", "HTTP/1.1", "Status: 200", ""])(
    "is refused where the first line is %j",
    (line) => {
      expect(() => translate(line)).toThrow(expect.objectContaining({ code: "RESPONSE_BAD_HEAD" }));
    },
  );
});

describe("a 101", () => {
  const upgrade = { ...LIMIT, upgrade: true };
  const head = (...lines: string[]): string => ["HTTP/1.1 101 Switching Protocols", ...lines, "", ""].join("\r\n");

  it("keeps its Upgrade, and says of the connection that it is upgraded", () => {
    const text = head(
      "Connection: X-Hop, Upgrade",
      "upgrade:  websocket ",
      "Sec-WebSocket-Accept: x",
      "X-Hop: 1",
      "TE: a",
    );
    expect(cgiResponseHead(`${text}rest`, upgrade)).toEqual({
      status: 101,
      block:
        "Status: 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
      contentLength: undefined,
      warnings: [],
      length: text.length,
    });
  });

  it.each([["without Upgrade"], ["with a length", "Upgrade: x", "Content-Length: 0"]])(
    "is refused %s",
    (_what, ...lines) => {
      expect(() => cgiResponseHead(head(...lines), upgrade)).toThrow(
        expect.objectContaining({ code: "RESPONSE_BAD_HEAD" }),
      );
    },
  );

  it("is refused where nobody asked for an upgrade", () => {
    expect(() => cgiResponseHead(head("Upgrade: x"), LIMIT)).toThrow(
      expect.objectContaining({ code: "RESPONSE_NO_UPGRADE" }),
    );
  });

  it("leaves other answers without an Upgrade", () => {
    const { block } = cgiResponseHead("HTTP/1.1 400 No\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", upgrade);
    expect(block).toBe("Status: 400 No\r\n\r\n");
  });
});

describe("fields", () => {
  it("pass in order and spelling, repeats and bytes over 0x7f included", () => {
    const lines = [
      "Content-Type: text/plain",
      "sEt-CoOkIe: a=1",
      "Set-Cookie: b=2",
      "X-L: \xe9",
      "X-Empty: ",
      "Date: x",
    ];
    expect(fields(...lines)).toEqual(lines);
  });

  it.each([
    ...["Connection: keep-alive", "connection: close", "CONNECTION: Close", "Keep-Alive: timeout=5", "TE: trailers"],
    ...["Proxy-Connection: close", "Transfer-Encoding: chunked", "Trailer: X", "Upgrade: h2c", "Status: 404 Not Found"],
    ...["X-Sendfile: /etc/passwd", "x-sendfile2: /etc/passwd 0-9", "X-Accel-Redirect: /private", "X-Accel-Charset: x"],
    ...["X-LIGHTTPD-send-file: /etc/passwd"],
  ])("do not hold %s, wherever it stands", (line) => {
    expect(fields(line)).toEqual([]);
    expect(fields(line, "A: b")).toEqual(["A: b"]);
    expect(fields("A: b", line, "C: d")).toEqual(["A: b", "C: d"]);
    expect(fields("A: b", line, line)).toEqual(["A: b"]);
  });

  it("hold names that only look like those", () => {
    const lines = ["X: y", "Statuses: x", "X-Send: x", "T: e", "Trailers: x", "Set-Status: x", "X-Accel-Buffering: no"];
    expect(fields(...lines)).toEqual(lines);
  });

  it("lose what the app's Connection header names, before it and after it", () => {
    expect(fields("X-Hop: 1", "A: b", "Connection: Keep-Alive, x-hop , X-Other", "X-Other: 2", "Via: c")).toEqual([
      "A: b",
      "Via: c",
    ]);
    expect(fields("Connection: Upgrade", "Upgrade: websocket")).toEqual([]);
    expect(fields("Connection: X-A", "X-A: 1", "X-B: 2", "connection: x-b", "C: d")).toEqual(["C: d"]);
  });

  it("hold the one order to send a file that the gateway gives, and none of the app's own", () => {
    const head = "HTTP/1.1 200 OK\r\nX-Sendfile: /a\r\nA: b\r\nX-Accel-Redirect: /b\r\n\r\n";
    expect(cgiResponseHead(head, { ...LIMIT, sendfile: "X-Sendfile: /c" }).block).toBe(
      "Status: 200 OK\r\nA: b\r\nX-Sendfile: /c\r\n\r\n",
    );
  });
});

describe("Location", () => {
  it("of this server with status 200 becomes Content-Location: Apache would redirect internally", () => {
    expect(fields("A: b", "location: /p", "Connection: close", "C: d")).toEqual([
      "A: b",
      "Content-location: /p",
      "C: d",
    ]);
    expect(fields("Location: /p", "Location: /q")).toEqual(["Content-Location: /p", "Content-Location: /q"]);
  });

  it("stays with any other status and with an absolute URL", () => {
    expect(translate("HTTP/1.1 302 Found", "Location: /p").block).toBe("Status: 302 Found\r\nLocation: /p\r\n\r\n");
    expect(translate("HTTP/1.1 201 Created", "Location: /p").block).toContain("\r\nLocation: /p\r\n");
    expect(fields("Location: http://a.test/")).toEqual(["Location: http://a.test/"]);
  });
});

describe("Content-Length", () => {
  it.each([
    ["0", 0],
    ["12", 12],
    ["  12 ", 12],
    ["9007199254740991", 9007199254740991],
  ])("%j is read and passed", (text, length) => {
    const head = translate("HTTP/1.1 200 OK", `content-length:${text}`);
    expect(head.contentLength).toBe(length);
    expect(head.block).toContain(`content-length:${text}\r\n`);
  });

  it("is sent once where the app set it twice", () => {
    expect(fields("Content-Length: 5", "A: b", "content-length: 5")).toEqual(["Content-Length: 5", "A: b"]);
  });

  it.each(["", "-1", "+5", "05", "5, 5", "1e3", "0x5", "12345678901234567"])("%j is refused", (text) => {
    expect(() => translate("HTTP/1.1 200 OK", `Content-Length: ${text}`)).toThrow(
      expect.objectContaining({ code: "RESPONSE_BAD_HEAD" }),
    );
  });

  it("is refused where two differ", () => {
    expect(() => translate("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6")).toThrow(
      expect.objectContaining({ code: "RESPONSE_BAD_HEAD" }),
    );
  });
});

describe("a head that would break the block", () => {
  it.each(["no field at all", " Status: 302", "\tfolded", ": no name", "A b: c"])("is refused: %j", (line) => {
    for (const text of ["b", "\xe9"]) {
      expect(() => translate("HTTP/1.1 200 OK", `A: ${text}`, line, "C: d")).toThrow(
        expect.objectContaining({ code: "RESPONSE_BAD_HEAD" }),
      );
    }
  });

  it.each(["A: b\nSet-Cookie: x", "A: b\rSet-Cookie: x", "A: \0", "A: \x1b[0m", "A: \x7f", "A: \u0100", "A\n: b"])(
    "is refused: %j",
    (line) => {
      expect(() => translate("HTTP/1.1 200 OK", line)).toThrow(expect.objectContaining({ code: "RESPONSE_BAD_HEAD" }));
      expect(() => translate(`HTTP/1.1 200 ${line}`)).toThrow(expect.objectContaining({ code: "RESPONSE_BAD_HEAD" }));
    },
  );

  it.each(["HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n", "HTTP/1.1 200 OK\r\nA: b"])(
    "is refused where its end is missing: %j",
    (head) => {
      expect(() => cgiResponseHead(head, LIMIT)).toThrow(expect.objectContaining({ code: "RESPONSE_BAD_HEAD" }));
    },
  );

  it("is refused over the limit, and warned of over nginx's buffer", () => {
    const withField = (length: number): CgiHead =>
      cgiResponseHead(`HTTP/1.1 200 OK\r\nA: ${"x".repeat(length)}\r\n\r\n`, { maxResponseHeader: 8192 });
    expect(withField(4000).warnings).toEqual([]);
    expect(withField(4100).warnings).toEqual([expect.stringContaining("fastcgi_buffer_size")]);
    expect(() => withField(8192)).toThrow(expect.objectContaining({ code: "RESPONSE_HEAD_TOO_LARGE" }));
  });
});

describe("an interim head", () => {
  const early = (...lines: string[]): CgiHead =>
    cgiResponseHead(`${lines.join("\r\n")}\r\n\r\n`, { ...LIMIT, interim: "all", sendfile: "X-Sendfile: /srv/a" });

  it.each(["100 Continue", "102 Processing", "103 Early Hints", "199 Other"])("is nothing by default: %s", (status) => {
    expect(translate(`HTTP/1.1 ${status}`, "Link: </a>")).toMatchObject({ block: "", warnings: [] });
  });

  it("is translated where the web server passes it on, but for 100, its names fit for HTTP/2", () => {
    expect(early("HTTP/1.1 100 Continue").block).toBe("");
    expect(early("HTTP/1.1 102 Processing").block).toBe("Status: 102 Processing\r\n\r\n");
    expect(early("HTTP/1.1 103 Early Hints", "Link: </a>")).toMatchObject({
      status: 103,
      block: "Status: 103 Early Hints\r\nlink: </a>\r\n\r\n",
    });
  });

  it("says nothing of connection, body or files", () => {
    const lines = ["Content-Length: two", "Connection: x-a", "X-A: b", "X-Sendfile: /etc/passwd", "Location: /b"];
    const head = early("HTTP/1.1 103 Early Hints", ...lines, "Link: </a>");
    expect(head.block).toBe("Status: 103 Early Hints\r\nlocation: /b\r\nlink: </a>\r\n\r\n");
    expect(head.contentLength).toBeUndefined();
  });
});
