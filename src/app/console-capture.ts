/** Tells which request a line on `console` belongs to, and sends it to the web server's error log as well. */
import { AsyncLocalStorage } from "node:async_hooks";
import { format } from "node:util";

interface StderrTarget {
  stderr(chunk: Uint8Array): void;
}

export interface ConsoleCapture {
  run<T>(target: StderrTarget, call: () => T): T;
}

const METHODS = ["log", "info", "debug", "warn", "error"] as const;
const current = new AsyncLocalStorage<StderrTarget>();
let installed = false;

/** Wraps the methods of the global `console`, once for the process; outside of requests they are as they were. */
export function captureConsole(): ConsoleCapture {
  if (!installed) {
    installed = true;
    for (const method of METHODS) {
      // oxlint-disable-next-line no-console
      const original = console[method].bind(console);
      // oxlint-disable-next-line no-console
      console[method] = (...args: unknown[]): void => {
        current.getStore()?.stderr(Buffer.from(`${format(...args)}\n`));
        original(...args);
      };
    }
  }
  return { run: (target, call) => current.run(target, call) };
}
