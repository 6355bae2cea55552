/** The error that node http has for a client that leaves. */
import type { AbortCode } from "../errors.ts";

/** `cause` says who ended it. */
export function connectionReset(cause?: AbortCode): Error {
  const error = new Error("aborted", cause === undefined ? undefined : { cause });
  return Object.assign(error, { code: "ECONNRESET" });
}

export function isReset(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === "ECONNRESET" && error.message === "aborted";
}
