/**
 * The process that hosts the sample apps: the parent tells it what to listen on, and it answers once all of it listens.
 * One listener serves all apps; the X-App header of a request says which.
 */
import { createServer as createHttpServer } from "node:http";
import { fileURLToPath } from "node:url";

import { createServer, serve, stderrLogger } from "../../../dist/index.js";
import { APPS } from "./all.js";
import { echo } from "./echo.js";
import { wireApp } from "./wire.js";

const waiting = new Map();
const wire = wireApp(
  (id, event) => process.send({ type: "event", id, event }),
  (id) => new Promise((resolve) => waiting.set(id, resolve)),
);
const handler = (req, res) => (APPS[req.headers["x-app"]] ?? wire)(req, res);

/** What a front does with a mount, done to node's own request: `req.url` is what is below it. */
const mounted = (mount) => (req, res) => {
  req.fromNode = true;
  if (mount !== "") {
    req.baseUrl = mount;
    req.originalUrl = req.url;
    req.url = req.url.slice(mount.length);
    if (!req.url.startsWith("/")) req.url = `/${req.url}`;
  }
  return handler(req, res);
};

const log = stderrLogger("warn");
const ALL = fileURLToPath(new URL("./all.js", import.meta.url));
const servers = [];

process.on("message", (message) => void hear(message));
process.on("disconnect", () => process.exit(0));

async function hear(message) {
  switch (message.type) {
    case "listen": {
      const ports = [];
      for (const { protocol, mount, path, port = 0, mode, secret, multiplexed } of message.listeners) {
        if (mode !== undefined) {
          const where = path === undefined ? { port: 0 } : { socket: path, socketMode: 0o666 };
          const pool = { poolManager: "static", maxThreads: 2, maxChildren: 2 };
          const running = await serve({
            app: ALL,
            mode,
            protocol,
            mount,
            secret,
            earlyHints: true,
            ...where,
            ...pool,
            log,
          });
          ports.push(path === undefined ? Number(running.where.split(":").at(-1)) : 0);
          continue;
        }
        const server =
          protocol === "http"
            ? createHttpServer({ keepAliveTimeout: 60_000 }, mounted(mount))
            : createServer(handler, { protocol, mount, secret, multiplexed, earlyHints: true, upgrade: true, log });
        if (protocol !== "http") server.on("upgrade", echo);
        servers.push(server);
        await new Promise((resolve, reject) => {
          server.once("error", reject);
          if (path === undefined) server.listen(port, "127.0.0.1", resolve);
          else server.listen({ path, mode: 0o666 }, resolve);
        });
        ports.push(path === undefined ? server.address().port : 0);
      }
      process.send({ type: "listening", ports });
      break;
    }
    case "go":
      waiting.get(message.id)?.();
      waiting.delete(message.id);
      break;
  }
}
