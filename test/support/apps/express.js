/** The sample app in Express 5. */
import { Readable } from "node:stream";

import express from "express";

import * as sample from "./sample.js";

export const app = express();
app.set("env", "production");

app.get("/", (req, res) => void res.type("text").send("home\n"));
app.get("/text", (req, res) => void res.type("text").send(sample.TEXT));
app.get("/html", (req, res) => void res.send(sample.HTML));
app.get("/json", (req, res) => void res.json(sample.OBJECT));
app.get("/empty", (req, res) => void res.end());
app.get("/bytes", (req, res) => void res.send(sample.BYTES));
app.get("/big", (req, res) => void res.type("bin").send(sample.BIG));
app.get("/length", (req, res) => {
  res.set({ "Content-Type": "text/plain", "Content-Length": String(sample.TEXT.length) });
  res.write(sample.TEXT.slice(0, 5));
  res.end(sample.TEXT.slice(5));
});
app.get("/stream", (req, res) => {
  res.type("text");
  Readable.from(sample.slowly(["one ", "two ", "three\n"])).pipe(res);
});
app.get("/events", (req, res) => {
  res.set({ "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  res.flushHeaders();
  Readable.from(sample.slowly(sample.EVENTS)).pipe(res);
});

app.get("/status/:code", (req, res) => {
  const status = Number(req.params.code);
  res.status(status).type("text").send(sample.bodyOf(status));
});
app.get("/redirect", (req, res) => res.redirect("text"));
app.get("/redirect/path", (req, res) => res.redirect(301, `${req.baseUrl}/text`));
app.get("/redirect/url", (req, res) => res.redirect(307, "https://example.com/x?y=1"));
app.post("/redirect/see-other", (req, res) => res.redirect(303, "/text"));

app.get("/cookies/set", (req, res) => void res.append("Set-Cookie", sample.COOKIES).type("text").send("set\n"));
app.get("/cookies/read", (req, res) => void res.type("text").send(req.get("cookie") ?? "none"));
app.get("/headers/set", (req, res) => void res.set(sample.RESPONSE_HEADERS).type("text").send("set\n"));
app.get("/headers/latin", (req, res) => void res.set("X-Latin", sample.LATIN).type("text").send("set\n"));
app.get("/headers", (req, res) => void res.json(sample.endToEnd(req.headers)));

app.get("/etag", (req, res) => void res.set("ETag", sample.ETAG).type("text").send(sample.TEXT));
app.get("/modified", (req, res) => void res.set("Last-Modified", sample.MODIFIED).type("text").send(sample.TEXT));
app.get("/range", (req, res) => {
  const slice = sample.sliceOf(req.get("range"), sample.BYTES.length);
  res.type("bin").set("Accept-Ranges", "bytes");
  if (slice === null) res.send(sample.BYTES);
  else if (slice === "unsatisfiable") res.status(416).set("Content-Range", `bytes */${sample.BYTES.length}`).end();
  else {
    res.status(206).set("Content-Range", `bytes ${slice.first}-${slice.last}/${sample.BYTES.length}`);
    res.send(sample.BYTES.subarray(slice.first, slice.last + 1));
  }
});
app.get("/auth", (req, res) => {
  const credentials = req.get("authorization");
  if (credentials === undefined) res.status(401).set("WWW-Authenticate", 'Basic realm="sample"').end("who?\n");
  else res.type("text").send(credentials);
});
app.get("/download", (req, res) => void res.attachment("naïve ☃.txt").send(sample.TEXT));

app.get("/query", (req, res) => void res.json({ url: req.url, query: req.query }));
app.all("/path/{*rest}", (req, res) => {
  res.json({ method: req.method, url: req.url, mount: req.baseUrl, original: req.originalUrl });
});
app.options("/options", (req, res) => void res.status(204).set("Allow", "GET, OPTIONS, POST").end());

app.post("/form", express.urlencoded({ extended: false }), (req, res) => void res.json({ form: { ...req.body } }));
app.post("/json", express.json(), (req, res) => void res.json({ got: req.body }));
app.post("/echo", express.raw({ type: () => true, limit: "1mb" }), (req, res) => {
  res.set("Content-Type", req.get("content-type") ?? "application/octet-stream");
  res.end(Buffer.isBuffer(req.body) ? req.body : "");
});
app.post("/pipe", (req, res) => void req.pipe(res.set("Content-Type", "application/octet-stream")));
app.post("/digest", async (req, res) => void res.json(sample.digest(await sample.collect(req))));
app.route("/item/:id").put(item).patch(item).delete(item);
app.post("/unread", (req, res) => void res.type("text").send("not read\n"));

app.get("/throw", () => {
  throw new Error("thrown on purpose");
});
app.get("/throw-async", async () => {
  await null;
  throw new Error("rejected on purpose");
});

async function item(req, res) {
  res.json({ method: req.method, id: req.params.id, ...sample.digest(await sample.collect(req)) });
}
