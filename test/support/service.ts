/** `propylon serve` as systemd starts it: with sockets that are open already, and with the variables that say so. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { scgiRequest } from "../../dist/client/scgi-request.js";
import { freePort } from "./front.ts";
import { type Target, until, variables } from "./supervised.ts";

const BIN = fileURLToPath(new URL("../../bin/propylon.js", import.meta.url));

/** systemd's own program that opens sockets, waits for a connection and becomes what it starts, with them. */
const ACTIVATE = "/usr/bin/systemd-socket-activate";
export const HAS_ACTIVATE: boolean = existsSync(ACTIVATE);
if (!HAS_ACTIVATE) console.warn("SKIPPED: sockets that systemd passes; systemd-socket-activate is not installed");

export interface Unit {
  /** Of the command `propylon serve`. */
  readonly args: readonly string[];
  /** What it listens on, from descriptor 3 on: a Unix socket's path, or a TCP port for 0. */
  readonly sockets?: readonly (string | 0)[];
  /** As FileDescriptorName= gives them, parted by colons. */
  readonly names?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: node with the program. */
  readonly command?: readonly string[];
  /** A shell's commands before the program takes its place. */
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
    const { args, sockets = [], env = {}, cwd, command = [process.execPath, BIN, "serve"], before = "" } = unit;
    const targets = await Promise.all(
      sockets.map(async (path) => (path === 0 ? { port: await freePort() } : { path })),
    );
    const [program, ...rest] = [...activation(targets, unit), "/bin/sh", "-c", `${before} exec "$@"`, "sh", ...command];
    const child = spawn(program!, [...rest, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    const service = new Service(
      child,
      targets.map(({ port = 0 }) => port),
    );
    if (targets.length > 0) await service.#wake(targets[0]!);
    if (unit.until !== undefined) await unit.until();
    await until(
      () => unit.until !== undefined || service.output.includes("Serving ") || service.gone,
      () => `the service to start:\n${service.output}`,
    );
    return service;
  }

  async #wake(target: Target): Promise<void> {
    await until(
      () => this.output.match(/^Listening on /gm)?.length === this.ports.length,
      () => `sockets:\n${this.output}`,
    );
    const connection = createConnection(target);
    await once(connection, "connect");
    connection.destroy();
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

/** The beginning of a command line; nothing where there are no sockets. */
function activation(targets: readonly Target[], { names, env = {} }: Unit): string[] {
  if (targets.length === 0) return [];
  const listen = targets.flatMap((target) => ["-l", "path" in target ? target.path : `127.0.0.1:${target.port}`]);
  // It hands on no variables but those that are named.
  const handed = Object.keys(env).flatMap((name) => ["-E", name]);
  return [ACTIVATE, ...listen, ...(names === undefined ? [] : [`--fdname=${names}`]), ...handed];
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
