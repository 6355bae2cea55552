/** `propylon serve` with workers, on the app that goes wrong on demand. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { ajpRequest } from "../../dist/client/ajp-request.js";
import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { scgiRequest } from "../../dist/client/scgi-request.js";
import type { StatusReport } from "../../dist/report.js";
import { fetchStatus } from "../../dist/status/client.js";
import { freePort } from "./front.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export type Mode = "thread" | "fork";
export type Protocol = "fastcgi" | "scgi" | "ajp";
export type Target = { readonly path: string } | { readonly host?: string; readonly port: number };

/** A host of a network, in the namespace `name`, or an address of this machine. */
export interface Host {
  readonly name?: string;
  readonly address: string;
  /** Default 6500. */
  readonly port?: number;
}

export interface Reply {
  readonly status: number;
  readonly body: string;
}

interface Serving {
  readonly mode: Mode | "single";
  readonly protocol?: Protocol;
  readonly transport?: "unix" | "tcp";
  /** `call:FILE:EXPORT`. Default: the app that goes wrong on demand. */
  readonly use?: string;
  /** Lines of the server's section. */
  readonly server?: Readonly<Record<string, string | number>>;
  /** Lines of the app's section. */
  readonly app?: Readonly<Record<string, string | number>>;
  /** Called when the listening socket is there, and the app is being loaded. */
  readonly whenBound?: (server: SupervisedServer) => void;
  /** Of the directory that it is served from. Default "propylon-workers-". */
  readonly prefix?: string;
  /** More arguments of the command. */
  readonly args?: readonly string[];
  /** `var=value`, for what the section of the server does not say. */
  readonly variables?: readonly string[];
  /** Where it listens; over TCP then. Default: where only this machine finds it. */
  readonly host?: Host;
  /** Each of its processes may open so many (`ulimit -n`). */
  readonly descriptors?: number;
}

const SEND = { fastcgi: fastCgiRequest, scgi: scgiRequest, ajp: ajpRequest };
const NAMES = { fastcgi: "fcgi", scgi: "scgi", ajp: "ajp" };

export class SupervisedServer {
  readonly directory: string;
  readonly target: Target;
  readonly protocol: Protocol;
  readonly #serving: Serving;
  #child: ChildProcess | null = null;
  output = "";

  private constructor(directory: string, target: Target, serving: Serving) {
    this.directory = directory;
    this.target = target;
    this.protocol = serving.protocol ?? "fastcgi";
    this.#serving = serving;
  }

  /** Resolves when it serves, or has ended. */
  static async start(serving: Serving): Promise<SupervisedServer> {
    const directory = await mkdtemp(join(tmpdir(), serving.prefix ?? "propylon-workers-"));
    await chmod(directory, 0o755);
    await cp(join(ROOT, "test/support/apps/faulty.js"), join(directory, "faulty.js"));
    await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
    const target = await targetOf(serving, directory);
    const server = new SupervisedServer(directory, target, serving);
    await server.configure();
    await server.#launch();
    return server;
  }

  get file(): string {
    return join(this.directory, "app.ini");
  }

  get process(): ChildProcess {
    return this.#child!;
  }

  /** Writes the configuration anew, changed where `changes` says so. */
  async configure(changes: Pick<Serving, "server" | "app"> & { readonly socket?: string } = {}): Promise<void> {
    const { mode, server = {}, app = {}, use = "call:./faulty.js:makeApp" } = this.#serving;
    const listen =
      "path" in this.target
        ? `socket = ${changes.socket ?? this.target.path}\nsocket_mode = 0666`
        : `port = ${this.target.port}\n${this.target.host === undefined ? "" : `host = ${this.target.host}`}`;
    const lines = (options: Readonly<Record<string, string | number>>): string =>
      Object.entries(options)
        .map(([key, value]) => `${key} = ${value}\n`)
        .join("");
    await writeFile(
      this.file,
      `[app:main]\nuse = ${use}\n${lines({ ...app, ...changes.app })}\n` +
        `[server:main]\nuse = egg:propylon#${NAMES[this.protocol]}${mode === "single" ? "" : `_${mode}`}\n${listen}\n` +
        lines({ start_timeout: 20, ...server, ...changes.server }),
    );
  }

  /** @throws with what the server has said, if it is gone */
  async ask(path: string, { method = "GET", body }: { method?: string; body?: Uint8Array } = {}): Promise<Reply> {
    const request = { params: variables(path, method, body?.length ?? 0), headTimeout: 30_000, ...(body && { body }) };
    const gone = this.process.exitCode ?? this.process.signalCode;
    if (gone !== null) throw new Error(`the server is gone (${gone}):\n${this.output}`);
    const answer = await SEND[this.protocol](this.target, request);
    return { status: answer.status, body: await text(answer.body) };
  }

