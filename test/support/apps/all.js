/** The sample apps behind one handler: the X-App header of a request says which. Workers load it by its name. */
import { getRequestListener } from "@hono/node-server";

import { createServer } from "../../../dist/index.js";
import { app as connect } from "./connect.js";
import { app as express } from "./express.js";
import { app as fastify } from "./fastify.js";
import { app as hono } from "./hono.js";
import { handler as koa } from "./koa.js";

const fetchServer = createServer(hono);
const honoListener = getRequestListener(hono.fetch);
await fastify.ready();

export const APPS = {
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

export default (req, res) => APPS[req.headers["x-app"]](req, res);
