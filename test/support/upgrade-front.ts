/**
 * A front that carries upgrades as lighttpd 1.4.74 does: HTTP/1.1 in, FastCGI or SCGI out. What it does is written down
 * from lighttpd's sources, with the function beside it; the framing is its own, so that nobody agrees with himself.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

export type Target = { readonly path: string } | { readonly port: number };

export interface UpgradeFront {
  readonly port: number;
  /** Connections to the gateway that are open. */
  readonly open: ReadonlySet<Socket>;
  close(): Promise<void>;
}

const BEGIN_REQUEST = 1;
const END_REQUEST = 3;
const PARAMS = 4;
const STDIN = 5;
const STDOUT = 6;
const LARGEST_RECORD = 65_535;
const NOTHING = Buffer.alloc(0);

/** `software`: what it says that it is. */
export async function upgradeFront(
  target: Target,
  protocol: "fastcgi" | "scgi",
  software: string = "lighttpd/1.4.74",
): Promise<UpgradeFront> {
  const open = new Set<Socket>();
  const clients = new Set<Socket>();
  const front: Server = createServer((_request, response) => response.writeHead(404).end());
  front.on("upgrade", (request, client: Socket, head) => {
    const backend = connect(target);
    open.add(backend);
    clients.add(client);
    backend.once("close", () => open.delete(backend));
    client.once("close", () => clients.delete(client));
    const framing = protocol === "fastcgi" ? new FastCgi(backend) : new Scgi(backend);
    framing.begin(variablesOf(request, software));
    carry(client, head, backend, framing);
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  return {
    port: (front.address() as AddressInfo).port,
    open,
    close: async () => {
      for (const client of clients) client.destroy();
      const closed = once(front, "close");
      front.close();
      await closed;
    },
  };
}

/** What is FastCGI's of it, and what SCGI's. */
interface Framing {
  begin(variables: [string, string][]): void;
  /** False: the socket is full. */
  send(chunk: Buffer): boolean;
  /** The answer is no 101: nothing more is sent. */
  end(): void;
  /** The answer's bytes in what was received; null for its end. */
  receive(chunk: Buffer): (Buffer | null)[];
}

function carry(client: Socket, early: Buffer, backend: Socket, framing: Framing): void {
  let head: Buffer | null = NOTHING;
  backend.on("data", (received: Buffer) => {
    for (const chunk of framing.receive(received)) {
      if (chunk === null) client.end();
      else if (head === null) {
        // 64 KiB wait for the client (http_response_read, FDEVENT_STREAM_RESPONSE_BUFMIN).
        if (!client.write(chunk)) backend.pause();
      } else {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n") + 4;
        if (end < 4) continue;
        const upgraded = answerHead(client, head.subarray(0, end).toString("latin1"));
        if (end < head.length) client.write(head.subarray(end));
        head = null;
        if (upgraded) begin();
        else framing.end();
      }
    }
  });
  client.on("drain", () => backend.resume());
  backend.on("end", () => client.end());
  client.on("close", () => backend.destroy());
  backend.on("close", () => client.destroySoon());
  client.on("error", () => {});
  backend.on("error", () => {});

  /** Nothing of the client's is sent before the 101 (gw_write_request); its FIN is passed on (gw_conditional_tcp_fin). */
  function begin(): void {
    const send = (chunk: Buffer): void => void (framing.send(chunk) || client.pause());
    if (early.length > 0) send(early);
    client.on("data", send);
    backend.on("drain", () => client.resume());
    client.on("end", () => backend.end());
  }
}

/** True for a 101 with Upgrade, which alone opens a tunnel (http_response_process_headers). */
function answerHead(client: Socket, block: string): boolean {
  const [status = "", ...fields] = block.split("\r\n").filter((line) => line !== "");
  const code = /^Status: (\d+ .*)$/.exec(status)![1]!;
  const upgraded = code.startsWith("101") && fields.some((line) => /^upgrade:/i.test(line));
  const own = upgraded ? ["Connection: upgrade"] : ["Connection: close"];
  const kept = fields.filter((line) => !/^connection:/i.test(line));
  client.write(`HTTP/1.1 ${code}\r\n${[...kept, ...own].join("\r\n")}\r\n\r\n`, "latin1");
  return upgraded;
}

/** As http_cgi_headers: CONTENT_LENGTH first, 0 for a request that may be upgraded (gw_upgrade_policy). */
function variablesOf({ method, url, headers }: IncomingMessage, software: string): [string, string][] {
  const [path, query] = [url!.split("?", 1)[0]!, url!.slice(url!.indexOf("?") + 1)];
  return [
    ["CONTENT_LENGTH", "0"],
    ["QUERY_STRING", url!.includes("?") ? query : ""],
    ["REQUEST_URI", url!],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", path],
    ["REQUEST_METHOD", method!],
    ["SERVER_PROTOCOL", "HTTP/1.1"],
    ["SERVER_SOFTWARE", software],
    ["GATEWAY_INTERFACE", "CGI/1.1"],
    ["REMOTE_ADDR", "192.0.2.7"],
    ["SERVER_NAME", "www.example.test"],
    ...Object.entries(headers).map(([name, value]): [string, string] => [
      `HTTP_${name.toUpperCase().replaceAll("-", "_")}`,
      String(value),
    ]),
  ];
}

class FastCgi implements Framing {
  readonly #socket: Socket;
  #received = NOTHING as Buffer;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** STDIN is not ended: there may be more (fcgi_stdin_append). */
  begin(variables: [string, string][]): void {
    const params = Buffer.concat(
      variables.flatMap(([name, value]) => [length(name), length(value), Buffer.from(name + value, "latin1")]),
    );
    this.#socket.write(
      Buffer.concat([
        record(BEGIN_REQUEST, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])),
        record(PARAMS, params),
        record(PARAMS, NOTHING),
      ]),
    );
  }

  send(chunk: Buffer): boolean {
    let ready = true;
    for (let at = 0; at < chunk.length; at += LARGEST_RECORD) {
      ready = this.#socket.write(record(STDIN, chunk.subarray(at, at + LARGEST_RECORD)));
    }
    return ready;
  }

  end(): void {
    this.#socket.write(record(STDIN, NOTHING));
  }

  receive(chunk: Buffer): (Buffer | null)[] {
    this.#received = Buffer.concat([this.#received, chunk]);
    const told: (Buffer | null)[] = [];
    for (;;) {
      const bytes = this.#received;
      if (bytes.length < 8) return told;
      const [size, padding] = [bytes.readUInt16BE(4), bytes[6]!];
      if (bytes.length < 8 + size + padding) return told;
      if (bytes[1] === STDOUT && size > 0) told.push(bytes.subarray(8, 8 + size));
      if (bytes[1] === END_REQUEST) told.push(null);
      this.#received = bytes.subarray(8 + size + padding);
    }
  }
}

class Scgi implements Framing {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  begin(variables: [string, string][]): void {
    const block = [...variables, ["SCGI", "1"]].map(([name, value]) => `${name}\0${value}\0`).join("");
    this.#socket.write(`${block.length}:${block},`, "latin1");
  }

  send(chunk: Buffer): boolean {
    return this.#socket.write(chunk);
  }

  end(): void {}

  receive(chunk: Buffer): Buffer[] {
    return [chunk];
  }
}

function record(type: number, content: Buffer): Buffer {
  const header = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 0xff, 0, 0]);
  return Buffer.concat([header, content]);
}

function length(text: string): Buffer {
  if (text.length < 128) return Buffer.from([text.length]);
  const long = Buffer.alloc(4);
  long.writeUInt32BE((0x8000_0000 | text.length) >>> 0);
  return long;
}
