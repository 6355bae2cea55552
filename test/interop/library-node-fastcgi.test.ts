import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type AddressInfo, createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";

import { describe, expect, it, onTestFinished } from "vitest";

import { fastCgiValues } from "../../src/client/fastcgi-values.ts";
import type { Target } from "../../src/client/target.ts";
import { createServer, isService } from "../../src/library/create-server.ts";
import type { Server } from "../../src/library/server.ts";
import { FCGI_AUTHORIZER, FCGI_FILTER, FCGI_UNKNOWN_ROLE } from "../../src/protocol/fastcgi/constants.ts";
import { ask, at, open } from "../support/library.ts";

const readme = readFileSync(createRequire(import.meta.url).resolve("node-fastcgi/README.md"), "utf8");
const EXAMPLES = [...readme.matchAll(/^```(?:js|javascript)\n(.*?)^```/gms)].map(([, code]) => code!);
const example = (mark: string): string => EXAMPLES.find((code) => code.includes(mark))!;

const PACKAGE = fileURLToPath(new URL("../../dist/index.js", import.meta.url));

/** Runs `code` as a CommonJS file in a process whose descriptor 0 is a listening socket. */
async function spawned(code: string): Promise<Target> {
  const directory = mkdtempSync(join(tmpdir(), "propylon-spawned-"));
  const file = join(directory, "app.cjs");
  writeFileSync(file, code);
  const listener = createNetServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
  const child: ChildProcess = spawn(process.execPath, [file], { stdio: [fd, "ignore", "ignore"] });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    rmSync(directory, { recursive: true });
  });
  const { port } = listener.address() as AddressInfo;
  // From now on only the child accepts: what connects before it is ready waits in the socket's queue.
  listener.close();
  return { port };
}

