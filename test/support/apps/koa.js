/** The sample app in Koa 3. */
import { Readable } from "node:stream";

import Koa from "koa";

import * as sample from "./sample.js";

export const app = new Koa();
app.silent = true;

const TEXT_TYPE = "text/plain; charset=utf-8";

function answer(ctx, body, type = TEXT_TYPE) {
  ctx.type = type;
  ctx.body = body;
}

const ROUTES = {
  "GET /": (ctx) => answer(ctx, "home\n"),
  "GET /text": (ctx) => answer(ctx, sample.TEXT),
  "GET /html": (ctx) => void (ctx.body = sample.HTML),
  "GET /json": (ctx) => void (ctx.body = sample.OBJECT),
  "GET /empty": (ctx) => {
    ctx.status = 200;
    ctx.body = "";
  },
  "GET /bytes": (ctx) => void (ctx.body = sample.BYTES),
  "GET /big": (ctx) => void (ctx.body = sample.BIG),
  "GET /length": (ctx) => {
    ctx.respond = false;
    ctx.res.writeHead(200, { "Content-Type": "text/plain", "Content-Length": sample.TEXT.length });
    ctx.res.write(sample.TEXT.slice(0, 5));
    ctx.res.end(sample.TEXT.slice(5));
  },
  "GET /stream": (ctx) => answer(ctx, Readable.from(sample.slowly(["one ", "two ", "three\n"]))),
  "GET /events": (ctx) => {
    ctx.set({ "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    ctx.status = 200;
    ctx.flushHeaders();
    ctx.body = Readable.from(sample.slowly(sample.EVENTS));
  },
  "GET /redirect": (ctx) => ctx.redirect("text"),
  "GET /redirect/path": (ctx) => {
    ctx.status = 301;
    ctx.redirect(`${ctx.req.baseUrl ?? ""}/text`);
  },
  "GET /redirect/url": (ctx) => {
    ctx.status = 307;
    ctx.redirect("https://example.com/x?y=1");
  },
  "POST /redirect/see-other": (ctx) => {
    ctx.status = 303;
    ctx.redirect("/text");
  },
  "GET /cookies/set": (ctx) => {
    ctx.cookies.set("sid", "abc123");
    ctx.cookies.set("theme", "dark", { expires: new Date(1e12), sameSite: "lax", httpOnly: false });
    answer(ctx, "set\n");
  },
  "GET /cookies/read": (ctx) => answer(ctx, ctx.cookies.get("b") ?? ctx.get("cookie")),
  "GET /headers/set": (ctx) => {
    ctx.set(sample.RESPONSE_HEADERS);
    answer(ctx, "set\n");
  },
  "GET /headers/latin": (ctx) => {
    ctx.set("X-Latin", sample.LATIN);
    answer(ctx, "set\n");
  },
  "GET /headers": (ctx) => void (ctx.body = sample.endToEnd(ctx.headers)),
  "GET /etag": (ctx) => {
    ctx.etag = sample.ETAG;
    answer(ctx, sample.TEXT);
    if (ctx.fresh) ctx.status = 304;
  },
  "GET /modified": (ctx) => {
    ctx.set("Last-Modified", sample.MODIFIED);
    answer(ctx, sample.TEXT);
    if (ctx.fresh) ctx.status = 304;
  },
  "GET /range": (ctx) => {
    const slice = sample.sliceOf(ctx.headers.range, sample.BYTES.length);
    ctx.set("Accept-Ranges", "bytes");
    if (slice === null) ctx.body = sample.BYTES;
    else if (slice === "unsatisfiable") {
      ctx.set("Content-Range", `bytes */${sample.BYTES.length}`);
      ctx.status = 416;
    } else {
      ctx.status = 206;
      ctx.set("Content-Range", `bytes ${slice.first}-${slice.last}/${sample.BYTES.length}`);
      ctx.body = sample.BYTES.subarray(slice.first, slice.last + 1);
    }
  },
  "GET /auth": (ctx) => {
    const { authorization } = ctx.headers;
    if (authorization === undefined)
      ctx.throw(401, "who?", { headers: { "WWW-Authenticate": 'Basic realm="sample"' } });
    answer(ctx, authorization);
  },
  "GET /download": (ctx) => {
    ctx.attachment("naïve ☃.txt");
    answer(ctx, sample.TEXT);
  },
  "GET /query": (ctx) => void (ctx.body = { url: ctx.url, query: { ...ctx.query }, search: ctx.search }),
  "OPTIONS /options": (ctx) => {
    ctx.status = 204;
    ctx.set("Allow", "GET, OPTIONS, POST");
  },
  "POST /form": async (ctx) => {
    ctx.body = { form: [...new URLSearchParams(String(await sample.collect(ctx.req)))] };
  },
  "POST /json": async (ctx) => {
    try {
      ctx.body = { got: JSON.parse(String(await sample.collect(ctx.req))) };
    } catch {
      ctx.throw(400, "no JSON");
    }
  },
  "POST /echo": async (ctx) => {
    const body = await sample.collect(ctx.req);
    answer(ctx, body, ctx.get("content-type") || "application/octet-stream");
  },
  "POST /pipe": (ctx) => answer(ctx, ctx.req, "application/octet-stream"),
  "POST /digest": async (ctx) => void (ctx.body = sample.digest(await sample.collect(ctx.req))),
  "POST /unread": (ctx) => answer(ctx, "not read\n"),
  "GET /throw": () => {
    throw new Error("thrown on purpose");
  },
  "GET /throw-async": async () => {
    await null;
    throw new Error("rejected on purpose");
  },
};

app.use(async (ctx, next) => {
  const [, first, rest] = /^\/([^/]*)(?:\/(.*))?$/s.exec(ctx.path) ?? [];
  if (first === "status") {
    ctx.status = Number(rest);
    if (sample.bodyOf(ctx.status) !== undefined) answer(ctx, sample.bodyOf(ctx.status));
  } else if (first === "path") {
    ctx.body = { method: ctx.method, url: ctx.url, mount: ctx.req.baseUrl ?? "", href: ctx.href };
  } else if (first === "item") {
    ctx.body = { method: ctx.method, id: rest, ...sample.digest(await sample.collect(ctx.req)) };
  } else await next();
});
app.use(async (ctx) => {
  await ROUTES[`${ctx.method === "HEAD" ? "GET" : ctx.method} ${ctx.path}`]?.(ctx);
});

export const handler = app.callback();
