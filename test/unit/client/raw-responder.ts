/** A FastCGI responder made of bytes alone, so that a fault of our codec cannot hide behind itself. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface RawRecord {
  type: number;
  id: number;
  content: Buffer;
}

/** One record; `padding` bytes of 0xff follow it. */
export function record(type: number, id: number, content: Buffer | string = "", padding = 0): Buffer {
  const body = Buffer.from(content as string, "latin1");
  const header = Buffer.from([1, type, id >> 8, id & 255, body.length >> 8, body.length & 255, padding, 0]);
  return Buffer.concat([header, body, Buffer.alloc(padding, 0xff)]);
}

/** STDOUT, its end, END_REQUEST. */
export function answer(document: string, { appStatus = 0, protocolStatus = 0, stderr = "" } = {}): Buffer {
  const end = Buffer.alloc(8);
  end.writeUInt32BE(appStatus, 0);
  end[4] = protocolStatus;
  return Buffer.concat([
    ...(stderr === "" ? [] : [record(7, 1, stderr)]),
    ...(document === "" ? [] : [record(6, 1, document, 3)]),
    record(6, 1),
    record(3, 1, end),
  ]);
}

/** Name-value pairs, short or long. */
export function decodePairs(bytes: Buffer): [string, string][] {
  const pairs: [string, string][] = [];
  let at = 0;
  const length = (): number => {
    const first = bytes[at]!;
    at += first < 128 ? 1 : 4;
    return first < 128 ? first : bytes.readUInt32BE(at - 4) & 0x7fffffff;
  };
  while (at < bytes.length) {
    const name = length();
    const value = length();
    pairs.push([bytes.toString("latin1", at, at + name), bytes.toString("latin1", at + name, at + name + value)]);
    at += name + value;
  }
  return pairs;
}

/** What a connection has received so far. */
export class RawConnection {
  readonly socket: Socket;
  readonly number: number;
  readonly records: RawRecord[] = [];
  /** Requests that have been sent whole. */
  requests = 0;
  #bytes = Buffer.alloc(0);

  constructor(socket: Socket, number: number) {
    this.socket = socket;
    this.number = number;
  }

  receive(chunk: Buffer, seen: (record: RawRecord) => void): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 8) {
      const length = this.#bytes.readUInt16BE(4);
      const whole = 8 + length + this.#bytes[6]!;
      if (this.#bytes.length < whole) return;
      const next = {
        type: this.#bytes[1]!,
        id: this.#bytes.readUInt16BE(2),
        content: this.#bytes.subarray(8, 8 + length),
      };
      this.#bytes = this.#bytes.subarray(whole);
      this.records.push(next);
      seen(next);
    }
  }

  /** All content of one type, in one piece. */
  stream(type: number): Buffer {
    return Buffer.concat(this.records.filter((record) => record.type === type).map((record) => record.content));
  }
}

/**
 * Listens until the test is over. `seen` is called for each record; type 5 without content is the end of a request.
 */
export async function rawResponder(
  seen: (record: RawRecord, connection: RawConnection) => void,
): Promise<{ port: number; connections: RawConnection[] }> {
  const connections: RawConnection[] = [];
  const server = createServer((socket) => {
    const connection = new RawConnection(socket, connections.length);
    connections.push(connection);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) =>
      connection.receive(chunk, (record) => {
        if (isRequestEnd(record)) connection.requests += 1;
        seen(record, connection);
      }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const { socket } of connections) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, connections };
}

export function isRequestEnd(record: RawRecord): boolean {
  return record.type === 5 && record.content.length === 0;
}
