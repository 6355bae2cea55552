/** A listener of 'upgrade': whatever is asked for, a WebSocket echoes. */
import { WebSocketServer } from "ws";

const sockets = new WebSocketServer({ noServer: true });

export const echo = (req, socket, head) =>
  sockets.handleUpgrade(req, socket, head, (each) => {
    each.on("message", (data, binary) => each.send(data, { binary }));
  });
