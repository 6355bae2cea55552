/**
 * One request as CGI has it (RFC 3875): its variables in the environment, its body on standard input, the answer on
 * standard output. It is sent to the app as any other one is, over FastCGI on a socket that nobody else knows.
 */
import { readFileSync } from "node:fs";
import { pipeline } from "node:stream/promises";

import { type Answer, type AnswerHead, headText } from "../client/answer.ts";
import type { ClientRequest } from "../client/request.ts";
import { SEND } from "../client/send.ts";
import { type PrivateApp, withoutListener } from "../deploy/private-app.ts";
import type { StartOptions } from "../deploy/start.ts";
import { whileLoading } from "./ending.ts";

/** What every program has in its environment: nothing of a request, and nothing that its app is to be told. */
const OF_PROGRAMS =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|_|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|HOSTNAME|LD_\w+|NODE_\w+)$/;
/** What a request says. The app's process shall not have it: HTTP_PROXY is the client's header `Proxy` (httpoxy). */
const OF_REQUESTS =
  /^(?:(?:HTTP|REDIRECT|REMOTE|REQUEST|SCRIPT|SERVER|SSL|CONTENT|CONTEXT|PATH|AUTH)_\w+|GATEWAY_INTERFACE|QUERY_STRING|DOCUMENT_ROOT|HTTPS)$/;

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
const EXIT_STOPPED = 143;
/** Milliseconds for an app that is told that its request is over. */
const GRACE = 1000;

/**
 * Ends the process once the answer is out. False, and nothing happens, where the server has or should have something to
 * listen on.
 *
 * @throws ConfigError; what the app fails with
 */
export async function answerCgi(file: string, options: StartOptions): Promise<boolean> {
  const load = await withoutListener(file, options);
  if (load === null) return false;
  const out = process.stdout;
  // The answer alone belongs there. What else is printed is for the web server's error log.
  Object.defineProperty(process, "stdout", { get: () => process.stderr, configurable: true });
  const params = takeVariables();
  const stopped = new AbortController();
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      stopped.abort();
      setTimeout(() => process.exit(EXIT_STOPPED), GRACE);
    });
  }
  const app = await whileLoading("the app", load);
  await ask(app, { params, body: bodyOf(params), headTimeout: 0, signal: stopped.signal }, out);
  await app.close();
  // What the app has opened would keep the process.
  out.write("", () => process.exit(stopped.signal.aborted ? EXIT_STOPPED : undefined));
  return true;
}

async function ask(app: PrivateApp, request: ClientRequest, out: NodeJS.WriteStream): Promise<void> {
  let answer: Answer | null = null;
  try {
    const writeHead = (head: AnswerHead): void => void out.write(headText(head), "latin1");
    answer = await SEND.fastcgi({ path: app.path }, { ...request, informed: writeHead });
    writeHead(answer);
    await pipeline(answer.body, out, { end: false });
    await answer.ended;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // The client has left, as the web server says by closing the pipe or by a signal.
    if (code === "EPIPE" || request.signal?.aborted === true) return;
    process.stderr.write(`propylon: the answer breaks off: ${message}\n`);
    process.exitCode = 1;
  } finally {
    if (answer !== null) process.stderr.write(answer.stderr);
  }
}

/** The request's variables, one character for each byte. Those that only a request makes leave the environment. */
function takeVariables(): [name: string, value: string][] {
  const all = environment().filter(([name]) => /^\w+$/.test(name) && !OF_PROGRAMS.test(name));
  for (const [name] of all) if (OF_REQUESTS.test(name)) delete process.env[name];
  return all;
}

/** Node takes the environment for UTF-8, which a path need not be; Linux has the bytes. */
function environment(): [name: string, value: string][] {
  let lines: string[];
  try {
    lines = readFileSync("/proc/self/environ", "latin1").split("\0");
  } catch {
    lines = Object.entries(process.env).map((pair) => Buffer.from(pair.join("=")).toString("latin1"));
  }
  return lines.flatMap((line) => {
    const at = line.indexOf("=");
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
  });
}

/**
 * As much as CONTENT_LENGTH says: more must not be read, and there need not be an end (RFC 3875 4.2). Without it there is
 * no body, but for Apache, which passes a chunked one on without its length.
 */
function bodyOf(params: readonly (readonly [string, string])[]): AsyncIterable<Uint8Array> | undefined {
  const all = new Map(params);
  const length = all.get("CONTENT_LENGTH") ?? "";
  if (length === "") return /chunked/i.test(all.get("HTTP_TRANSFER_ENCODING") ?? "") ? process.stdin : undefined;
  return /^\d+$/.test(length) && Number(length) > 0 ? beginning(process.stdin, Number(length)) : undefined;
}

async function* beginning(stream: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  let rest = length;
  for await (const chunk of stream) {
    yield chunk.subarray(0, rest);
    rest -= Math.min(rest, chunk.length);
    if (rest === 0) return;
  }
}
