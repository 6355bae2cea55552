import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

import { isUnixSocket, listens } from "../../../src/gateway/descriptor.ts";

let directory = "";
const servers: Server[] = [];
const sockets: Socket[] = [];

beforeAll(() => (directory = mkdtempSync(join(tmpdir(), "propylon-descriptor-"))));
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true });
});

const fdOf = (one: Server | Socket): number => (one as unknown as { _handle: { fd: number } })._handle.fd;

/** One that listens, and one that is connected to it. */
async function both(listen: (server: Server) => void): Promise<[listening: number, connected: number]> {
  const server = createServer((socket) => sockets.push(socket));
  servers.push(server);
  listen(server);
  await once(server, "listening");
  const address = server.address() as AddressInfo | string;
  const socket = typeof address === "string" ? connect(address) : connect(address.port, address.address);
  sockets.push(socket);
  await once(socket, "connect");
  return [fdOf(server), fdOf(socket)];
}

it.each([
  ["a Unix socket", true, (server: Server) => server.listen(join(directory, "app.sock"))],
  ["IPv4", false, (server: Server) => server.listen(0, "127.0.0.1")],
  ["IPv6", false, (server: Server) => server.listen(0, "::1")],
])("knows of %s whether it listens", async (_what, unix, listen) => {
  const [listening, connected] = await both(listen);
  expect([listens(listening), listens(connected)]).toEqual([true, false]);
  expect([isUnixSocket(listening), isUnixSocket(connected)]).toEqual([unix, unix]);
});

it("knows that a file and what is not open are no sockets", () => {
  const file = openSync(join(directory, "file"), "w");
  expect([listens(file), listens(9_999), isUnixSocket(file), isUnixSocket(9_999)]).toEqual([
    false,
    false,
    false,
    false,
  ]);
  closeSync(file);
});
