/** Requests to servers of the library door, over real sockets. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

import { fastCgiRequest } from "../../src/client/fastcgi-request.ts";
import type { FastCgiRequest } from "../../src/client/request.ts";
import type { Target } from "../../src/client/target.ts";
import type { Server } from "../../src/library/server.ts";

export interface Told {
  readonly status: number;
  /** Name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly stderr: string;
  readonly appStatus: number;
  readonly protocolStatus: number;
}

export const VARIABLES: Readonly<Record<string, string>> = {
  REQUEST_METHOD: "GET",
  REQUEST_URI: "/a?b=c",
  SCRIPT_NAME: "",
  PATH_INFO: "/a",
  QUERY_STRING: "b=c",
  SERVER_PROTOCOL: "HTTP/1.1",
  SERVER_NAME: "www.example.test",
  REMOTE_ADDR: "192.0.2.7",
  HTTP_HOST: "www.example.test",
};

/** The variables of a request for another path. */
export function at(path: string): Record<string, string> {
  return { REQUEST_URI: path, PATH_INFO: path, QUERY_STRING: "" };
}

/** One request with VARIABLES and `more`, its answer read to the end. */
export async function ask(
  target: Target,
  more: Readonly<Record<string, string>> = {},
  request: Omit<FastCgiRequest, "params"> = {},
): Promise<Told> {
  const answer = await fastCgiRequest(target, { ...request, params: Object.entries({ ...VARIABLES, ...more }) });
  const body = await text(answer.body);
  const headers = new Map(answer.headers.map(([name, value]) => [name.toLowerCase(), value]));
  return { status: answer.status, headers, body, ...(await answer.ended), stderr: answer.stderr };
}

/** Listens on a free port of this machine until the test is over. */
export async function open(server: Server): Promise<{ readonly port: number }> {
  server.listen(0);
  onTestFinished(async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  });
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port };
}
