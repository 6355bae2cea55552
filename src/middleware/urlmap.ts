/** Paste's urlmap: apps below one another by host and path. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { NodeHandler } from "../app/handler.ts";
import { type MountedRequest, partUrl, remount, segmentsOf } from "./mount-point.ts";

/** Where an app is: below a path, on every host or on one. */
export interface MapPlace {
  /** Lower case; undefined for every host. */
  readonly host?: string;
  /** With `host`: on that port alone. */
  readonly port?: string;
  readonly segments: readonly string[];
}

/**
 * Reads a key of a urlmap: `/blog`, `domain www.example.org`, `domain www.example.org port 8080 /blog`. Null for anything
 * else.
 */
export function parseMapPlace(key: string): MapPlace | null {
  const match = /^(?:domain\s+(?<host>\S+)(?:\s+port\s+(?<port>\d+))?(?:\s+(?=\/)|$))?(?<path>\/\S*)?$/i.exec(key);
  if (match === null || key === "") return null;
  const { host, port, path = "/" } = match.groups!;
  const place = { segments: segmentsOf(path), ...(port === undefined ? {} : { port }) };
  return host === undefined ? place : { ...place, host: host.toLowerCase() };
}

/**
 * Gives each request to the app with the longest path that it is below. As in Paste, an app of the request's host comes
 * before those of every host, whatever their paths.
 */
export function urlmap(
  places: readonly (readonly [MapPlace, NodeHandler])[],
  notFound: NodeHandler = plain404,
): NodeHandler {
  const ordered = places.toSorted(([a], [b]) => {
    return rank(b) - rank(a) || b.segments.length - a.segments.length;
  });
  return (request: MountedRequest, response) => {
    const { url = "/", baseUrl = "" } = request;
    const [host, port] = hostOf(request);
    for (const [place, app] of ordered) {
      if (place.host !== undefined && place.host !== host) continue;
      if (place.port !== undefined && place.port !== port) continue;
      const parts = partUrl(url, place.segments);
      if (parts === null) continue;
      if (parts[0] !== "") remount(request, { url: parts[1], baseUrl: baseUrl + parts[0] });
      return app(request, response);
    }
    return notFound(request, response);
  };
}

function rank({ host, port }: MapPlace): number {
  return (host === undefined ? 0 : 2) + (port === undefined ? 0 : 1);
}

function hostOf(request: MountedRequest): [host: string, port: string] {
  const { host = "" } = request.headers;
  const [, name = "", port] = /^(.*?)(?::(\d*))?$/.exec(host.toLowerCase())!;
  const { encrypted } = request.socket as { encrypted?: boolean };
  return [name, port || (encrypted === true ? "443" : "80")];
}

function plain404(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("Not Found\n");
}
