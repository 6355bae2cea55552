/** The routes: every address of the wiki below its mount. */
import express from "express";
import { asset } from "./assets.js";
import { diffLines } from "./diff.js";
import { streamEvents } from "./events.js";
import { renderMarkup } from "./markup.js";
import { Refusal } from "./refusal.js";
import { START_PAGE, toSegment, toTitle } from "./titles.js";
import { PICTURE_ID, receivePicture } from "./upload.js";
import { aboutView } from "./views/about.js";
import { changesView, diffView, historyView, revisionView } from "./views/history.js";
import { layout } from "./views/layout.js";
import { changesList, liveView, pagesView, picturesView, searchView } from "./views/lists.js";
import { articleView, editView, missingView, newPageView, pageTools } from "./views/page.js";
import { pagePath } from "./views/parts.js";
import { authorOf, rememberAuthor, remoteUser } from "./visitor.js";

/** In bytes of UTF-8. */
const MAX_TEXT = 64 * 1024;

/**
 * @param {object} parts
 * @param {import("./settings.js").Settings} parts.settings
 * @param {import("./store.js").Store} parts.store
 * @param {import("./feed.js").Feed} parts.feed
 * @param {import("./visitor.js").FormGuard} parts.guard
 */
export function routes({ settings, store, feed, guard }) {
  const router = express.Router();
  const form = express.urlencoded({ extended: false, limit: 3 * MAX_TEXT + 4096, parameterLimit: 10 });

  /** @param {import("express").Request} req  @param {import("express").Response} res  @param {import("./views/layout.js").Body} body */
  const send = (req, res, body) => res.type("html").send(layout(frameOf(req, settings), body));
  /** @param {import("express").Request} req  @param {string} text */
  const markup = (req, text) => renderMarkup(text, { base: req.baseUrl, exists: (title) => store.exists(title) });
  /** @param {import("express").Request} req */
  const checkForm = (req) => {
    if (!guard.accepts(req, req.body?.token)) throw new Refusal(403, "forgedForm");
  };

  router.get("/", (req, res) => sendPage(req, res, START_PAGE));
  router.get("/p/:title", (req, res) => sendPage(req, res, titleOf(req)));

  /** @param {import("express").Request} req  @param {import("express").Response} res  @param {string} title */
  function sendPage(req, res, title) {
    const page = store.page(title);
    const tools = pageTools(req.baseUrl, page?.title ?? title, { written: page !== undefined, current: "read" });
    if (page === undefined) return send(req, res.status(404), { title, tools, main: missingView(req.baseUrl, title) });
    // Another spelling of the title leads to the one in use.
    if (page.title !== title) return res.redirect(302, pagePath(req.baseUrl, page.title));
    res.set("Last-Modified", new Date(page.at).toUTCString());
    send(req, res, { title: page.title, tools, main: articleView(page, markup(req, page.text)) });
  }

  router.get("/p/:title/edit", (req, res) => {
    const page = store.page(titleOf(req));
    sendEditor(req, res, {
      title: page?.title ?? titleOf(req),
      text: page?.text ?? "",
      note: "",
      number: page?.number ?? 0,
    });
  });

  router.post("/p/:title/edit", form, (req, res) => {
    checkForm(req);
    const title = store.page(titleOf(req))?.title ?? titleOf(req);
    const text = fieldOf(req, "text");
    const note = fieldOf(req, "note").slice(0, 120);
    if (Buffer.byteLength(text) > MAX_TEXT) throw new Refusal(413, "tooLarge");
    const author = rememberAuthor(req, res, fieldOf(req, "author"));
    const saved = store.save({ title, text, note, author, base: numberOf(fieldOf(req, "base")) });
    if (saved.ok) {
      feed.poll();
      return res.redirect(303, pagePath(req.baseUrl, title));
    }
    const by = saved.current;
    const conflict = by && { by, changes: changesView(diffLines(by.text, text.replace(/\r\n?/g, "\n"))) };
    sendEditor(req, res.status(409), { title, text, note, number: by?.number ?? 0, conflict });
  });

  /** @param {import("express").Request} req  @param {import("express").Response} res  @param {any} draft */
  function sendEditor(req, res, draft) {
    const known = remoteUser(req) !== undefined;
    const author = authorOf(req) || fieldOf(req, "author");
    const main = editView(req.baseUrl, { ...draft, known, author, token: guard.token(req, res) });
    const kicker = draft.number === 0 ? "New page" : "Editing";
    send(req, res, {
      title: draft.title,
      kicker,
      main,
      tools: pageTools(req.baseUrl, draft.title, { written: draft.number > 0, current: "edit" }),
    });
  }

  router.get("/p/:title/history", (req, res) => {
    const { title } = pageOf(req);
    const main = historyView(req.baseUrl, title, store.history(title));
    send(req, res, {
      title,
      kicker: "History",
      main,
      tools: pageTools(req.baseUrl, title, { written: true, current: "history" }),
    });
  });

  router.get("/p/:title/rev/:number", (req, res) => {
    const page = pageOf(req);
    const revision = revisionOf(page.title, req.params.number);
    const main = revisionView(req.baseUrl, revision, page, markup(req, revision.text), guard.token(req, res));
    send(req, res, {
      title: page.title,
      kicker: `Revision ${revision.number}`,
      main,
      tools: pageTools(req.baseUrl, page.title, { written: true }),
    });
  });

  router.get("/p/:title/diff", (req, res) => {
    const { title, number } = pageOf(req);
    const to = revisionOf(title, req.query.to ?? String(number));
    const from = revisionOf(title, req.query.from ?? String(Math.max(1, to.number - 1)));
    const main = diffView(from, to, changesView(diffLines(from.text, to.text)));
    send(req, res, { title, kicker: "What changed", main, tools: pageTools(req.baseUrl, title, { written: true }) });
  });

  router.post("/p/:title/restore", form, (req, res) => {
    checkForm(req);
    const { title } = pageOf(req);
    const { text, number } = revisionOf(title, req.body.number);
    const author = rememberAuthor(req, res, authorOf(req));
    const note = `Restored revision ${number}`;
    const saved = store.save({ title, text, note, author, base: numberOf(fieldOf(req, "base")) });
    feed.poll();
    // Somebody was faster: the history shows who.
    res.redirect(303, saved.ok ? pagePath(req.baseUrl, title) : `${req.baseUrl}/p/${toSegment(title)}/history`);
  });

  router.get("/search", (req, res) => {
    const query = String(req.query.q ?? "")
      .trim()
      .slice(0, 200);
    const title = toTitle(query);
    const offer = title !== undefined && !store.exists(title) ? title : undefined;
    send(req, res, { title: "Search", query, main: searchView(req.baseUrl, query, store.search(query), offer) });
  });

  router.get("/new", (req, res) => {
    const wish = String(req.query.title ?? "");
    const title = toTitle(wish);
    if (title !== undefined) return res.redirect(303, `${req.baseUrl}/p/${toSegment(title)}/edit`);
    if (wish !== "") throw new Refusal(400, "badTitle");
    send(req, res, { title: "A new page", current: "new", main: newPageView(req.baseUrl, wish) });
  });

  router.get("/pages", (req, res) => {
    send(req, res, { title: "All pages", current: "pages", main: pagesView(req.baseUrl, store.pages()) });
  });

  router.get("/changes", (req, res) => {
    send(req, res, {
      title: "Recent changes",
      current: "changes",
      main: changesList(req.baseUrl, store.changes(100)),
    });
  });

  router.get("/live", (req, res) => {
    const main = liveView(req.baseUrl, store.changes(20));
    send(req, res, { title: "Live", current: "live", script: "live.js", main });
  });

  router.get("/events", (req, res) => streamEvents(req, res, store, feed));

  router.get("/pictures", (req, res) => {
    const fresh = store.picture(String(req.query.new ?? ""));
    const main = picturesView(req.baseUrl, store.pictures(), guard.token(req, res), fresh);
    send(req, res, { title: "Pictures", current: "pictures", main });
  });

  router.post("/pictures", async (req, res) => {
    const allows = (/** @type {Map<string, string>} */ fields) => guard.accepts(req, fields.get("token"));
    const { fields, picture } = await receivePicture(req, settings.pictures, allows);
    const { id, bytes, fileName } = picture;
    const author = rememberAuthor(req, res, authorOf(req));
    store.addPicture({ id, name: pictureName(fields.get("name") || fileName), bytes, author, at: Date.now() });
    res.redirect(303, `${req.baseUrl}/pictures?new=${id}`);
  });

  router.get("/pictures/:id", (req, res) => {
    const { id } = req.params;
    if (!PICTURE_ID.test(id) || store.picture(id) === undefined) throw new Refusal(404, "noSuchPicture");
    res.set("Content-Security-Policy", "default-src 'none'; sandbox");
    // The name says the contents, so they never change.
    res.set("Cache-Control", "private, max-age=31536000, immutable");
    res.sendFile(id, { root: settings.pictures });
  });

  router.get("/about", (req, res) => {
    send(req, res, { title: "How this request came here", main: aboutView(req, settings.debug) });
  });

  return router;

  /** @param {import("express").Request} req */
  function pageOf(req) {
    const page = store.page(titleOf(req));
    if (page === undefined) throw new Refusal(404, "noSuchPage");
    return page;
  }

  /** @param {string} title  @param {unknown} number */
  function revisionOf(title, number) {
    const revision = store.revision(title, numberOf(number));
    if (revision === undefined) throw new Refusal(404, "noSuchRevision");
    return revision;
  }
}

/** @param {import("express").Request} req  @param {import("./settings.js").Settings} settings  @returns {import("./views/layout.js").Frame} */
export function frameOf(req, settings) {
  return { base: req.baseUrl, siteName: settings.siteName, author: authorOf(req), asset };
}

/** @param {import("express").Request} req */
function titleOf(req) {
  const title = toTitle(req.params.title);
  if (title === undefined) throw new Refusal(404, "badTitle");
  return title;
}

/** A field of a form that was sent; "" if it is not there. @param {import("express").Request} req  @param {string} name */
function fieldOf(req, name) {
  const value = req.body?.[name];
  return typeof value === "string" ? value : "";
}

/** @param {unknown} text */
function numberOf(text) {
  return typeof text === "string" && /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

/** Brackets would end the line of markup that shows the picture. @param {string} name */
function pictureName(name) {
  return (
    name
      .replace(/[\p{C}\s[\]\\]+/gu, " ")
      .trim()
      .slice(0, 120)
      .toWellFormed() || "Picture"
  );
}
