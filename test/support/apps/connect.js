/** The sample app in Connect: middleware on node's own req and res, nothing more. */
import { Readable } from "node:stream";

import connect from "connect";

import * as sample from "./sample.js";

export const app = connect();

const text = (res, body, type = "text/plain; charset=utf-8") => {
  res.setHeader("Content-Type", type);
  res.end(body);
};
const json = (res, value) => text(res, JSON.stringify(value), "application/json");

const ROUTES = {
  "GET /": (req, res) => text(res, "home\n"),
  "GET /text": (req, res) => text(res, sample.TEXT),
  "GET /html": (req, res) => text(res, sample.HTML, "text/html; charset=utf-8"),
  "GET /json": (req, res) => json(res, sample.OBJECT),
  "GET /empty": (req, res) => void res.end(),
  "GET /bytes": (req, res) => text(res, sample.BYTES, "application/octet-stream"),
  "GET /big": (req, res) => text(res, sample.BIG, "application/octet-stream"),
  "GET /length": (req, res) => {
    res.writeHead(200, { "Content-Type": "text/plain", "Content-Length": sample.TEXT.length });
    res.write(sample.TEXT.slice(0, 5));
    res.end(sample.TEXT.slice(5));
  },
  "GET /stream": (req, res) => {
    res.setHeader("Content-Type", "text/plain");
    Readable.from(sample.slowly(["one ", "two ", "three\n"])).pipe(res);
  },
  "GET /events": (req, res) => {
    res.writeHead(200, ["Content-Type", "text/event-stream", "Cache-Control", "no-cache"]);
    res.flushHeaders();
    Readable.from(sample.slowly(sample.EVENTS)).pipe(res);
  },
  "GET /redirect": (req, res) => void res.writeHead(302, { Location: "text" }).end(),
  "GET /redirect/path": (req, res) => void res.writeHead(301, { Location: `${req.baseUrl ?? ""}/text` }).end(),
  "GET /redirect/url": (req, res) => void res.writeHead(307, { Location: "https://example.com/x?y=1" }).end(),
  "POST /redirect/see-other": (req, res) => void res.writeHead(303, { Location: "/text" }).end(),
  "GET /cookies/set": (req, res) => {
    res.setHeader("Set-Cookie", sample.COOKIES);
    text(res, "set\n");
  },
  "GET /cookies/read": (req, res) => text(res, req.headers.cookie ?? "none"),
  "GET /headers/set": (req, res) => {
    res.setHeaders(new Map(Object.entries(sample.RESPONSE_HEADERS)));
    text(res, "set\n");
  },
  "GET /headers/latin": (req, res) => {
    res.setHeader("X-Latin", sample.LATIN);
    text(res, req.headers["x-body"] === "bytes" ? Buffer.from("set\n") : "set\n");
  },
  "GET /headers": (req, res) => json(res, sample.endToEnd(req.headers)),
  "GET /etag": (req, res) => {
    res.setHeader("ETag", sample.ETAG);
    if (req.headers["if-none-match"] === sample.ETAG) res.writeHead(304).end();
    else text(res, sample.TEXT);
  },
  "GET /modified": (req, res) => {
    res.setHeader("Last-Modified", sample.MODIFIED);
    if (req.headers["if-modified-since"] === sample.MODIFIED) res.writeHead(304).end();
    else text(res, sample.TEXT);
  },
  "GET /range": (req, res) => {
    const slice = sample.sliceOf(req.headers.range, sample.BYTES.length);
    res.setHeader("Accept-Ranges", "bytes");
    if (slice === null) text(res, sample.BYTES, "application/octet-stream");
    else if (slice === "unsatisfiable") {
      res.writeHead(416, { "Content-Range": `bytes */${sample.BYTES.length}` }).end();
    } else {
      res.statusCode = 206;
      res.setHeader("Content-Range", `bytes ${slice.first}-${slice.last}/${sample.BYTES.length}`);
      text(res, sample.BYTES.subarray(slice.first, slice.last + 1), "application/octet-stream");
    }
  },
  "GET /auth": (req, res) => {
    if (req.headers.authorization !== undefined) text(res, req.headers.authorization);
    else res.writeHead(401, { "WWW-Authenticate": 'Basic realm="sample"' }).end("who?\n");
  },
  "GET /query": (req, res) => {
    const { searchParams } = new URL(`http://x${req.url}`);
    json(res, { url: req.url, query: [...searchParams] });
  },
  "OPTIONS /options": (req, res) => void res.writeHead(204, { Allow: "GET, OPTIONS, POST" }).end(),
  "POST /form": async (req, res) => {
    json(res, { form: [...new URLSearchParams(String(await sample.collect(req)))] });
  },
  "POST /json": async (req, res) => json(res, { got: JSON.parse(String(await sample.collect(req))) }),
  "POST /echo": async (req, res) => {
    text(res, await sample.collect(req), req.headers["content-type"] ?? "application/octet-stream");
  },
  "POST /pipe": (req, res) => {
    res.setHeader("Content-Type", "application/octet-stream");
    req.pipe(res);
  },
  "POST /digest": async (req, res) => json(res, sample.digest(await sample.collect(req))),
  "POST /unread": (req, res) => text(res, "not read\n"),
  "GET /throw": () => {
    throw new Error("thrown on purpose");
  },
};

app.use("/status", (req, res) => {
  const status = Number(req.url.slice(1));
  res.writeHead(status, { "Content-Type": "text/plain" }).end(sample.bodyOf(status));
});
app.use("/path", (req, res) => {
  json(res, { method: req.method, url: req.url, mount: req.baseUrl ?? "", original: req.originalUrl });
});
app.use("/item", (req, res, next) => {
  const answer = (body) => json(res, { method: req.method, id: req.url.slice(1), ...sample.digest(body) });
  sample.collect(req).then(answer).catch(next);
});
app.use((req, res, next) => {
  const method = req.method === "HEAD" ? "GET" : req.method;
  const route = ROUTES[`${method} ${req.url.split("?", 1)[0]}`];
  if (route === undefined) return next();
  const running = route(req, res);
  if (running instanceof Promise) running.catch(next);
});