  /** As `ask`; a connection that fails is an answer too. */
  async try(path: string): Promise<Reply | { readonly error: string }> {
    return await this.ask(path).catch((error: unknown) => ({
      error: String((error as { code?: string }).code ?? error),
    }));
  }

  /** Who answers: pid and thread, and the version that the app was configured with. */
  async who(): Promise<{ pid: number; thread: number; version: string }> {
    return JSON.parse((await this.ask("/who")).body) as { pid: number; thread: number; version: string };
  }

  /** What the supervisor tells of it. */
  async report(): Promise<StatusReport> {
    const name = (await readdir(this.directory)).find((file) => file.endsWith(".status"));
    return await fetchStatus({ path: join(this.directory, name!) });
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** Waits for `pattern` in the output from `from` on; gives where to go on looking. */
  async said(pattern: RegExp, from = 0): Promise<number> {
    await until(
      () => pattern.test(this.output.slice(from)),
      () => `${pattern} in\n${this.output.slice(from)}`,
    );
    return this.output.length;
  }

  async reload(): Promise<void> {
    const from = this.output.length;
    this.signal("SIGHUP");
    await this.said(/reloaded$|reload failed/m, from);
  }

  /** Processes below the supervisor. */
  async children(): Promise<number[]> {
    const list = await readFile(`/proc/${this.process.pid}/task/${this.process.pid}/children`, "utf8");
    return list.trim().split(/\s+/).filter(Boolean).map(Number);
  }

  /** Gives the exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.process;
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await Promise.race([once(child, "exit"), sleep(20_000)]);
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    }
    await rm(this.directory, { recursive: true, force: true });
    return child.exitCode;
  }

  async #launch(): Promise<void> {
    const command = [
      process.execPath,
      join(ROOT, "bin/propylon.js"),
      "serve",
      "-v",
      ...(this.#serving.args ?? []),
      this.file,
      ...(this.#serving.variables ?? []),
    ];
    const { descriptors, host } = this.#serving;
    if (host?.name !== undefined) command.unshift("ip", "netns", "exec", host.name);
    if (descriptors !== undefined) command.unshift("sh", "-c", `ulimit -n ${descriptors}; exec "$0" "$@"`);
    const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stdout.on("data", (chunk: Buffer) => void (this.output += String(chunk)));
    child.stderr.on("data", (chunk: Buffer) => void (this.output += String(chunk)));
    const { whenBound } = this.#serving;
    if (whenBound !== undefined) {
      await until(
        async () => (await readdir(this.directory)).includes("app.sock"),
        () => `the socket:\n${this.output}`,
      );
      await sleep(300);
      whenBound(this);
    }
    await until(
      () => this.output.includes("Serving ") || child.exitCode !== null || child.signalCode !== null,
      () => `the server to start:\n${this.output}`,
    );
  }
}

async function targetOf({ host, transport }: Serving, directory: string): Promise<Target> {
  if (host !== undefined) return { host: host.address, port: host.port ?? 6500 };
  return transport === "tcp" ? { port: await freePort() } : { path: join(directory, "app.sock") };
}

export function variables(path: string, method = "GET", length = 0): [string, string][] {
  const [pathInfo = "", query = ""] = path.split("?");
  return [
    ...(length > 0
      ? [["CONTENT_LENGTH", String(length)] as [string, string]]
      : [["CONTENT_LENGTH", "0"] as [string, string]]),
    ["SCGI", "1"],
    ["REQUEST_METHOD", method],
    ["REQUEST_URI", path],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", pathInfo],
    ["QUERY_STRING", query],
    ["SERVER_PROTOCOL", "HTTP/1.1"],
    ["SERVER_NAME", "www.example.test"],
    ["SERVER_PORT", "80"],
    ["REMOTE_ADDR", "192.0.2.1"],
  ];
}

/** What a test does when it is over. */
export type Finished = (stop: () => Promise<void>) => void;

/** A server for one test: many of them mostly wait, and do so side by side. */
export async function startFor(serving: Serving, onTestFinished: Finished): Promise<SupervisedServer> {
  const server = await SupervisedServer.start(serving);
  onTestFinished(async () => void (await server.stop()));
  return server;
}

export async function until(condition: () => unknown, what: () => string, limit = 20_000): Promise<void> {
  const end = Date.now() + limit;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what()}`);
    await sleep(20);
  }
}

export async function sleep(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
