/** The sample app in Hono: web `Request` and `Response`. */
import { Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { etag } from "hono/etag";
import { stream, streamSSE } from "hono/streaming";

import * as sample from "./sample.js";

export const app = new Hono();

app.get("/", (c) => c.text("home\n"));
app.get("/text", (c) => c.text(sample.TEXT));
app.get("/html", (c) => c.html(sample.HTML));
app.get("/json", (c) => c.json(sample.OBJECT));
app.get("/empty", (c) => c.body(null));
app.get("/bytes", (c) => c.body(sample.BYTES, 200, { "Content-Type": "application/octet-stream" }));
app.get("/big", (c) => c.body(sample.BIG, 200, { "Content-Type": "application/octet-stream" }));
app.get("/length", (c) => c.body(sample.TEXT, 200, { "Content-Length": String(sample.TEXT.length) }));
app.get("/stream", (c) => {
  c.header("Content-Type", "text/plain");
  return stream(c, async (out) => {
    for await (const piece of sample.slowly(["one ", "two ", "three\n"])) await out.write(piece);
  });
});
app.get("/events", (c) =>
  streamSSE(c, async (out) => {
    for (const data of ["one", "two", "three"]) {
      await out.writeSSE({ data, event: "count" });
      await out.sleep(5);
    }
  }),
);

app.get("/status/:code", (c) => {
  const status = Number(c.req.param("code"));
  return c.body(sample.bodyOf(status) ?? null, status, { "Content-Type": "text/plain" });
});
app.get("/redirect", (c) => c.redirect("text"));
app.get("/redirect/path", (c) => c.redirect("/text", 301));
app.get("/redirect/url", (c) => c.redirect("https://example.com/x?y=1", 307));
app.post("/redirect/see-other", (c) => c.redirect("/text", 303));

app.get("/cookies/set", (c) => {
  setCookie(c, "sid", "abc123", { httpOnly: true });
  setCookie(c, "theme", "dark", { maxAge: 3600, sameSite: "Lax" });
  deleteCookie(c, "old");
  return c.text("set\n");
});
app.get("/cookies/read", (c) => c.json(getCookie(c)));
app.get("/headers/set", (c) => {
  for (const [name, value] of Object.entries(sample.RESPONSE_HEADERS)) {
    for (const each of [value].flat()) c.header(name, each, { append: true });
  }
  return c.text("set\n");
});
app.get("/headers/latin", (c) => c.text("set\n", 200, { "X-Latin": sample.LATIN }));
app.get("/headers", (c) => c.json(sample.endToEnd(c.req.header())));

app.use("/etag", etag());
app.get("/etag", (c) => {
  c.header("ETag", sample.ETAG);
  return c.text(sample.TEXT);
});
app.get("/modified", (c) => {
  c.header("Last-Modified", sample.MODIFIED);
  return c.req.header("if-modified-since") === sample.MODIFIED ? c.body(null, 304) : c.text(sample.TEXT);
});
app.get("/range", (c) => {
  const slice = sample.sliceOf(c.req.header("range"), sample.BYTES.length);
  c.header("Content-Type", "application/octet-stream");
  c.header("Accept-Ranges", "bytes");
  if (slice === null) return c.body(sample.BYTES);
  if (slice === "unsatisfiable") return c.body(null, 416, { "Content-Range": `bytes */${sample.BYTES.length}` });
  c.header("Content-Range", `bytes ${slice.first}-${slice.last}/${sample.BYTES.length}`);
  return c.body(sample.BYTES.subarray(slice.first, slice.last + 1), 206);
});
app.get("/auth", (c) => {
  const credentials = c.req.header("authorization");
  if (credentials !== undefined) return c.text(credentials);
  return c.text("who?\n", 401, { "WWW-Authenticate": 'Basic realm="sample"' });
});

app.get("/query", (c) => c.json({ url: c.req.url, query: c.req.query(), all: c.req.queries() }));
app.all("/path/*", (c) => c.json({ method: c.req.method, url: c.req.url, path: c.req.path }));
app.options("/options", (c) => c.body(null, 204, { Allow: "GET, OPTIONS, POST" }));

app.post("/form", async (c) => c.json({ form: await c.req.parseBody({ all: true }) }));
app.post("/json", async (c) => {
  try {
    return c.json({ got: await c.req.json() });
  } catch {
    return c.json({ error: "no JSON" }, 400);
  }
});
app.post("/echo", async (c) => {
  const type = c.req.header("content-type") ?? "application/octet-stream";
  return c.body(await c.req.arrayBuffer(), 200, { "Content-Type": type });
});
app.post("/pipe", (c) => c.body(c.req.raw.body, 200, { "Content-Type": "application/octet-stream" }));
app.post("/digest", async (c) => c.json(sample.digest(Buffer.from(await c.req.arrayBuffer()))));
app.on(["PUT", "PATCH", "DELETE"], "/item/:id", async (c) => {
  const body = Buffer.from(await c.req.arrayBuffer());
  return c.json({ method: c.req.method, id: c.req.param("id"), ...sample.digest(body) });
});
app.post("/unread", (c) => c.text("not read\n"));

app.get("/throw", () => {
  throw new Error("thrown on purpose");
});
app.get("/throw-async", async () => {
  await null;
  throw new Error("rejected on purpose");
});
