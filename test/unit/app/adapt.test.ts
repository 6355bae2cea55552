import { once } from "node:events";
import { createRequire } from "node:module";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fastify from "fastify";
import { Hono } from "hono";
import { afterEach, describe, expect, it } from "vitest";

import { adaptApp, isReadyApp } from "../../../src/app/adapt.ts";

type Answer = { send(text: string): void; end(text: string): void };
type Use = (handler: (request: unknown, response: Answer) => void) => unknown;

// These come without types.
const require = createRequire(import.meta.url);
const express = require("express") as () => { use: Use };
const express4 = require("express4") as () => { use: Use };
const connect = require("connect") as () => { use: Use };
const Koa = require("koa") as new () => { use(handler: (context: { body: unknown }) => void): unknown };

const WHERE = { where: '"app" of ./app.js' };
let server: Server | undefined;

afterEach(() => void server?.close());

/** What the adapted app answers on a real connection. */
async function answerOf(app: unknown): Promise<string> {
  const adapted = await adaptApp(app, WHERE);
  if (adapted.kind === "fetch") return await (await adapted.fetch(new Request("http://localhost/x"))).text();
  server = createServer((request, response) => void adapted.handler(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return await (await fetch(`http://127.0.0.1:${port}/x`, { headers: { connection: "close" } })).text();
}

interface App {
  readonly app: unknown;
  readonly kind: "node" | "fetch";
  /** Can it be told from a factory? */
  readonly ready: boolean;
}

function apps(): Record<string, App> {
  const anExpress = express().use((_request, response) => response.send("hi"));
  const anExpress4 = express4().use((_request, response) => response.send("hi"));
  const aConnect = connect().use((_request, response) => response.end("hi"));
  const aKoa = new Koa().use((context: { body: unknown }) => void (context.body = "hi"));
  const aFastify = fastify();
  // A plugin is only there after ready(), which the adapter has to await.
  void aFastify.register(async (scope) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    scope.get("/x", () => "hi");
  });
  const handler = (_request: unknown, response: { end(text: string): void }): void => response.end("hi");
  class Own {
    readonly text = "hi";
    fetch(): Response {
      return new Response(this.text);
    }
  }
  return {
    "a function (req, res)": { app: handler, kind: "node", ready: false },
    "Express 5": { app: anExpress, kind: "node", ready: true },
    "Express 4": { app: anExpress4, kind: "node", ready: true },
    Connect: { app: aConnect, kind: "node", ready: true },
    Koa: { app: aKoa, kind: "node", ready: true },
    "Fastify 5": { app: aFastify, kind: "node", ready: true },
    Hono: { app: new Hono().get("/x", (context) => context.text("hi")), kind: "fetch", ready: true },
    "an object with fetch, which keeps its this": { app: new Own(), kind: "fetch", ready: true },
    "an http.Server": { app: createServer(handler as never), kind: "node", ready: true },
    "an object with a default": { app: { default: anExpress }, kind: "node", ready: false },
    "a promise of an app": { app: Promise.resolve(aKoa), kind: "node", ready: false },
  };
}

describe("adaptApp", () => {
  it.each(Object.keys(apps()))("takes %s", async (name) => {
    const { app, kind, ready } = apps()[name]!;
    expect(isReadyApp(app)).toBe(ready);
    expect((await adaptApp(app, WHERE)).kind).toBe(kind);
    expect(await answerOf(app)).toBe("hi");
  });

  it("never listens on an http.Server that it takes", async () => {
    const own = createServer((_request, response) => response.end("hi"));
    expect(await answerOf(own)).toBe("hi");
    expect(own.listening).toBe(false);
  });

  it.each([
    ["undefined", undefined, "gives undefined"],
    ["null", null, "gives null"],
    ["a string", "app", 'gives the string "app"'],
    ["an object of another kind", { listen() {}, name: "x" }, "gives an Object with listen, name"],
    ["a module without a default", { makeApp() {} }, "gives an Object with makeApp"],
    ["a class", class App extends Map {}, "gives the class App; an instance was expected"],
    ["a server without a handler", createServer(), "gives an http.Server without a request listener"],
  ])("refuses %s and says what it found", async (_name, value, text) => {
    const error = await adaptApp(value, WHERE).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "APP_WRONG_EXPORT" });
    expect((error as Error).message).toContain(`"app" of ./app.js ${text}`);
  });
});

describe("upgrades", () => {
  const handler = (): void => {};

  it.each([
    ["an http.Server", (server: Server) => server.on("request", handler)],
    ["an app with a server of its own, as Fastify", (server: Server) => Object.assign(() => {}, { server })],
  ])("go to the listeners of %s, as long as it has any", async (_what, make) => {
    const server = createServer();
    const { upgrade } = await adaptApp(make(server), WHERE);
    expect(upgrade?.wanted()).toBe(false);
    const heard: unknown[] = [];
    server.on("upgrade", (...args) => heard.push(...args));
    expect(upgrade?.wanted()).toBe(true);
    upgrade?.call("request" as never, "socket" as never, "head" as never);
    expect(heard).toEqual(["request", "socket", "head"]);
  });

  it.each([
    ["a function", handler],
    ["an object with fetch", { fetch: () => new Response() }],
  ])("go to the method of %s", async (_what, app) => {
    const own = Object.assign(app, {
      upgrade: function (this: unknown, ...args: unknown[]) {
        return [this, ...args];
      },
    });
    const { upgrade } = await adaptApp(own, WHERE);
    expect(upgrade?.wanted()).toBe(true);
    expect(upgrade?.call(1 as never, 2 as never, 3 as never)).toEqual([own, 1, 2, 3]);
  });

  it("go nowhere with any other app", async () => {
    expect((await adaptApp(() => {}, WHERE)).upgrade).toBeUndefined();
  });

  it("go to the server of a Fastify app", async () => {
    const app = fastify();
    app.server.on("upgrade", handler);
    expect((await adaptApp(app, WHERE)).upgrade?.wanted()).toBe(true);
  });
});
