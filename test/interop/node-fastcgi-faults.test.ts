import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createConnection } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { cgi, createServer } from "../../src/index.ts";
import type { Server } from "../../src/library/server.ts";

/** Two faults of node-fastcgi 2.0.0 that one web server or one client can bring about. We pass, it fails. */

const BEGIN_REQUEST = 1;
const PARAMS = 4;
const STDIN = 5;
const UNDEFINED_TYPE = 77;

const VARIABLES: [string, string][] = [
  ["REQUEST_METHOD", "GET"],
  ["REQUEST_URI", "/"],
  ["SCRIPT_NAME", ""],
  ["PATH_INFO", "/"],
  ["SERVER_PROTOCOL", "HTTP/1.1"],
];

/**
 * What a client may send in a header: its tail reads as a pair of its own, for a tab is the length of "AUTH_TYPE" and a
 * number sign that of the value. The web server cuts its PARAMS just before the tail, as h2o does after 65,535 bytes.
 */
const HARMLESS = "x".repeat(40);
const FORGED = "Negotiate, forged by anybody at all";
const TAIL = `\t#AUTH_TYPE${FORGED}`;

const BEGIN = record(BEGIN_REQUEST, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]));
const END = Buffer.concat([record(PARAMS, Buffer.alloc(0)), record(STDIN, Buffer.alloc(0))]);

const UNKNOWN_RECORD = Buffer.concat([
  record(UNDEFINED_TYPE, Buffer.from("whatever"), 0),
  BEGIN,
  record(PARAMS, pairs(VARIABLES)),
  END,
]);

const pairsWithHeader = pairs([...VARIABLES, ["HTTP_X_CRAFTED", HARMLESS + TAIL]]);
const SPLIT_PAIR = Buffer.concat([
  BEGIN,
  record(PARAMS, pairsWithHeader.subarray(0, -TAIL.length)),
  record(PARAMS, pairsWithHeader.subarray(-TAIL.length)),
  END,
]);

let foreign: ChildProcess | undefined;
let ours: Server | undefined;

afterEach(async () => {
  if (foreign !== undefined && foreign.exitCode === null && foreign.signalCode === null) {
    foreign.kill("SIGKILL");
    await once(foreign, "exit");
  }
  ours?.closeAllConnections();
  ours?.close();
  foreign = ours = undefined;
});

describe("a record of a type that the specification does not have", () => {
  it("does not disturb us", async () => {
    expect(await ask(await listen(), UNKNOWN_RECORD)).toEqual({});
  });

  it("ends the process of node-fastcgi", async () => {
    const { port, child } = await listenForeign();
    const exited = once(child, "exit");
    await expect(ask(port, UNKNOWN_RECORD)).rejects.toThrow();
    expect(await exited).toEqual([1, null]);
  });
});

describe("a pair that is split over two PARAMS records", () => {
  it("is one pair to us", async () => {
    expect(await ask(await listen(), SPLIT_PAIR)).toEqual({ header: HARMLESS + TAIL });
  });

  it("lets a client set the web server's variables in node-fastcgi", async () => {
    const { port } = await listenForeign();
    expect(await ask(port, SPLIT_PAIR)).toMatchObject({ authType: FORGED });
  });
});

async function listen(): Promise<number> {
  ours = createServer((request, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ authType: cgi(request)["AUTH_TYPE"], header: request.headers["x-crafted"] }));
  });
  ours.listen(0, "127.0.0.1");
  await once(ours, "listening");
  return (ours.address() as AddressInfo).port;
}

async function listenForeign(): Promise<{ port: number; child: ChildProcess }> {
  const script = fileURLToPath(new URL("../support/node-fastcgi-server.mjs", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "ignore"] });
  foreign = child;
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { port: Number(line), child };
}

/** Sends the bytes and returns the JSON that comes back, whatever the records around it. */
async function ask(port: number, bytes: Buffer): Promise<unknown> {
  const socket = createConnection({ host: "127.0.0.1", port });
  socket.write(bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const [json] = /\{.*\}/.exec(Buffer.concat(chunks).toString("latin1")) ?? [];
  if (json === undefined) throw new Error("no answer");
  return JSON.parse(json);
}

function record(type: number, content: Uint8Array, requestId = 1): Buffer {
  const header = Buffer.from([1, type, 0, requestId, content.length >> 8, content.length & 255, 0, 0]);
  return Buffer.concat([header, content]);
}

/** One byte for each length: these pairs are short. */
function pairs(list: readonly (readonly [string, string])[]): Buffer {
  const parts = list.map(([name, value]) => Buffer.from([name.length, value.length, ...Buffer.from(name + value)]));
  return Buffer.concat(parts);
}
