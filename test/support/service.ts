/** `propylon serve` as systemd starts it: with sockets that are open already, and with the variables that say so. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { linkSync, unlinkSync } from "node:fs";
import { type Server, createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { scgiRequest } from "../../dist/client/scgi-request.js";
import { type Target, until, variables } from "./supervised.ts";

const BIN = fileURLToPath(new URL("../../bin/propylon.js", import.meta.url));

export interface Unit {
  /** Of the command `propylon serve`. */
  readonly args: readonly string[];
  /** What it listens on, from descriptor 3 on: a Unix socket's path, or a TCP port for 0. */
  readonly sockets?: readonly (string | 0)[];
  /** LISTEN_FDNAMES; LISTEN_PID and LISTEN_FDS are set where there are sockets. */
  readonly names?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: node with the program. */
  readonly command?: readonly string[];
  /** A shell's commands before the program takes its place. Default: LISTEN_PID is set to its own number. */
  readonly before?: string;
  /** What to wait for. Default: it says that it serves. */
  readonly until?: () => Promise<unknown>;
}

export class Service {
  readonly process: ChildProcess;
  readonly ports: readonly number[];
  output = "";
  #stopping = false;

  private constructor(process: ChildProcess, ports: readonly number[]) {
    this.process = process;
    this.ports = ports;
    process.stdout!.on("data", (chunk: Buffer) => void (this.output += String(chunk)));
    process.stderr!.on("data", (chunk: Buffer) => void (this.output += String(chunk)));
  }

  /** Resolves when it serves, or has ended. */
  static async start(unit: Unit): Promise<Service> {
    const { args, sockets = [], names, env = {}, cwd, command = [process.execPath, BIN, "serve"], before } = unit;
    const servers = await Promise.all(sockets.map(async (socket) => await bound(socket)));
    const passed = servers.length === 0 ? {} : { LISTEN_FDS: String(servers.length), LISTEN_FDNAMES: names };
    const child = spawn(
      "/bin/sh",
      ["-c", `${before ?? "export LISTEN_PID=$$;"} exec "$@"`, "sh", ...command, ...args],
      {
        stdio: ["ignore", "pipe", "pipe", ...servers.map(descriptorOf)],
        env: { PATH: process.env["PATH"], ...passed, ...env },
        ...(cwd === undefined ? {} : { cwd }),
      },
    );
    const ports = servers.map((server) => (server.address() as { port?: number }).port ?? 0);
    // Only the child accepts from now on.
    for (const server of servers) server.close();
    const service = new Service(child, ports);
    if (unit.until !== undefined) await unit.until();
    await until(
      () => unit.until !== undefined || service.output.includes("Serving ") || service.gone,
      () => `the service to start:\n${service.output}`,
    );
    return service;
  }

  get gone(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Gives the exit code. Further calls wait for what the first has begun: a second signal would cut it short. */
  async stop(): Promise<number | null> {
    if (!this.gone) {
      if (!this.#stopping) this.process.kill("SIGTERM");
      this.#stopping = true;
      await once(this.process, "exit");
    }
    return this.process.exitCode;
  }
}

/** The body of the answer. */
export async function ask(target: Target, path: string, protocol: "fastcgi" | "scgi" = "fastcgi"): Promise<string> {
  const send = protocol === "fastcgi" ? fastCgiRequest : scgiRequest;
  const answer = await send(target, { params: variables(path), headTimeout: 10_000 });
  return await text(answer.body);
}

/** Node removes a Unix socket's path with the server that has bound it: this one stands under a second name. */
async function bound(socket: string | 0): Promise<Server> {
  const server = createServer();
  const path = socket === 0 ? "" : join(dirname(socket), `.bound-${process.hrtime.bigint()}`);
  if (socket === 0) server.listen(0, "127.0.0.1");
  else server.listen(path);
  await once(server, "listening");
  if (socket !== 0) {
    linkSync(path, socket);
    unlinkSync(path);
  }
  return server;
}

function descriptorOf(server: Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}

/** Stands in for systemd's end of NOTIFY_SOCKET. Node has no such sockets, and every Debian has perl. */
const RECEIVER = `
use Socket;
my $address = $ARGV[0];
$address =~ s/^@/\\0/;
socket(my $socket, PF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
bind($socket, sockaddr_un($address)) or die "bind: $!";
$| = 1;
print "listening\\n";
while (defined recv($socket, my $message, 4096, 0)) {
  $message =~ s/\\n/\\t/g;
  print "$message\\n";
}
`;

export class NotifySocket {
  /** Each with its assignments. */
  readonly messages: string[][] = [];
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** @param address a path, or `@NAME` in the abstract namespace. */
  static async open(address: string): Promise<NotifySocket> {
    const child = spawn("perl", ["-e", RECEIVER, address], { stdio: ["ignore", "pipe", "inherit"] });
    const socket = new NotifySocket(child);
    const lines = createInterface({ input: child.stdout });
    await once(lines, "line");
    // systemd-notify waits until its socket is closed at this end, which it is as nobody takes it.
    lines.on("line", (line) => line.startsWith("BARRIER=") || socket.messages.push(line.split("\t")));
    return socket;
  }

  /** Waits for a message with that assignment, from the one with number `from` on; gives the number of the next. */
  async heard(assignment: string, from = 0): Promise<number> {
    const find = (): number => this.messages.findIndex((message, i) => i >= from && message.includes(assignment));
    await until(
      () => find() >= 0,
      () => `${assignment} among\n${JSON.stringify(this.messages.slice(from))}`,
    );
    return find() + 1;
  }

  close(): void {
    this.#process.kill();
  }
}
