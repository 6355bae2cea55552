/** `propylon serve`: starts the server that a file configures, here or in the background. */
import { closeSync, writeSync } from "node:fs";

import { PidFile } from "../deploy/pid-file.ts";
import { sourcesOf } from "../deploy/sources.ts";
import { type StartOptions, check, start } from "../deploy/start.ts";
import { stderrLogger } from "../log.ts";
import { didYouMean, nearestName } from "../suggest.ts";
import { parseVariables, splitTarget } from "./arguments.ts";
import { Daemon } from "./daemon.ts";
import { awaitStart, endWith, whileLoading } from "./ending.ts";
import { ServiceManager } from "./service-manager.ts";
import { UsageError, exitCodeOf, reportFailure } from "./failure.ts";

export interface ServeFlags {
  readonly appName?: string;
  readonly serverName?: string;
  /** A type of server in place of the section. */
  readonly server?: string;
  readonly user?: string;
  readonly group?: string;
  readonly daemon?: boolean;
  readonly pidFile?: string;
  readonly logFile?: string;
  /** Seconds. */
  readonly timeout: string;
  readonly check?: boolean;
  readonly reload?: boolean;
  /** Descriptor of who started it: it is written to, and closed, when it serves. */
  readonly readyFd?: string;
  /** By `--reload`, which is gone when the line to it is. */
  readonly watched?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** What a process that serves for this one is started with too. */
const PASSED_ON = [
  ["appName", "--app-name"],
  ["serverName", "--server-name"],
  ["server", "--server"],
  ["user", "--user"],
  ["group", "--group"],
] as const;

const ACTIONS = ["start", "stop", "restart", "status"] as const;
type Action = (typeof ACTIONS)[number];

/** Without an action it resolves when the server listens; the process then lives until a signal or a failure ends it. */
export async function serve(target: string, rest: readonly string[], flags: ServeFlags): Promise<void> {
  const { daemon = false, verbose = false } = flags;
  try {
    const named = ACTIONS.find((action) => action === rest[0]);
    const variables = named === undefined ? rest : rest.slice(1);
    checkOrder(target, variables, named === undefined);
    const action = named ?? (daemon ? "start" : null);
    if (flags.check === true && action !== null) throw new UsageError(`--check starts nothing: leave "${action}" out`);
    if (flags.reload === true) {
      if (action !== null) throw new UsageError("--reload is for a server in the foreground");
      process.exit(await reloading(target, variables, flags));
    }
    if (action === null) await inForeground(target, variables, flags);
    else process.exitCode = await inBackground(action, target, variables, flags);
  } catch (error) {
    reportFailure(error, verbose);
    process.exit(exitCodeOf(error));
  }
}

/** A word among the variables that is an action, or nearly one. @throws UsageError */
function checkOrder(target: string, variables: readonly string[], mayAct: boolean): void {
  const word = variables.find((variable) => !variable.includes("="));
  if (word === undefined || !mayAct) return;
  const action = nearestName(word, ACTIONS);
  if (action === word)
    throw new UsageError(`"${word}" belongs behind the file: propylon serve ${target} ${word} var=value`);
  const hint = didYouMean(word, ACTIONS) || ` and none of ${ACTIONS.join(", ")}`;
  throw new UsageError(`"${word}" is not var=value${hint}`);
}

async function inForeground(target: string, variables: readonly string[], flags: ServeFlags): Promise<void> {
  const { pidFile, logFile, quiet = false, verbose = false } = flags;
  if (logFile !== undefined) {
    throw new UsageError(
      "--log-file is for a server in the background; here the shell does it: propylon serve … > FILE",
    );
  }
  const level = verbose ? "debug" : quiet ? "warn" : "info";
  const log = stderrLogger(level);
  const say = (text: string): unknown => quiet || process.stdout.write(`${text}\n`);
  const { file, ...chosen } = choose(target, variables, flags);
  const options = { ...chosen, log, level } as const;
  if (flags.watched === true) process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  if (flags.check === true) {
    say(await whileLoading("the app", async () => await check(file, options)));
    // What the app has opened meanwhile would keep the process.
    process.exit(0);
  }
  const isHelper = flags.watched === true || flags.readyFd !== undefined;
  if (!isHelper && (await answeredAsCgi(file, options))) return;
  const manager = ServiceManager.find(log);
  const pid = pidFile === undefined ? null : new PidFile(pidFile);
  const started = awaitStart(log);
  // With the rights that are given up then it may not be possible any more.
  const onBound = (): void => pid?.publish();
  const running = await whileLoading("the app", async () => await start(file, { ...options, onBound }));
  endWith(running, log, manager);
  pid?.publish();
  // For servers that cannot be reloaded, such as the single mode, the signal keeps the system's meaning.
  if (started()) process.kill(process.pid, "SIGHUP");
  say(`Starting server in PID ${process.pid}.\nServing ${running.where}`);
  manager?.ready(running.where);
  if (flags.readyFd !== undefined) tellReady(Number(flags.readyFd));
}

/**
 * A web server's CGI starts a program for one request (RFC 3875 3.4), which a section that says where to listen is not
 * for. True if that is so and the request is answered.
 */
async function answeredAsCgi(file: string, options: StartOptions): Promise<boolean> {
  const { GATEWAY_INTERFACE = "", REQUEST_METHOD } = process.env;
  if (!GATEWAY_INTERFACE.startsWith("CGI/") || REQUEST_METHOD === undefined) return false;
  return await (await import("./cgi-request.ts")).answerCgi(file, options);
}

/** Whoever waited for it may be gone. */
function tellReady(descriptor: number): void {
  try {
    writeSync(descriptor, "ready\n");
    closeSync(descriptor);
  } catch {
    // It serves all the same.
  }
}

/** What of a file is served, and how. */
function choose(
  target: string,
  variables: readonly string[],
  { appName, serverName, server, user, group }: ServeFlags,
): StartOptions & { readonly file: string; readonly globalConf: Record<string, string> } {
  const [file, fragment] = splitTarget(target);
  const globalConf = parseVariables(variables);
  return { file, appName: appName ?? fragment, serverName, serverType: server, user, group, globalConf };
}

/** The same command line for another process, but for what it is to do. */
function passOn(target: string, variables: readonly string[], flags: ServeFlags): string[] {
  const { quiet = false, verbose = false } = flags;
  const options = PASSED_ON.flatMap(([name, option]) => {
    const value = flags[name];
    return value === undefined ? [] : [option, value];
  });
  return [...options, ...(quiet ? ["-q"] : []), ...(verbose ? ["-v"] : []), target, ...variables];
}

async function reloading(target: string, variables: readonly string[], flags: ServeFlags): Promise<number> {
  const { pidFile } = flags;
  const { file, ...options } = choose(target, variables, flags);
  // Its watcher is for development alone.
  const { serveReloading } = await import("./reloader.ts");
  return await serveReloading({
    sources: () => sourcesOf(file, options),
    args: [...(pidFile === undefined ? [] : ["--pid-file", pidFile]), ...passOn(target, variables, flags)],
    say: (line) => void process.stderr.write(`propylon: ${line}\n`),
  });
}

async function inBackground(
  action: Action,
  target: string,
  variables: readonly string[],
  flags: ServeFlags,
): Promise<0 | 1> {
  const { pidFile, logFile, quiet = false } = flags;
  const timeout = Number(flags.timeout) * 1000;
  if (!(timeout > 0)) throw new UsageError(`--timeout: "${flags.timeout}" is no number of seconds above 0`);
  const daemon = new Daemon({
    ...choose(target, variables, flags),
    ...{ pidFile, logFile, timeout },
    args: passOn(target, variables, flags),
    say: (line) => quiet || void process.stdout.write(`${line}\n`),
  });
  return await daemon[action]();
}
