import { sendFile } from "propylon";

/** Sends the files below a directory to whom it likes: the web server does the sending, where it may. */
export function makeApp(_globalConf, { directory }) {
  return async (req, res) => {
    if (req.headers.cookie !== "member=yes") {
      res.writeHead(403, { "Content-Type": "text/plain; charset=utf-8" }).end("For members\n");
      return;
    }
    const name = decodeURIComponent(req.url.split("?", 1)[0]);
    res.setHeader("Cache-Control", "private");
    await sendFile(res, name, { root: directory });
  };
}
