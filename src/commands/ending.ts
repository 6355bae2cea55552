/** What signals mean to a running server, and how it comes to its end: by one of them, or by an uncaught exception. */
import { inspect } from "node:util";

import type { RunningServer } from "../deploy/gateway.ts";
import type { SupervisedServer } from "../deploy/supervised.ts";
import type { Logger } from "../log.ts";
import { describeFailure } from "./failure.ts";
import type { ServiceManager } from "./service-manager.ts";

/** Signals that end the server, and the exit code when one comes a second time. */
const STOP_SIGNALS = { SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 } as const;

/** Milliseconds for the other requests after an exception: the one that threw will hardly be answered any more. */
const FAILURE_GRACE = 5_000;

/**
 * What signals mean until the server serves: those that stop end the process, with what it holds removed at its exit; a
 * reload is due once it serves; the others are for workers that are not there yet. The result takes these meanings away
 * and tells whether a reload is due.
 */
export function awaitStart(log: Logger): () => boolean {
  let reloadIsDue = false;
  const meanings: [NodeJS.Signals, () => void][] = [
    ...Object.entries(STOP_SIGNALS).map(([signal, code]): [NodeJS.Signals, () => void] => [
      signal as NodeJS.Signals,
      () => {
        log.info(`${signal} while starting: stopping`);
        process.exit(code);
      },
    ]),
    ["SIGHUP", () => (reloadIsDue = true)],
    ...(["SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU"] as const).map((signal): [NodeJS.Signals, () => void] => [
      signal,
      () => {},
    ]),
  ];
  for (const [signal, meaning] of meanings) process.on(signal, meaning);
  return () => {
    for (const [signal, meaning] of meanings) process.off(signal, meaning);
    return reloadIsDue;
  };
}

/** Node's own for a promise that nothing can settle any more. */
const EXIT_UNSETTLED = 13;

/**
 * Runs what loads an app's code. Where the process comes to its end meanwhile, and not by a signal, standard error says
 * so and the exit code is 1: an app has no exit codes of ours.
 *
 * @param what - such as "the app"
 */
export async function whileLoading<Result>(what: string, load: () => Promise<Result>): Promise<Result> {
  const tell = (): void => {
    const code = Number(process.exitCode ?? EXIT_UNSETTLED);
    if (Object.values<number>(STOP_SIGNALS).includes(code)) return;
    const why =
      code === EXIT_UNSETTLED
        ? "it waits for a promise that nothing settles any more"
        : `process.exit(${code}), or an exception that nobody caught`;
    process.stderr.write(`propylon: ${what} ended the process before it was done: ${why}\n`);
    process.exitCode = 1;
  };
  process.on("exit", tell);
  try {
    return await load();
  } finally {
    process.off("exit", tell);
  }
}

/** From now on the process ends with its server: 0 after a signal, 1 after an uncaught exception. */
export function endWith(running: RunningServer | SupervisedServer, log: Logger, manager: ServiceManager | null): void {
  if ("reload" in running) obeySignals(running, log, manager);
  if (running.reopenLogs !== undefined) process.on("SIGUSR1", () => running.reopenLogs?.());
  let stopping = false;
  let code = 0;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    manager?.stopping();
    void running.close().then(
      () => process.exit(code),
      (error: unknown) => {
        log.error(String(error));
        process.exit(1);
      },
    );
  };

  for (const [signal, secondCode] of Object.entries(STOP_SIGNALS)) {
    process.on(signal, () => {
      if (stopping) {
        if ("kill" in running) running.kill();
        process.exit(secondCode);
      }
      log.info(`${signal}: answering what is in hand, then stopping (once more to stop at once)`);
      stop();
    });
  }

  // Node would end the process at once. What the exception left behind may be broken, so it ends here too, but the
  // other requests in hand are answered first.
  process.on("uncaughtException", (error, origin) => {
    log.error(`${origin}: ${error instanceof Error ? error.stack : inspect(error)}`);
    if (code === 0) log.error("answering what else is in hand, then exiting with 1");
    code = 1;
    setTimeout(() => process.exit(1), FAILURE_GRACE).unref();
    stop();
  });
}

/** As PHP-FPM and gunicorn have them. */
function obeySignals(server: SupervisedServer, log: Logger, manager: ServiceManager | null): void {
  process.on("SIGHUP", () => {
    log.info("SIGHUP: reloading");
    manager?.reloading();
    server.reload().then(
      () => {
        log.info("reloaded");
        manager?.reloaded(null);
      },
      (error: unknown) => {
        const why = describeFailure(error, false);
        log.error(`reload failed, what served goes on: ${why}`);
        manager?.reloaded(why);
      },
    );
  });
  process.on("SIGUSR2", () => server.dumpStacks());
  process.on("SIGTTIN", () => server.resize(1));
  process.on("SIGTTOU", () => server.resize(-1));
}
