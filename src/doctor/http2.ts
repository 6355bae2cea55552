/** One request to the web server over HTTP/2, as a browser would send it: each cookie in a field of its own. */
import { once } from "node:events";
import http2 from "node:http2";
import { isIP } from "node:net";
import { addAbortSignal } from "node:stream";
import tls from "node:tls";

import { type HttpAsk, MAX_BODY } from "./http.ts";

export interface Http2Ask extends Pick<HttpAsk, "url" | "path" | "headers" | "timeout" | "signal" | "verify"> {
  /** `name=value` each. */
  readonly cookies: readonly string[];
}

/**
 * @returns the body, latin1, of a longer one about the first `MAX_BODY` characters; null where the web server does not
 *   speak HTTP/2
 * @throws the system's error, or one that says that time is up
 */
export async function askByHttp2(asked: Http2Ask): Promise<string | null> {
  const { url, path, headers, cookies, timeout, signal, verify = true } = asked;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const socket = tls.connect({
    ...{ host, port: url.port === "" ? 443 : Number(url.port), rejectUnauthorized: verify },
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ["h2", "http/1.1"],
  });
  addAbortSignal(signal, socket);
  const timer = setTimeout(() => socket.destroy(new Error(`no answer in ${timeout} ms`)), timeout);
  try {
    await once(socket, "secureConnect");
    // Only now is HTTP/2 begun: to a server without it that would be a bad request.
    if (socket.alpnProtocol !== "h2") return null;
    const session = http2.connect(url, { createConnection: () => socket });
    // Its request fails with it.
    session.on("error", () => {});
    const request = session.request({
      ...{ ":authority": url.host, ":path": path, "user-agent": "propylon-doctor", ...headers },
      cookie: [...cookies],
    });
    request.setEncoding("latin1");
    let body = "";
    for await (const chunk of request) {
      body += String(chunk);
      if (body.length > MAX_BODY) break;
    }
    return body;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
