/** Every example configuration that the tests start a web server from, with what stands behind it. */
import { fileURLToPath } from "node:url";

import type { ServerName } from "../support/front.ts";

export interface Configuration {
  /** `apache fastcgi unix /james`. */
  readonly title: string;
  readonly server: ServerName;
  readonly protocol: "fastcgi" | "scgi" | "ajp";
  readonly transport: "tcp" | "unix";
  /** Where the web server puts the app: "" for the root. */
  readonly prefix: "" | "/james";
  /** The gateway's `mount` option: what the web server cannot say by itself has to be configured. */
  readonly mount: "auto" | "/james";
  /** The module of the web server, where it is not the one that the protocol's name says. */
  readonly connector?: "mod_jk";
  /** The one of the example, where it has one. */
  readonly secret?: string;
  readonly file: string;
}

const FILES = {
  apache: { folder: "apache-examples", fastcgi: "mod_proxy_fcgi", scgi: "mod_proxy_scgi", ajp: "mod_proxy_ajp" },
  lighttpd: { folder: "examples/lighttpd", fastcgi: "fastcgi", scgi: "scgi", ajp: "ajp13" },
  nginx: { folder: "examples/nginx", fastcgi: "fastcgi", scgi: "scgi", ajp: null },
} as const;

function* all(): Generator<Configuration> {
  for (const server of ["apache", "lighttpd", "nginx"] as const) {
    for (const protocol of ["fastcgi", "scgi", "ajp"] as const) {
      const base = FILES[server][protocol];
      if (base === null) continue;
      for (const transport of ["tcp", "unix"] as const) {
        for (const prefix of ["", "/james"] as const) {
          const name = `${base}-${transport}${prefix.replace("/", "-")}.conf`;
          yield {
            title: `${server} ${protocol} ${transport} ${prefix === "" ? "/" : prefix}`,
            server,
            protocol,
            transport,
            prefix,
            mount:
              prefix !== "" && (protocol === "ajp" || (server === "apache" && protocol === "scgi")) ? "/james" : "auto",
            ...(server === "apache" && protocol === "ajp" && transport === "tcp" ? { secret: "change-this" } : {}),
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
  yield {
    ...{ title: "apache ajp tcp, mod_jk, /", server: "apache", protocol: "ajp", transport: "tcp", connector: "mod_jk" },
    ...{ prefix: "", mount: "auto", secret: "change-this", file: example("apache-examples/mod_jk-tcp.conf") },
  };
}

function example(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

export const CONFIGURATIONS: readonly Configuration[] = [...all()];
