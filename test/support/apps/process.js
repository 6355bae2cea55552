/**
 * The process that hosts the sample apps: the parent tells it what to listen on, and it answers once all of it listens.
 * One listener serves all apps; the X-App header of a request says which.
 */
import { createServer as createHttpServer } from "node:http";

import { getRequestListener } from "@hono/node-server";

import { createServer, stderrLogger } from "../../../dist/index.js";
import { app as connect } from "./connect.js";
import { app as express } from "./express.js";
import { app as fastify } from "./fastify.js";
import { app as hono } from "./hono.js";
import { handler as koa } from "./koa.js";
import { wireApp } from "./wire.js";

const waiting = new Map();
const wire = wireApp(
  (id, event) => process.send({ type: "event", id, event }),
  (id) => new Promise((resolve) => waiting.set(id, resolve)),
);
const fetchServer = createServer(hono);
const honoListener = getRequestListener(hono.fetch);

const APPS = {
  wire,
  express,
  connect,
  koa,
  fastify: (req, res) => fastify.routing(req, res),
  hono: honoListener,
  // Hono through the `fetch` form of the library; node http, which has no such form, serves it with Hono's adapter.
  fetch: (req, res) => {
    if (req.fromNode === true) void honoListener(req, res);
    else fetchServer.emit("request", req, res);
  },
};

const handler = (req, res) => APPS[req.headers["x-app"] ?? "wire"](req, res);

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
const servers = [];

process.on("message", (message) => void hear(message));
process.on("disconnect", () => process.exit(0));

async function hear(message) {
  switch (message.type) {
    case "listen": {
      const ports = [];
      for (const { protocol, mount, path, port = 0 } of message.listeners) {
        const server =
          protocol === "http"
            ? createHttpServer({ keepAliveTimeout: 60_000 }, mounted(mount))
            : createServer(handler, { protocol, mount, log });
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
