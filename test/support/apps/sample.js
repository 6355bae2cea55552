/** What the sample apps have in common: their fixed answers, so that only the framework differs between them. */
import { createHash } from "node:crypto";

export const TEXT = "hello, world\n";
export const HTML = "<!doctype html><title>Prøpylon</title><p>☃ – snowman</p>\n";
export const OBJECT = { ok: true, list: [1, 2.5, null, "ü"], nested: { "a/b": "c" } };
export const BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
/** 300 KiB that do not repeat every power of two, so that a swapped or lost piece shows. */
export const BIG = Buffer.from(Array.from({ length: 300 * 1024 }, (_, i) => (i * 7 + (i >> 8)) % 251));
export const ETAG = '"sample-1"';
export const MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT";
export const EVENTS = ["data: one\n\n", "event: x\ndata: two\n\n", ": three\n\n"];
/** An app may send each of these statuses; 204 and 304 have no body. */
export const STATUSES = [200, 201, 202, 204, 206, 304, 400, 404, 409, 418, 451, 500, 503];
export const bodyOf = (status) => (status === 204 || status === 304 ? undefined : `status ${status}\n`);

export const RESPONSE_HEADERS = {
  "X-One": "1",
  "X-Many": ["a", "b, c"],
  "Cache-Control": "private, max-age=60",
  Vary: "Cookie",
  "Content-Language": "en",
  "X-Empty": "",
  Link: "</style.css>; rel=preload",
};
/** Above 0x7f; how node http writes it depends on the first chunk of the body. */
export const LATIN = "caf\xe9";
export const COOKIES = ["sid=abc123; Path=/; HttpOnly", "theme=dark; Max-Age=3600; SameSite=Lax"];

/** Headers that each hop makes anew, or that say how the body travels. */
const HOP = new Set(["connection", "keep-alive", "te", "transfer-encoding", "content-length", "expect", "x-app"]);

/** The request's headers as the app has them, in the order of their names. */
export function endToEnd(headers) {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !HOP.has(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

export const digest = (buffer) => ({
  length: buffer.length,
  sha256: createHash("sha256").update(buffer).digest("hex"),
});

/** The one range form that the table asks for: `bytes=first-last`. */
export function sliceOf(range, size) {
  const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? "");
  if (match === null) return null;
  const [first, last] = [Number(match[1]), Math.min(Number(match[2]), size - 1)];
  return first > last ? "unsatisfiable" : { first, last };
}

/** Yields `pieces` with a turn of the event loop between them. */
export async function* slowly(pieces) {
  for (const piece of pieces) {
    yield Buffer.from(piece);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
