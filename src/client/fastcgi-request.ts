/** One FastCGI request on a connection of its own. */
import type { Answer } from "./answer.ts";
import { Exchange } from "./exchange.ts";
import { FastCgiFraming } from "./fastcgi-framing.ts";
import type { FastCgiRequest } from "./request.ts";
import { connect, type Target } from "./target.ts";

export interface FastCgiSingleRequest extends FastCgiRequest {
  /** Sets FCGI_KEEP_CONN. The connection is closed after the answer all the same, but by this side. Default false. */
  readonly keepConn?: boolean | undefined;
}

/**
 * Connects, asks, closes. Resolves with the head of the answer.
 *
 * @throws ProtocolError FCGI_TRUNCATED, FCGI_BAD_VERSION, FCGI_BAD_RECORD, CGI_BAD_RESPONSE; the system's error
 *   (ECONNREFUSED, ENOENT, ECONNRESET …); an error with code ETIMEDOUT; the signal's reason; what the body throws.
 */
export async function fastCgiRequest(target: Target, request: FastCgiSingleRequest): Promise<Answer> {
  const socket = await connect(target, request);
  return new Exchange(socket, new FastCgiFraming(request, request.keepConn ?? false), request, false, () => {}).answer;
}
