/** An `http.Server` with WebSockets: echoes of `ws` below /ws, and Socket.IO. */
import { createServer } from "node:http";
import { threadId } from "node:worker_threads";

import { Server as SocketIo } from "socket.io";
import { WebSocketServer } from "ws";

export function makeApp(_globalConf, { version = "1" }) {
  const who = () => JSON.stringify({ pid: process.pid, thread: threadId, version });
  const server = createServer((_request, response) => response.end(who()));
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 8 * 1024 * 1024 });
  sockets.on("connection", (socket) => {
    socket.send(who());
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  server.on("upgrade", (request, socket, head) => {
    if (!request.url.startsWith("/ws")) return;
    sockets.handleUpgrade(request, socket, head, (each) => sockets.emit("connection", each));
  });
  // It is one listener more, and leaves alone what is not its own.
  const io = new SocketIo(server, {
    transports: ["websocket"],
    maxHttpBufferSize: 4 * 1024 * 1024,
    destroyUpgrade: false,
  });
  io.on("connection", (socket) => socket.on("echo", (data, reply) => reply(data)));
  return server;
}
