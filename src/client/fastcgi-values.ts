/** FCGI_GET_VALUES: what a responder says of itself. */
import { ProtocolError } from "../errors.ts";
import { FastCgiClientReader } from "../protocol/fastcgi/client-reader.ts";
import { FastCgiClientWriter } from "../protocol/fastcgi/client-writer.ts";
import { asError, connect, connectionError, discard, type ConnectOptions, type Target } from "./target.ts";

export interface FastCgiValuesOptions extends ConnectOptions {
  /** Milliseconds until the answer; many responders never give one. Default 5,000. */
  readonly timeout?: number | undefined;
}

/**
 * Asks for variables such as FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS (FastCGI 1.0 section 4.1). Those that the
 * responder does not know are absent from the result.
 *
 * @throws ProtocolError FCGI_BAD_RECORD, FCGI_BAD_VERSION, FCGI_TRUNCATED; the system's error; an error with code
 *   ETIMEDOUT; the signal's reason.
 */
export async function fastCgiValues(
  target: Target,
  names: readonly string[],
  options: FastCgiValuesOptions = {},
): Promise<ReadonlyMap<string, string>> {
  const { timeout = 5_000, signal } = options;
  const socket = await connect(target, options);
  const reader = new FastCgiClientReader();
  const writer = new FastCgiClientWriter();
  let timer: NodeJS.Timeout | undefined;
  let aborted: (() => void) | undefined;
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(
        () => reject(connectionError("ETIMEDOUT", `no FCGI_GET_VALUES_RESULT in ${timeout} ms`)),
        timeout,
      );
      aborted = () => reject(asError(signal?.reason));
      signal?.addEventListener("abort", aborted);
      socket.on("error", reject);
      socket.on("end", () =>
        reject(new ProtocolError("FCGI_TRUNCATED", "the connection ended before FCGI_GET_VALUES_RESULT")),
      );
      socket.on("data", (chunk) => {
        try {
          reader.receive(chunk);
          const event = reader.nextEvent();
          if (event?.type === "getValuesResult") resolve(new Map(event.values));
          else if (event !== null)
            throw new ProtocolError("FCGI_BAD_RECORD", `${event.type} instead of getValuesResult`);
        } catch (error) {
          reject(asError(error));
        }
      });
      writer.send({ type: "getValues", names });
      for (const piece of writer.take()) socket.write(piece);
    });
  } finally {
    clearTimeout(timer);
    if (aborted !== undefined) signal?.removeEventListener("abort", aborted);
    discard(socket, "now");
  }
}
