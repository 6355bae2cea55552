/** `propylon serve`: starts the server that a file configures. */
import { start } from "../deploy/start.ts";
import { stderrLogger } from "../log.ts";
import { parseVariables, splitTarget } from "./arguments.ts";
import { awaitStart, endWith } from "./ending.ts";
import { exitCodeOf, reportFailure } from "./failure.ts";

export interface ServeFlags {
  readonly appName?: string;
  readonly serverName?: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Resolves when the server listens; the process then lives until a signal or a failure ends it. */
export async function serve(target: string, variables: readonly string[], flags: ServeFlags): Promise<void> {
  const { quiet = false, verbose = false } = flags;
  const level = verbose ? "debug" : quiet ? "warn" : "info";
  const log = stderrLogger(level);
  const say = (text: string): unknown => quiet || process.stdout.write(`${text}\n`);
  try {
    const [file, fragment] = splitTarget(target);
    const globalConf = parseVariables(variables);
    const { appName = fragment, serverName } = flags;
    const started = awaitStart(log);
    const running = await start(file, { appName, serverName, globalConf, log, level });
    endWith(running, log);
    // For servers that cannot be reloaded, such as the single mode, the signal keeps the system's meaning.
    if (started()) process.kill(process.pid, "SIGHUP");
    say(`Starting server in PID ${process.pid}.\nServing ${running.where}`);
  } catch (error) {
    reportFailure(error, verbose);
    process.exit(exitCodeOf(error));
  }
}
