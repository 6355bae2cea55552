/** A FastCGI connection that is kept, one request at a time. */
import { text } from "node:stream/consumers";

import { Exchange } from "../../dist/client/exchange.js";
import { FastCgiFraming } from "../../dist/client/fastcgi-framing.js";
import { connect } from "../../dist/client/target.js";
import { FastCgiClientReader } from "../../dist/protocol/fastcgi/client-reader.js";
import { params } from "../tools.mjs";

/** The backlog of a Unix socket does not wait: more than so many at once might be turned away. */
const AT_ONCE = 64;

export class KeptConnection {
  #socket;
  #reader = new FastCgiClientReader();

  constructor(socket) {
    this.#socket = socket;
  }

  static async open(target) {
    return new KeptConnection(await connect(target));
  }

  /** The text of the answer. */
  async ask() {
    const request = { params: params() };
    const exchange = new Exchange(
      this.#socket,
      new FastCgiFraming(request, true, this.#reader),
      request,
      true,
      () => {},
    );
    const answer = await exchange.answer;
    const body = await text(answer.body);
    await answer.ended;
    return body;
  }

  close() {
    this.#socket.destroy();
  }
}

/** So many connections, each of which has been answered once. */
export async function keptConnections(target, count) {
  const connections = [];
  while (connections.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - connections.length) }, async () => {
      const connection = await KeptConnection.open(target);
      await connection.ask();
      return connection;
    });
    connections.push(...(await Promise.all(some)));
  }
  return connections;
}
