/** A plain `(req, res)` app for what happens on the wire: it reports its events to the test and waits for its word. */
import * as sample from "./sample.js";

/** @param {(id: string, event: string) => void} report @param {(id: string) => Promise<void>} told */
export function wireApp(report, told) {
  const ROUTES = {
    "/inspect": (req, res) => {
      const { method, url, baseUrl, originalUrl, headers, rawHeaders, httpVersion } = req;
      const { remoteAddress } = req.socket;
      json(res, { method, url, baseUrl, originalUrl, headers, rawHeaders, httpVersion, remoteAddress });
    },
    "/digest": async (req, res) => json(res, sample.digest(await sample.collect(req))),
    "/bytes": (req, res) => void res.writeHead(200, { "Content-Type": "application/octet-stream" }).end(sample.BIG),
    "/cookies": (req, res) => {
      res.setHeader("Set-Cookie", sample.COOKIES);
      json(res, { cookie: req.headers.cookie });
    },
    // The second half is written when the test says that it has the first.
    "/halves": async (req, res, id) => {
      res.writeHead(200, { "Content-Type": "text/plain" });
      res.write("first half, ");
      await told(id);
      res.end("second half");
    },
    // The answer comes when the test says so, too.
    "/hints": async (_req, res, id) => {
      res.writeEarlyHints({ link: "</style.css>; rel=preload" });
      await told(id);
      res.end("the answer");
    },
    "/hang": (req, res, id) => watch(req, res, id),
    "/drip": (req, res, id) => {
      watch(req, res, id);
      res.writeHead(200, { "Content-Type": "text/plain" });
      const timer = setInterval(() => res.write("drop "), 20);
      res.once("close", () => clearInterval(timer));
    },
    "/sink": (req, res, id) => {
      watch(req, res, id);
      req.on("data", () => {});
      req.on("end", () => res.end("all of it"));
    },
    "/break": async (req, res) => {
      const length = new URL(req.url, "http://x").searchParams.get("length");
      res.writeHead(200, { "Content-Type": "text/plain", ...(length === null ? {} : { "Content-Length": length }) });
      res.write("the beginning ");
      await new Promise((resolve) => setTimeout(resolve, 100));
      res.destroy(new Error("broken on purpose"));
    },
    "/early": (req, res) => json(res, { read: false }),
  };

  function watch(req, res, id) {
    report(id, "request");
    req.once("aborted", () => report(id, "req aborted"));
    req.once("error", (error) => report(id, `req error ${error.code}`));
    req.once("close", () => report(id, "req close"));
    res.once("close", () => report(id, `res close, ${res.writableFinished ? "finished" : "unfinished"}`));
  }

  return (req, res) => {
    const { pathname, searchParams } = new URL(req.url, "http://x");
    const route = ROUTES[pathname];
    if (route === undefined) return ROUTES["/inspect"](req, res);
    return route(req, res, searchParams.get("id"));
  };
}

function json(res, value) {
  res.setHeader("Content-Type", "application/json");
  res.end(JSON.stringify(value));
}
