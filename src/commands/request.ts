/** `propylon request`: sends one request to an app in this process, or to a running server, and shows the answer. */
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { finished, pipeline } from "node:stream/promises";

import { type Answer, type AnswerHead, headText } from "../client/answer.ts";
import type { ClientRequest } from "../client/request.ts";
import { SEND } from "../client/send.ts";
import { type Target, describeTarget } from "../client/target.ts";
import { findServer } from "../deploy/find-server.ts";
import { startPrivately } from "../deploy/private-app.ts";
import { place, variables } from "../front/variables.ts";
import { silentLogger, stderrLogger } from "../log.ts";
import { explain, parseVariables, splitTarget } from "./arguments.ts";
import { whileLoading } from "./ending.ts";
import { UsageError, exitCodeOf, reportFailure } from "./failure.ts";

export interface RequestFlags {
  readonly method?: string;
  /** `Name: value`, each. */
  readonly header?: readonly string[];
  /** A text, `@FILE`, or `@-` for standard input. */
  readonly data?: string;
  /** Variables of the web server: `NAME=VALUE`, each. */
  readonly param?: readonly string[];
  readonly include?: boolean;
  readonly quiet?: boolean;
  readonly appName?: string;
  readonly serverName?: string;
  readonly mount?: string;
  readonly socket?: string;
  readonly host?: string;
  readonly port?: string;
  readonly protocol?: "fastcgi" | "scgi" | "ajp";
  /** Seconds. */
  readonly timeout: string;
  readonly verbose?: boolean;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
const EXIT_INTERRUPTED = 130;
/** Of what a signal cannot call off: an app that loads or ends, standard input. Milliseconds. */
const GRACE = 1000;
const MAX_PORT = 65_535;
const PORTS = { http: 80, https: 443 };

/** Sets `process.exitCode`: 0, 4 or 5 after an answer, by its status, 1 without one, 2 for wrong usage. */
export async function request(given: readonly string[], flags: RequestFlags): Promise<void> {
  const interrupted = new AbortController();
  let impatient: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    if (interrupted.signal.aborted) process.exit(EXIT_INTERRUPTED);
    interrupted.abort();
    impatient = setTimeout(() => process.exit(EXIT_INTERRUPTED), GRACE);
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  let loads = false;
  try {
    const target = targetOf(flags);
    const { file, path, vars } = sort(given, target !== null);
    const asked = { ...(await toAsk(path, flags)), signal: interrupted.signal };
    loads = target === null;
    process.exitCode = await (target === null
      ? askApp(file!, vars, flags, asked)
      : askServer(target, file, vars, flags, asked));
  } catch (error) {
    process.exitCode = interrupted.signal.aborted ? EXIT_INTERRUPTED : exitCodeOf(error);
    if (!interrupted.signal.aborted) reportFailure(error, flags.verbose === true);
  } finally {
    clearTimeout(impatient);
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
  // What the app has opened would keep the process; what is written has to leave first.
  if (loads) process.stdout.write("", () => process.exit());
}

/** Null for the app in this process. */
function targetOf({ socket, host, port }: RequestFlags): Target | null {
  if (socket !== undefined) return { path: socket };
  if (port === undefined && host === undefined) return null;
  if (port === undefined) throw new UsageError("--host needs the --port NUMBER of the server");
  if (!/^\d{1,5}$/.test(port) || Number(port) > MAX_PORT) {
    throw new UsageError(`--port: "${port}" is no port from 0 to ${MAX_PORT}`);
  }
  return { host: host?.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

/** `[FILE] PATH [var=value…]`. A running server is known without a file. */
function sort(
  given: readonly string[],
  running: boolean,
): { file: string | undefined; path: string; vars: readonly string[] } {
  const [first = "", second = ""] = given;
  if (isPath(second)) return { file: first, path: second, vars: given.slice(2) };
  if (running && isPath(first)) return { file: undefined, path: first, vars: given.slice(1) };
  if (isPath(first)) throw new UsageError(`whom to ask for ${first}? Name its FILE.ini first, or --socket or --port`);
  const wrong = running && given.length < 2 ? first : second;
  throw new UsageError(
    wrong === "" ? "a path is missing, such as /" : `"${wrong}" is no path: one begins with / (or http://)`,
  );
}

function isPath(text: string): boolean {
  return /^(?:\/|https?:\/\/)/.test(text);
}

/** The request in CGI's words, as a web server on this machine would send it. */
async function toAsk(url: string, flags: RequestFlags): Promise<ClientRequest> {
  const { data, mount, timeout } = flags;
  const seconds = Number(timeout);
  if (!(seconds >= 0)) throw new UsageError(`--timeout: "${timeout}" is no number of seconds`);
  const [, scheme = "http", authority = "localhost", uri = ""] = /^(?:(https?):\/\/([^/?]*))?(.*)$/s.exec(url)!;
  const where = place(escaped(uri), mount ?? "/");
  if (where === null) throw new UsageError(`${url} is not below the mount ${mount}`);
  const body = data === undefined ? undefined : await dataOf(data);
  const headers = (flags.header ?? []).map(parseHeader);
  const has = (wanted: string): boolean => headers.some(([name]) => name.toLowerCase() === wanted);
  if (!has("host")) headers.unshift(["Host", authority]);
  if (body !== undefined) {
    headers.push(["Content-Length", String(body.length)]);
    if (!has("content-type")) headers.push(["Content-Type", "application/x-www-form-urlencoded"]);
  }
  const method = flags.method ?? (body === undefined ? "GET" : "POST");
  const known = { method, httpVersion: "1.1", encrypted: scheme === "https", rawHeaders: headers.flat() };
  const port = Number(/:(\d+)$/.exec(authority)?.[1] ?? PORTS[scheme as keyof typeof PORTS]);
  const ends = { remoteAddress: "127.0.0.1", remotePort: 0, localAddress: "127.0.0.1", localPort: port };
  const own = Object.entries(parseVariables(flags.param ?? [], "NAME=VALUE (--param)")).map(
    ([name, value]) => [name, bytes(value)] as const,
  );
  const names = new Set(own.map(([name]) => name));
  const params = variables({ ...known, ...ends }, where).filter(([name]) => !names.has(name));
  const informed = flags.include === true ? showHead : undefined;
  return { params: [...params, ...own], body, headTimeout: seconds * 1000, informed };
}

async function dataOf(data: string): Promise<Uint8Array> {
  if (data === "@-") return await buffer(process.stdin);
  if (!data.startsWith("@")) return Buffer.from(data);
  return await readFile(data.slice(1)).catch((error: unknown) => {
    throw new UsageError(`--data: ${(error as Error).message}`);
  });
}

function parseHeader(line: string): [name: string, value: string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*)$/.exec(line) ?? [];
  if (name === undefined) throw new UsageError(`--header: "${line}" is not "Name: value"`);
  return [name, bytes(value!)];
}

/** What may not stand in a request line is written as browsers write it. */
function escaped(uri: string): string {
  return uri.replaceAll(/[^\x21-\x7e]+/g, encodeURIComponent).replaceAll(/#.*$/g, "");
}

/** One character for each byte. */
function bytes(text: string): string {
  return Buffer.from(text).toString("latin1");
}

async function askApp(
  file: string,
  vars: readonly string[],
  flags: RequestFlags,
  asked: ClientRequest,
): Promise<number> {
  const { appName, mount, verbose = false } = flags;
  const [path, fragment] = splitTarget(file);
  const globalConf = parseVariables(vars);
  const log = stderrLogger(verbose ? "debug" : "warn");
  // What the app throws comes over FastCGI's error stream too.
  const once = verbose ? log : { ...silentLogger, warn: log.warn };
  const choice = { appName: appName ?? fragment, globalConf, mount, log: once };
  const app = await whileLoading("the app", async () => await startPrivately(path, choice));
  try {
    return await show(await SEND.fastcgi({ path: app.path }, asked), flags);
  } finally {
    await app.close();
  }
}

async function askServer(
  target: Target,
  file: string | undefined,
  vars: readonly string[],
  flags: RequestFlags,
  asked: ClientRequest,
): Promise<number> {
  const { protocol, serverName } = flags;
  const globalConf = parseVariables(vars);
  const said = file === undefined ? undefined : await findServer(splitTarget(file)[0], { serverName, globalConf });
  const send = SEND[protocol ?? said?.protocol ?? "fastcgi"];
  let answer: Answer;
  try {
    answer = await send(target, { ...asked, secret: said?.secret && bytes(said.secret) });
  } catch (error) {
    if (asked.signal?.aborted === true) throw error;
    throw new Error(`${describeTarget(target)}: ${explain(error as Error)}`, { cause: error });
  }
  return await show(answer, flags);
}

function showHead(head: AnswerHead): void {
  process.stdout.write(headText(head, "\n"), "latin1");
}

/** @returns the exit code that belongs to its status */
async function show(answer: Answer, { include = false, quiet = false }: RequestFlags): Promise<number> {
  const { status, body, ended } = answer;
  const { stdout, stderr } = process;
  if (include) showHead(answer);
  try {
    if (quiet) await finished(body.resume());
    else await pipeline(body, stdout, { end: false });
    await ended;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Whoever reads it has enough.
    if (code !== "EPIPE") throw new Error(`the answer breaks off: ${message}`, { cause: error });
  } finally {
    stderr.write(answer.stderr);
  }
  return status < 400 ? 0 : Math.trunc(status / 100);
}
