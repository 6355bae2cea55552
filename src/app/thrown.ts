/** What an app throws may be anything, and looking at it may throw again. */
import { inspect } from "node:util";

import { type FileError, RequestError } from "../errors.ts";

/** `thrown` itself if it is an Error, else one that says what it is. */
export function asError(thrown: unknown): Error {
  if (isError(thrown)) return thrown;
  return new Error(`the app threw ${shown(thrown)}`, { cause: thrown });
}

/** What an app has returned is a promise, of whatever kind, and may reject. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** Stack and message, or as much of it as there is. */
export function textOf(error: Error): string {
  try {
    const { stack } = error;
    return typeof stack === "string" ? stack : shown(error);
  } catch {
    return shown(error);
  }
}

/** What is no fault of the app: the client hears its status, and the log a line. */
export function isForClient(error: Error | string): error is RequestError | FileError {
  try {
    if (error instanceof RequestError) return true;
    // An app may have another copy of this package than the server that runs it.
    return typeof error === "object" && error.name === "FileError" && (error as FileError).status === 404;
  } catch {
    return false;
  }
}

function isError(value: unknown): value is Error {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

function shown(value: unknown): string {
  try {
    return inspect(value, { depth: 1 });
  } catch {
    return "something that cannot be shown";
  }
}
