/**
 * What systemd is told of a service: sd_notify(3).
 *
 * Node has no Unix datagram sockets, so systemd's own program sends the messages (NotifyAccess=all lets it). A small shell
 * starts it, from a line for each message: to start a process from this one would stop its loop for the longer the larger
 * the app is, by some 100 ms at 650 MB, and the watchdog is told for ever.
 */
import { spawn } from "node:child_process";
import type { Writable } from "node:stream";

import type { Logger } from "../log.ts";

/**
 * Signals for the whole service are for the server: this shell ends with its standard input, or where there is no such
 * program (126 and 127 are the shell's own words for that).
 */
const SHELL = `
trap '' HUP INT QUIT TERM USR1 USR2
set -f
IFS='\t'
while read -r message; do
  systemd-notify $message
  [ $? -lt 126 ] || exit
done
`;
/** Characters of a status that are kept. */
const LONGEST_STATUS = 500;
/** sd_watchdog_enabled(3) recommends to tell twice as often as systemd wants to hear. */
const TOLD_PER_TIMEOUT = 2;

export class ServiceManager {
  readonly #lines: Writable;
  /** Milliseconds; 0 without a watchdog. */
  readonly #interval: number;
  #where = "";

  private constructor(lines: Writable, interval: number) {
    this.#lines = lines;
    this.#interval = interval;
  }

  /**
   * Null where nobody wants to hear. The variables are taken away: they are not for the app, nor for what it starts. To be
   * called before the app is loaded.
   */
  static find(log: Logger): ServiceManager | null {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID = String(process.pid), PATH } = process.env;
    for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete process.env[name];
    if (NOTIFY_SOCKET === undefined || NOTIFY_SOCKET === "") return null;
    const shell = spawn("/bin/sh", ["-c", SHELL], {
      stdio: ["pipe", "ignore", "inherit"],
      env: { NOTIFY_SOCKET, PATH },
    });
    const lost = (why: string): void => log.warn(`systemd is not told of this service: ${why}`);
    shell.once("error", ({ message }) => lost(message));
    shell.once("exit", (code) => lost(`what does so has ended (${code ?? "by a signal"})`));
    shell.stdin.on("error", () => {});
    shell.unref();
    (shell.stdin as Writable & { unref?(): void }).unref?.();
    const microseconds = WATCHDOG_PID === String(process.pid) ? Number(WATCHDOG_USEC ?? 0) : 0;
    const interval = microseconds > 0 ? microseconds / 1000 / TOLD_PER_TIMEOUT : 0;
    return new ServiceManager(shell.stdin, interval);
  }

  /** The server serves; from now on the watchdog hears of each turn of the loop that its timer makes. */
  ready(where: string): void {
    this.#where = where;
    this.#tell("READY=1", `MAINPID=${process.pid}`, this.#serving);
    if (this.#interval > 0) setInterval(() => this.#tell("WATCHDOG=1"), this.#interval).unref();
  }

  reloading(): void {
    const now = process.hrtime.bigint() / 1000n;
    this.#tell("RELOADING=1", `MONOTONIC_USEC=${now}`, "STATUS=Reloading");
  }

  /** @param failure why what served goes on; null if the new configuration serves. */
  reloaded(failure: string | null): void {
    this.#tell("READY=1", failure === null ? this.#serving : `STATUS=Reload failed, what served goes on: ${failure}`);
  }

  stopping(): void {
    this.#tell("STOPPING=1", "STATUS=Answering what is in hand");
  }

  get #serving(): string {
    return `STATUS=Serving ${this.#where}`;
  }

  #tell(...assignments: string[]): void {
    const plain = assignments.map((text) => text.replaceAll(/[\p{Cc}\s]+/gu, " ").slice(0, LONGEST_STATUS));
    this.#lines.write(`${plain.join("\t")}\n`);
  }
}
