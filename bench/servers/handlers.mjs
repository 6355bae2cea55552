/** What each workload's app does; the same function runs on every server. */
import express from "express";

const MIB = Buffer.alloc(1024 * 1024, "x");

const app = express().disable("x-powered-by");
app.get("/", (req, res) => void res.type("text").send("Hello, world!\n"));

export const HANDLERS = {
  hello: (req, res) => {
    res.writeHead(200, { "Content-Type": "text/plain", "Content-Length": 14 });
    res.end("Hello, world!\n");
  },
  echo: (req, res) => {
    const chunks = [];
    req.on("data", (chunk) => chunks.push(chunk));
    req.on("end", () => {
      const body = Buffer.concat(chunks);
      res.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": body.length });
      res.end(body);
    });
  },
  mebibyte: (req, res) => {
    res.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": MIB.length });
    res.end(MIB);
  },
  headers: (req, res) => {
    const { cookie = "", host, "user-agent": agent = "" } = req.headers;
    res.setHeader("Content-Type", "text/plain; charset=utf-8");
    res.setHeader("Cache-Control", "private, max-age=0");
    res.setHeader("Vary", "Cookie");
    res.setHeader("Set-Cookie", "seen=1; Path=/; HttpOnly");
    res.end(`${req.method} ${host}${req.url} ${cookie.length} ${agent.length}\n`);
  },
  express: app,
  /** Takes 4 MiB, then rests, and so on: an app that is slower than the upload. */
  slowSink: async (req, res) => {
    let taken = 0;
    for await (const chunk of req) {
      taken += chunk.length;
      if (taken % (4 * MIB.length) < chunk.length) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    res.end(String(taken));
  },
  /** 1 GiB, written as fast as the reader takes it; /nothing is small. */
  gibibyte: async (req, res) => {
    if (req.url === "/nothing") return void res.end();
    res.setHeader("Content-Type", "application/octet-stream");
    for (let i = 0; i < 1024; i++) {
      if (!res.write(MIB)) await new Promise((resolve) => res.once("drain", resolve));
    }
    res.end();
  },
};
