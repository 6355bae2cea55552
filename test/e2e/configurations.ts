/** Every example configuration that the tests start a web server from, with what stands behind it. */
import { fileURLToPath } from "node:url";

import type { ServerName } from "../support/front.ts";

export interface Configuration {
  /** `apache fastcgi unix /james`. */
  readonly title: string;
  readonly server: ServerName;
  readonly protocol: "fastcgi" | "scgi";
  readonly transport: "tcp" | "unix";
  /** Where the web server puts the app: "" for the root. */
  readonly prefix: "" | "/james";
  /** The gateway's `mount` option: what the web server cannot say by itself has to be configured. */
  readonly mount: "auto" | "/james";
  readonly file: string;
}

const FILES = {
  apache: { folder: "apache-examples", fastcgi: "mod_proxy_fcgi", scgi: "mod_proxy_scgi" },
  lighttpd: { folder: "examples/lighttpd", fastcgi: "fastcgi", scgi: "scgi" },
  nginx: { folder: "examples/nginx", fastcgi: "fastcgi", scgi: "scgi" },
} as const;

function* all(): Generator<Configuration> {
  for (const server of ["apache", "lighttpd", "nginx"] as const) {
    for (const protocol of ["fastcgi", "scgi"] as const) {
      for (const transport of ["tcp", "unix"] as const) {
        for (const prefix of ["", "/james"] as const) {
          const name = `${FILES[server][protocol]}-${transport}${prefix.replace("/", "-")}.conf`;
          yield {
            title: `${server} ${protocol} ${transport} ${prefix === "" ? "/" : prefix}`,
            server,
            protocol,
            transport,
            prefix,
            mount: server === "apache" && protocol === "scgi" && prefix !== "" ? "/james" : "auto",
            file: example(`${FILES[server].folder}/${name}`),
          };
        }
      }
    }
  }
  yield {
    ...{ title: "nginx fastcgi tcp, connections kept, /", server: "nginx", protocol: "fastcgi", transport: "tcp" },
    ...{ prefix: "", mount: "auto", file: example("examples/nginx/fastcgi-tcp-kept.conf") },
  };
}

function example(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

export const CONFIGURATIONS: readonly Configuration[] = [...all()];
