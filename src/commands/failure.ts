/** How a command that failed says so: one block without a stack, and an exit code. */
import { ConfigError } from "../errors.ts";
import { escapeControls } from "../log.ts";

/** The command line is not as `--help` says. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** 2 for what the user has to write differently, 1 for what failed while running. */
export function exitCodeOf(error: unknown): 1 | 2 {
  if (error instanceof UsageError) return 2;
  // The configuration is right where the app itself fails: a later start may do better.
  return error instanceof ConfigError && error.code !== "APP_LOAD_FAILED" ? 2 : 1;
}

/** Writes the failure to standard error: with the whole stack if `verbose`. */
export function reportFailure(error: unknown, verbose: boolean): void {
  process.stderr.write(`propylon: ${escapeControls(describeFailure(error, verbose))}\n`);
}

/** The text of `reportFailure`. */
export function describeFailure(error: unknown, verbose: boolean): string {
  if (!(error instanceof Error)) return String(error);
  if (verbose) return [error, error.cause].flatMap((each) => (each instanceof Error ? [each.stack] : [])).join("\n\n");
  const { cause, message } = error;
  const told = systemFailure(error);
  if (told !== null) return told;
  const isApps = error instanceof ConfigError && error.code === "APP_LOAD_FAILED";
  return isApps && cause instanceof Error ? [message, ...foreignFrames(cause)].join("\n") : message;
}

/** What Node says of a TCP address that cannot be had, in words that help; null for anything else. */
function systemFailure({ code, syscall, address, port, hostname }: NodeJS.ErrnoException & Where): string | null {
  if (syscall === "getaddrinfo") return `host: no address is known of ${hostname} (${code})`;
  if (syscall !== "listen" || port === undefined) return null;
  const why = code === undefined ? undefined : WHY_NOT_LISTEN[code];
  return why === undefined ? null : `cannot listen on ${address}:${port}: ${why} (${code})`;
}

const WHY_NOT_LISTEN: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program does, and "ss -ltnp" names it',
  EACCES: "this user may not; ports below 1024 are for root, who gives up his rights by --user",
  EADDRNOTAVAIL: "this machine does not have that address",
};

interface Where {
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

/** What an app throws while it is loaded is of use only with its stack, and of that our own part is not. */
function foreignFrames({ stack = "" }: Error): string[] {
  const own = new URL("..", import.meta.url).href;
  return stack
    .split("\n")
    .filter((line) => /^ +at /.test(line) && !line.includes(own) && !line.includes("node:internal"));
}
