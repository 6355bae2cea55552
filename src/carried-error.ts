/** An error as plain data, for the way between threads and processes: structured clone drops its class and its code. */
import { ConfigError, type ConfigPlace, ListenError } from "./errors.ts";

export interface CarriedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code?: string | undefined;
  readonly place?: ConfigPlace | undefined;
  readonly cause?: CarriedError | undefined;
}

/** Of the message and of the stack; the rest is cut. */
export const ERROR_CHARACTERS: number = 64 * 1024;

/** Causes of causes that are carried along. */
const DEPTH = 4;

/** Anything that was thrown; what is no error becomes one. Never throws. */
export function carryError(thrown: unknown, depth: number = DEPTH): CarriedError {
  try {
    if (!(thrown instanceof Error)) {
      const text = String(thrown).slice(0, ERROR_CHARACTERS);
      return { name: "Error", message: text, stack: text };
    }
    const { name, message, stack, cause } = thrown;
    const { code, place } = thrown as { code?: unknown; place?: ConfigPlace };
    return {
      name,
      message: message.slice(0, ERROR_CHARACTERS),
      stack: (typeof stack === "string" ? stack : `${name}: ${message}`).slice(0, ERROR_CHARACTERS),
      ...(typeof code === "string" ? { code } : {}),
      ...(thrown instanceof ConfigError ? { place } : {}),
      ...(cause instanceof Error && depth > 0 ? { cause: carryError(cause, depth - 1) } : {}),
    };
  } catch {
    return { name: "Error", message: "something that cannot be shown", stack: "" };
  }
}

/** The error again: a ConfigError or ListenError if it was one, else an Error with its name, code and stack. */
export function reviveError(carried: CarriedError): Error {
  const { name, message, stack, code, place, cause } = carried;
  const options = cause === undefined ? {} : { cause: reviveError(cause) };
  const error = new Error(message, options);
  if (name === "ConfigError") Object.setPrototypeOf(error, ConfigError.prototype);
  else if (name === "ListenError") Object.setPrototypeOf(error, ListenError.prototype);
  const fields = { name, stack, ...(code === undefined ? {} : { code }), ...(place === undefined ? {} : { place }) };
  for (const [key, value] of Object.entries(fields)) {
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: key === "code" });
  }
  return error;
}
