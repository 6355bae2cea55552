/** The wiki as an app: the factory that an `.ini` file names. */
import { STATUS_CODES } from "node:http";
import express from "express";
import { assets } from "./assets.js";
import { Feed } from "./feed.js";
import { Refusal } from "./refusal.js";
import { frameOf, routes } from "./routes.js";
import { seed } from "./seed.js";
import { readSettings } from "./settings.js";
import { Store } from "./store.js";
import { errorView } from "./views/error.js";
import { layout } from "./views/layout.js";
import { FormGuard } from "./visitor.js";

const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "Referrer-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  // A page names its reader, and is asked for anew each time: with its ETag that costs a 304.
  "Cache-Control": "private, no-cache",
};

/**
 * Paste's app factory. Opens the database, and fills a new one with the first pages.
 *
 * @param {Record<string, string>} globalConf  `[DEFAULT]`
 * @param {Record<string, string>} localConf  `database`, `secret`, `pictures`, `site_name`, `debug`
 * @returns {import("express").Express}
 */
export function makeApp(globalConf, localConf) {
  const settings = readSettings(globalConf, localConf);
  const store = new Store(settings.database);
  seed(store);

  const app = express();
  app.disable("x-powered-by");
  app.use("/static", assets());
  app.use((_req, res, next) => {
    res.set(HEADERS);
    next();
  });
  app.use(routes({ settings, store, feed: new Feed(store), guard: new FormGuard(settings.secret) }));
  app.use(() => {
    throw new Refusal(404, "noSuchPage");
  });
  app.use(errorPage(settings));
  return app;
}

/**
 * @param {import("./settings.js").Settings} settings
 * @returns {import("express").ErrorRequestHandler}
 */
function errorPage(settings) {
  return (error, req, res, next) => {
    const status = error?.status >= 400 && error?.status < 600 ? error.status : 500;
    // The web server's error log, where there is one.
    if (status >= 500) (req.socket.errorStream ?? process.stderr).write(`${error?.stack ?? error}\n`);
    if (res.headersSent) return next(error);
    const title = error instanceof Refusal ? error.title : (STATUS_CODES[status] ?? "Error");
    const told = error instanceof Refusal || error?.expose === true;
    const explanation = told ? error.message : "The wiki could not answer this request.";
    const main = errorView(req.baseUrl, explanation, settings.debug && status >= 500 ? error?.stack : undefined);
    // What was said about the page that failed does not hold for this one.
    res.removeHeader("Last-Modified");
    res
      .status(status)
      .type("html")
      .send(layout(frameOf(req, settings), { title, kicker: String(status), main }));
  };
}
