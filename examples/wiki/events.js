/** The stream of edits, as server-sent events. */
import { pagePath } from "./views/parts.js";

/** A comment goes out so often, in milliseconds, lest a web server take the silence for a dead app. */
const HEARTBEAT = 15_000;
/** So many missed edits are made good to a browser that comes back. */
const MAX_REPLAY = 100;

/**
 * Sends each edit from now on, and those since `Last-Event-ID` to a browser that had lost the connection.
 *
 * @param {import("express").Request} req
 * @param {import("express").Response} res
 * @param {import("./store.js").Store} store
 * @param {import("./feed.js").Feed} feed
 */
export function streamEvents(req, res, store, feed) {
  res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  if (req.method === "HEAD") return void res.end();
  res.write("retry: 2000\n\n");
  const write = (/** @type {string} */ text) => {
    if (!res.writableNeedDrain) return void res.write(text);
    // One who does not read is let go, and asks for the rest when back.
    stop();
    res.end();
  };
  const tell = (/** @type {import("./store.js").Revision} */ revision) => write(toEvent(req.baseUrl, revision));
  const unsubscribe = feed.subscribe(tell);
  const heartbeat = setInterval(() => write(": still here\n\n"), HEARTBEAT).unref();
  const stop = () => {
    unsubscribe();
    clearInterval(heartbeat);
  };
  res.once("close", stop);
  const lastSeen = Number(req.headers["last-event-id"]);
  if (Number.isSafeInteger(lastSeen) && lastSeen > 0)
    for (const revision of store.changesAfter(lastSeen, MAX_REPLAY)) if (!res.writableEnded) tell(revision);
}

/** @param {string} base  @param {import("./store.js").Revision} revision */
function toEvent(base, { id, title, number, author, note, at }) {
  const data = JSON.stringify({ title, number, author, note, at, href: pagePath(base, title) });
  return `id: ${id}\nevent: edit\ndata: ${data}\n\n`;
}
