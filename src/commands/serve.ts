/** `propylon serve`: starts a configured server and sees it through to its end. */
import type { RunningServer } from "../deploy/servers.ts";
import { start } from "../deploy/start.ts";
import { type Logger, stderrLogger } from "../log.ts";
import { UsageError, exitCodeOf, reportFailure } from "./failure.ts";

export interface ServeFlags {
  readonly appName?: string;
  readonly serverName?: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Signals that end the server, and the exit code when one comes a second time. */
const STOP_SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Resolves when the server listens; the process then lives until a signal or a failure ends it. */
export async function serve(target: string, variables: readonly string[], flags: ServeFlags): Promise<void> {
  const { quiet = false, verbose = false } = flags;
  const log = stderrLogger(verbose ? "debug" : quiet ? "warn" : "info");
  const say = (text: string): unknown => quiet || process.stdout.write(`${text}\n`);
  try {
    const [file, fragment] = splitTarget(target);
    const globalConf = parseVariables(variables);
    const { appName = fragment, serverName } = flags;
    const running = await start(file, { appName, serverName, globalConf, log });
    say(`Starting server in PID ${process.pid}.\nServing ${running.where}`);
    stopOnSignals(running, log);
    stopOnFailure(running, log);
  } catch (error) {
    reportFailure(error, verbose);
    process.exit(exitCodeOf(error));
  }
}

/** `FILE.ini#NAME`; a name may follow the last `#` only. */
function splitTarget(target: string): [file: string, name: string | undefined] {
  const at = target.lastIndexOf("#");
  return at < 0 ? [target, undefined] : [target.slice(0, at), target.slice(at + 1)];
}

function parseVariables(variables: readonly string[]): Record<string, string> {
  const pairs = variables.map((variable): [string, string] => {
    const at = variable.indexOf("=");
    if (at < 1) throw new UsageError(`"${variable}" is not var=value`);
    return [variable.slice(0, at), variable.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

function stopOnSignals(running: RunningServer, log: Logger): void {
  let stopping = false;
  for (const [signal, code] of Object.entries(STOP_SIGNALS)) {
    process.on(signal, () => {
      if (stopping) process.exit(code);
      stopping = true;
      log.info(`${signal}: answering what is in hand, then stopping (once more to stop at once)`);
      void running.close().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error(String(error));
          process.exit(1);
        },
      );
    });
  }
}

/**
 * Node would end the process at once. State may be broken after an exception that nobody caught, so it ends here too,
 * but the other requests in hand are answered first.
 */
function stopOnFailure(running: RunningServer, log: Logger): void {
  let failed = false;
  process.on("uncaughtException", (error, origin) => {
    log.error(`${origin}: ${error instanceof Error ? error.stack : String(error)}`);
    if (failed) return;
    failed = true;
    log.error("answering what is in hand, then exiting with 1");
    void running.close().finally(() => process.exit(1));
  });
}
