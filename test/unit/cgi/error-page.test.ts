import { STATUS_CODES } from "node:http";
import { describe, expect, it } from "vitest";

import { errorAnswer } from "../../../src/cgi/error-page.ts";
import { reasonPhrase } from "../../../src/cgi/reason-phrases.ts";

describe("errorAnswer", () => {
  it("is the status in plain text, nothing to sniff and nothing else to see", () => {
    expect(errorAnswer(500)).toEqual({
      block:
        "Status: 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n" +
        "X-Content-Type-Options: nosniff\r\nContent-Length: 26\r\n\r\n",
      body: "500 Internal Server Error\n",
    });
  });

  it.each([400, 408, 413, 431, 502, 503, 504])("counts the bytes of its body: %i", (status) => {
    const { block, body } = errorAnswer(status);
    expect(block).toContain(`\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`);
    expect(body).toBe(`${status} ${STATUS_CODES[status]}\n`);
  });

  it("takes headers of ours", () => {
    expect(errorAnswer(503, [["Retry-After", "1"]]).block).toMatch(/\r\nRetry-After: 1\r\n\r\n$/);
  });
});

describe("reasonPhrase", () => {
  it("says what node says for every final status that node knows", () => {
    const known = Object.keys(STATUS_CODES).filter((code) => Number(code) >= 200 && code !== "509");
    expect(known.map((code) => [code, reasonPhrase(Number(code))])).toEqual(
      known.map((code) => [code, STATUS_CODES[code]]),
    );
  });

  it("is never empty", () => {
    expect(reasonPhrase(299)).toBe("Unknown");
  });
});