describe.skipIf(!existsSync(PACKAGE))("node-fastcgi's examples, with the import changed, behind descriptor 0", () => {
  const require = `require(${JSON.stringify(PACKAGE)})`;

  it("the first one", async () => {
    const target = await spawned(example("It's working").replace("require('node-fastcgi')", require));
    expect(await ask(target)).toMatchObject({ status: 200, body: "It's working" });
    const body = Buffer.from("some text");
    const post = await ask(target, { REQUEST_METHOD: "POST", CONTENT_LENGTH: String(body.length) }, { body });
    expect(post).toMatchObject({ status: 200, body: "Received data:\nsome text" });
    expect(post.headers.get("content-type")).toBe("text/plain");
    expect(await ask(target, { REQUEST_METHOD: "PUT" })).toMatchObject({ status: 501, body: "" });
  });

  it("isService(): listens where descriptor 0 is a socket", async () => {
    const target = await spawned(`const fcgi = ${require};\n${example("isService")}`);
    // The example has no handlers.
    expect(await ask(target)).toMatchObject({ status: 500, protocolStatus: FCGI_UNKNOWN_ROLE });
  });

  it("listen({ fd: 0 }) is bound when it returns", async () => {
    const app = "createServer((req, res) => res.end(JSON.stringify(bound)))";
    const target = await spawned(`const bound = ${require}.${app}.listen({ fd: 0 }).address();`);
    expect(JSON.parse((await ask(target)).body)).toMatchObject({ address: "127.0.0.1", ...target });
  });

  it("isService(): says so where it is none", async () => {
    const code = `const fcgi = ${require};\n${example("isService")}`;
    const child = spawn(process.execPath, ["--input-type=commonjs", "-e", code], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(await text(child.stdout)).toBe("This script must be run as a FastCGI service\n");
  });
});

describe("node-fastcgi's config", () => {
  it("is read as its README says", async () => {
    let server!: Server;
    const fcgi = {
      createServer: (...args: Parameters<typeof createServer>) => (server = createServer(...args)),
      isService,
    };
    runInNewContext(example("ADDITIONAL_VALUE"), { fcgi });
    const values = await fastCgiValues(await open(server), ["ADDITIONAL_VALUE", "FCGI_MPXS_CONNS", "OTHER"]);
    expect(Object.fromEntries(values)).toEqual({ ADDITIONAL_VALUE: "1350", FCGI_MPXS_CONNS: "0" });
  });

  it("gives FCGI_GET_VALUES its maxConns, maxReqs and multiplex", async () => {
    const defaults = runInNewContext(`(${example("maxConns: 2000")})`) as object;
    const target = await open(createServer(() => {}, undefined, undefined, { ...defaults, maxConns: "200" }));
    const values = await fastCgiValues(target, ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"]);
    expect(Object.fromEntries(values)).toEqual({ FCGI_MAX_CONNS: "200", FCGI_MAX_REQS: "2000", FCGI_MPXS_CONNS: "1" });
  });
});

describe("node-fastcgi's socket", () => {
  it("has all variables as params, of which cgiParams is another name", async () => {
    const server = createServer((req, res) => {
      const { params } = req.socket as unknown as { params: Record<string, string> };
      params["ADDED"] = "by a filter";
      res.end(
        JSON.stringify([params["HTTP_HOST"], params["REMOTE_USER"], req.cgiParams["QUERY_STRING"], req.cgiParams]),
      );
    });
    const { body } = await ask(await open(server), { REMOTE_USER: "arthur" });
    const [host, user, query, all] = JSON.parse(body) as [string, string, string, Record<string, string>];
    expect([host, user, query]).toEqual(["www.example.test", "arthur", "b=c"]);
    expect(all).toMatchObject({ REQUEST_METHOD: "GET", ADDED: "by a filter" });
  });

  it("has an errorStream that the web server logs", async () => {
    const server = createServer((req, res) => {
      (req.socket as unknown as { errorStream: NodeJS.WritableStream }).errorStream.write("something is odd\n");
      res.end("x");
    });
    expect(await ask(await open(server))).toMatchObject({ body: "x", stderr: "something is odd\n", appStatus: 0 });
  });

  it("has the addresses that the web server tells, and may be destroyed", async () => {
    const server = createServer((req, res) => {
      const { remoteAddress, remoteFamily, localAddress } = req.socket;
      if (req.url === "/gone") req.socket.destroy();
      else res.end([remoteAddress, remoteFamily, localAddress].join(" "));
    });
    const target = await open(server);
    expect((await ask(target, { SERVER_ADDR: "::1" })).body).toBe("192.0.2.7 IPv4 ::1");
    expect(await ask(target, at("/gone"))).toMatchObject({ status: 500 });
  });
});

describe("node-fastcgi's roles", () => {
  it("the authorizer sets variables, allows and denies, with a text/plain type", async () => {
    const server = createServer(undefined, (req, res) => {
      if (req.cgiParams["REMOTE_USER"] !== "arthur") return res.deny();
      res.setVariable("AUTH_METHOD", "db");
      return res.allow();
    });
    const target = await open(server);
    const allowed = await ask(target, { REMOTE_USER: "arthur" }, { role: FCGI_AUTHORIZER });
    expect(allowed).toMatchObject({ status: 200, body: "", protocolStatus: 0 });
    expect(allowed.headers.get("variable-auth_method")).toBe("db");
    expect(allowed.headers.get("content-type")).toBe("text/plain");
    expect(await ask(target, {}, { role: FCGI_AUTHORIZER })).toMatchObject({ status: 403, body: "" });
  });

  it("the authorizer is asked without a URL too", async () => {
    const target = await open(createServer(undefined, (_req, res) => res.allow()));
    const bare = { REQUEST_URI: "", PATH_INFO: "", QUERY_STRING: "" };
    expect(await ask(target, bare, { role: FCGI_AUTHORIZER })).toMatchObject({ status: 200 });
  });

  it("the filter has its file as dataStream beside the body", async () => {
    const server = createServer(undefined, undefined, async (req, res) => {
      const { dataStream } = req.socket as unknown as { dataStream: NodeJS.ReadableStream };
      res.end(`${await text(req)} ${await text(dataStream)}`);
    });
    const target = await open(server);
    const body = Buffer.from("body");
    const answer = await ask(
      target,
      { REQUEST_METHOD: "POST", CONTENT_LENGTH: "4" },
      { role: FCGI_FILTER, body, data: Buffer.alloc(100_000, "f") },
    );
    expect(answer).toMatchObject({ status: 200, body: `body ${"f".repeat(100_000)}` });
  });

  it("a responder's dataStream is at its end", async () => {
    const server = createServer(async (req, res) => {
      const { dataStream } = req.socket as unknown as { dataStream: NodeJS.ReadableStream };
      res.end(`<${await text(dataStream)}>`);
    });
    expect((await ask(await open(server))).body).toBe("<>");
  });
});
