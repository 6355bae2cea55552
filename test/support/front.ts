/** The real web servers, for the tests: the examples' own way of starting them, typed. */
export type ServerName = "apache" | "lighttpd" | "nginx";

export interface Front {
  readonly url: string;
  readonly pid: number;
  log(): Promise<string>;
  stop(): Promise<void>;
}

interface WebServerModule {
  findWebServer(name: ServerName): Promise<string | null>;
  startWebServer(options: {
    readonly name: ServerName;
    readonly config: string;
    readonly values?: { PORT?: number; SOCKET?: string; BACKEND_PORT?: number; ROOT?: string };
    readonly dir?: string;
  }): Promise<Front>;
  freePort(): Promise<number>;
}

const { findWebServer, ...others } = (await import(
  new URL("../../examples/web-server.mjs", import.meta.url).href
)) as WebServerModule;
export const { startWebServer, freePort } = others;

/** The servers that this machine has; a test of another one is skipped, and `npm test` says what to install. */
export const INSTALLED: ReadonlySet<ServerName> = new Set(
  (
    await Promise.all(
      (["apache", "lighttpd", "nginx"] as const).map(async (name) =>
        (await findWebServer(name)) === null ? [] : [name],
      ),
    )
  ).flat(),
);
