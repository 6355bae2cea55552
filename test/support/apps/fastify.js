/** The sample app in Fastify 5. */
import { Readable } from "node:stream";

import Fastify from "fastify";

import * as sample from "./sample.js";

export const app = Fastify({ exposeHeadRoutes: true, bodyLimit: 1024 * 1024 });

const TEXT_TYPE = "text/plain; charset=utf-8";

app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, async (request, body) => [
  ...new URLSearchParams(body),
]);
app.addContentTypeParser("*", { parseAs: "buffer" }, async (request, body) => body);
// These two take the body as it comes: the parser leaves it alone.
app.addContentTypeParser("application/x-stream", (request, payload, done) => done(null, payload));

app.get("/", async (request, reply) => reply.type(TEXT_TYPE).send("home\n"));
app.get("/text", async (request, reply) => reply.type(TEXT_TYPE).send(sample.TEXT));
app.get("/html", async (request, reply) => reply.type("text/html; charset=utf-8").send(sample.HTML));
app.get("/json", async () => sample.OBJECT);
app.get("/empty", async (request, reply) => reply.send());
app.get("/bytes", async (request, reply) => reply.send(sample.BYTES));
app.get("/big", async (request, reply) => reply.send(sample.BIG));
app.get("/length", (request, reply) => {
  reply.hijack();
  reply.raw.writeHead(200, { "Content-Type": "text/plain", "Content-Length": sample.TEXT.length });
  reply.raw.write(sample.TEXT.slice(0, 5));
  reply.raw.end(sample.TEXT.slice(5));
});
app.get("/stream", async (request, reply) => {
  return reply.type(TEXT_TYPE).send(Readable.from(sample.slowly(["one ", "two ", "three\n"])));
});
app.get("/events", async (request, reply) => {
  return reply
    .headers({ "Content-Type": "text/event-stream", "Cache-Control": "no-cache" })
    .send(Readable.from(sample.slowly(sample.EVENTS)));
});

app.get("/status/:code", async (request, reply) => {
  const status = Number(request.params.code);
  return reply.code(status).type(TEXT_TYPE).send(sample.bodyOf(status));
});
app.get("/redirect", async (request, reply) => reply.redirect("text"));
app.get("/redirect/path", async (request, reply) => reply.redirect(`${request.raw.baseUrl ?? ""}/text`, 301));
app.get("/redirect/url", async (request, reply) => reply.redirect("https://example.com/x?y=1", 307));
app.post("/redirect/see-other", async (request, reply) => reply.redirect("/text", 303));

app.get("/cookies/set", async (request, reply) => {
  return reply.header("Set-Cookie", sample.COOKIES).type(TEXT_TYPE).send("set\n");
});
app.get("/cookies/read", async (request, reply) => reply.type(TEXT_TYPE).send(request.headers.cookie ?? "none"));
app.get("/headers/set", async (request, reply) => {
  return reply.headers(sample.RESPONSE_HEADERS).type(TEXT_TYPE).send("set\n");
});
app.get("/headers/latin", async (request, reply) =>
  reply.header("X-Latin", sample.LATIN).type(TEXT_TYPE).send("set\n"),
);
app.get("/headers", async (request) => sample.endToEnd(request.headers));

app.get("/etag", async (request, reply) => {
  reply.header("ETag", sample.ETAG);
  if (request.headers["if-none-match"] === sample.ETAG) return reply.code(304).send();
  return reply.type(TEXT_TYPE).send(sample.TEXT);
});
app.get("/modified", async (request, reply) => {
  reply.header("Last-Modified", sample.MODIFIED);
  if (request.headers["if-modified-since"] === sample.MODIFIED) return reply.code(304).send();
  return reply.type(TEXT_TYPE).send(sample.TEXT);
});
app.get("/range", async (request, reply) => {
  const slice = sample.sliceOf(request.headers.range, sample.BYTES.length);
  reply.header("Accept-Ranges", "bytes");
  if (slice === null) return reply.send(sample.BYTES);
  if (slice === "unsatisfiable") {
    return reply.code(416).header("Content-Range", `bytes */${sample.BYTES.length}`).send();
  }
  reply.code(206).header("Content-Range", `bytes ${slice.first}-${slice.last}/${sample.BYTES.length}`);
  return reply.send(sample.BYTES.subarray(slice.first, slice.last + 1));
});
app.get("/auth", async (request, reply) => {
  const { authorization } = request.headers;
  if (authorization !== undefined) return reply.type(TEXT_TYPE).send(authorization);
  return reply.code(401).header("WWW-Authenticate", 'Basic realm="sample"').send("who?\n");
});

app.get("/query", async (request) => ({ url: request.url, query: request.query }));
app.route({
  method: ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"],
  exposeHeadRoute: false,
  url: "/path/*",
  handler: async (request) => ({
    method: request.method,
    url: request.raw.url,
    mount: request.raw.baseUrl ?? "",
    host: request.host,
    rest: request.params["*"],
  }),
});
app.options("/options", async (request, reply) => reply.code(204).header("Allow", "GET, OPTIONS, POST").send());

app.post("/form", async (request) => ({ form: request.body }));
app.post("/json", async (request) => ({ got: request.body }));
app.post("/echo", async (request, reply) => {
  return reply
    .type(request.headers["content-type"] ?? "application/octet-stream")
    .send(
      typeof request.body === "object" && !Buffer.isBuffer(request.body) ? JSON.stringify(request.body) : request.body,
    );
});
app.post("/pipe", async (request, reply) => reply.type("application/octet-stream").send(request.body));
app.post("/digest", async (request) => sample.digest(await bodyOf(request)));
app.route({
  method: ["PUT", "PATCH", "DELETE"],
  url: "/item/:id",
  handler: async (request) => ({
    method: request.method,
    id: request.params.id,
    ...sample.digest(await bodyOf(request)),
  }),
});
app.post("/unread", { onRequest: async (request, reply) => reply.type(TEXT_TYPE).send("not read\n") }, async () => {});

app.get("/throw", () => {
  throw new Error("thrown on purpose");
});
app.get("/throw-async", async () => {
  await null;
  throw new Error("rejected on purpose");
});

async function bodyOf({ body }) {
  if (body === undefined || body === null) return Buffer.alloc(0);
  return Buffer.isBuffer(body) ? body : sample.collect(body);
}

await app.ready();
