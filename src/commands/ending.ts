/** How a running server comes to its end: by a signal, or by an exception that nobody caught. */
import type { RunningServer } from "../deploy/servers.ts";
import type { Logger } from "../log.ts";

/** Signals that end the server, and the exit code when one comes a second time. */
const STOP_SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Milliseconds for the other requests after an exception: the one that threw will hardly be answered any more. */
const FAILURE_GRACE = 5_000;

/** From now on the process ends with its server: 0 after a signal, 1 after an uncaught exception. */
export function endWith(running: RunningServer, log: Logger): void {
  let stopping = false;
  let code = 0;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
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
      if (stopping) process.exit(secondCode);
      log.info(`${signal}: answering what is in hand, then stopping (once more to stop at once)`);
      stop();
    });
  }

  // Node would end the process at once. What the exception left behind may be broken, so it ends here too, but the
  // other requests in hand are answered first.
  process.on("uncaughtException", (error, origin) => {
    log.error(`${origin}: ${error instanceof Error ? error.stack : String(error)}`);
    if (code === 0) log.error("answering what else is in hand, then exiting with 1");
    code = 1;
    setTimeout(() => process.exit(1), FAILURE_GRACE).unref();
    stop();
  });
}
