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
  readonly prefix: "" | "/james" | "/app.fcgi";
  /** The gateway's `mount` option: what the web server cannot say by itself has to be configured. */
  readonly mount: "auto" | "/" | "/james";
  /** The module of the web server, where it is not the one that the protocol's name says. */
  readonly connector?: "mod_jk" | "mod_fcgid";
  /** The one of the example, where it has one. */
  readonly secret?: string;
  /** Whether the gateway takes several requests at a time on one connection, as the example says. */
  readonly multiplexed?: true;
  /** The web server starts the app by itself. */
  readonly spawned?: true;
  /** What has to be in the document root, path and content. */
  readonly documents?: Readonly<Record<string, string>>;
  /** A file of the system's without which the server does not take the configuration. */
  readonly needs?: string;
  readonly file: string;
}

interface Files {
  readonly folder: string;
  /** What the names of the files begin with; absent for what the server does not speak. */
  readonly fastcgi: string;
  readonly scgi?: string;
  readonly ajp?: string;
  readonly ending: string;
}

const FILES: Readonly<Record<ServerName, Files>> = {
  apache: {
    folder: "apache-examples",
    ...{ fastcgi: "mod_proxy_fcgi", scgi: "mod_proxy_scgi", ajp: "mod_proxy_ajp" },
    ending: "conf",
  },
  lighttpd: { folder: "examples/lighttpd", fastcgi: "fastcgi", scgi: "scgi", ajp: "ajp13", ending: "conf" },
  nginx: { folder: "examples/nginx", fastcgi: "fastcgi", scgi: "scgi", ending: "conf" },
  caddy: { folder: "examples/caddy", fastcgi: "fastcgi", ending: "Caddyfile" },
  h2o: { folder: "examples/h2o", fastcgi: "fastcgi", ending: "yaml" },
  haproxy: { folder: "examples/haproxy", fastcgi: "fastcgi", ending: "cfg" },
};

/** Whether the gateway has to be told where the app is, below a prefix. */
const mustBeTold = (server: ServerName, protocol: Configuration["protocol"]): boolean =>
  protocol === "ajp" || (server === "apache" && protocol === "scgi") || server === "h2o";

function* all(): Generator<Configuration> {
  for (const server of Object.keys(FILES) as ServerName[]) {
    for (const protocol of ["fastcgi", "scgi", "ajp"] as const) {
      const base = FILES[server][protocol];
      if (base === undefined) continue;
      for (const transport of ["tcp", "unix"] as const) {
        for (const prefix of ["", "/james"] as const) {
          const name = `${base}-${transport}${prefix.replace("/", "-")}.${FILES[server].ending}`;
          yield {
            title: `${server} ${protocol} ${transport} ${prefix === "" ? "/" : prefix}`,
            server,
            protocol,
            transport,
            prefix,
            mount: prefix !== "" && mustBeTold(server, protocol) ? prefix : "auto",
            ...(server === "apache" && protocol === "ajp" && transport === "tcp" ? { secret: "change-this" } : {}),
            file: example(`${FILES[server].folder}/${name}`),
          };
        }
      }
    }
  }
}

/** Other ways of the same servers. */
function* variants(): Generator<Configuration> {
  const tcp = { protocol: "fastcgi", transport: "tcp", prefix: "", mount: "auto" } as const;
  yield {
    ...{ ...tcp, title: "nginx fastcgi tcp, connections kept, /", server: "nginx" },
    file: example("examples/nginx/fastcgi-tcp-kept.conf"),
  };
  yield {
    ...{ ...tcp, title: "nginx fastcgi tcp, split_path_info, /james", server: "nginx", prefix: "/james" },
    file: example("examples/nginx/fastcgi-tcp-split-james.conf"),
  };
  yield {
    ...{ ...tcp, title: "apache fastcgi tcp, connections kept, /", server: "apache" },
    file: example("apache-examples/mod_proxy_fcgi-tcp-kept.conf"),
  };
  yield {
    ...{ ...tcp, title: "h2o fastcgi tcp, connections kept, /", server: "h2o" },
    file: example("examples/h2o/fastcgi-tcp-kept.yaml"),
  };
  yield {
    ...{ ...tcp, title: "haproxy fastcgi tcp, multiplexed, /", server: "haproxy", multiplexed: true },
    file: example("examples/haproxy/fastcgi-tcp-multiplexed.cfg"),
  };
  yield {
    ...{ title: "apache ajp tcp, mod_jk, /", server: "apache", protocol: "ajp", transport: "tcp", connector: "mod_jk" },
    ...{ prefix: "", mount: "auto", secret: "change-this", file: example("apache-examples/mod_jk-tcp.conf") },
  };
  const lighttpd = { server: "lighttpd", protocol: "fastcgi", transport: "unix", mount: "auto" } as const;
  yield {
    ...{ ...lighttpd, title: "lighttpd fastcgi unix, an extension, /app.fcgi", prefix: "/app.fcgi" },
    documents: { "app.fcgi": "" },
    file: example("examples/lighttpd/fastcgi-unix-extension.conf"),
  };
  yield {
    ...{ ...lighttpd, title: "lighttpd fastcgi unix, /static/ apart, /", prefix: "" },
    documents: { "static/style.css": "b { color: red }\n" },
    file: example("examples/lighttpd/fastcgi-unix-static.conf"),
  };
  for (const transport of ["tcp", "unix"] as const) {
    for (const prefix of ["", "/james"] as const) {
      const mount = prefix === "" ? "/" : prefix;
      yield {
        ...{ title: `apache fastcgi ${transport}, as a handler, ${mount}`, server: "apache", protocol: "fastcgi" },
        ...{ transport, prefix, mount },
        file: example(`apache-examples/mod_proxy_fcgi-sethandler-${transport}${prefix.replace("/", "-")}.conf`),
      };
    }
  }
  for (const protocol of ["fastcgi", "scgi"] as const) {
    for (const prefix of ["", "/james"] as const) {
      const at = prefix === "" ? "/" : prefix;
      yield {
        ...{ title: `nginx ${protocol} tcp, stock parameters, ${at}`, server: "nginx", protocol, transport: "tcp" },
        ...{ prefix, mount: protocol === "scgi" && prefix === "" ? "auto" : at },
        needs: `/etc/nginx/${protocol}_params`,
        file: example(`examples/nginx/${protocol}-tcp-stock${prefix.replace("/", "-")}.conf`),
      };
    }
  }
}

/** Those of apps that the web server starts. */
function* spawned(): Generator<Configuration> {
  const unix = { transport: "unix", mount: "auto", spawned: true } as const;
  for (const prefix of ["", "/james"] as const) {
    const [at, suffix] = [prefix === "" ? "/" : prefix, prefix.replace("/", "-")];
    yield {
      ...{ ...unix, title: `apache fastcgi unix, mod_fcgid, ${at}`, server: "apache", protocol: "fastcgi", prefix },
      connector: "mod_fcgid",
      file: example(`apache-examples/mod_fcgid${suffix}.conf`),
    };
    yield {
      ...{ ...unix, title: `lighttpd fastcgi unix, bin-path, ${at}`, server: "lighttpd", protocol: "fastcgi", prefix },
      file: example(`examples/lighttpd/fastcgi-spawned${suffix}.conf`),
    };
  }
  yield {
    ...{ ...unix, title: "lighttpd scgi unix, bin-path, /", server: "lighttpd", protocol: "scgi", prefix: "" },
    file: example("examples/lighttpd/scgi-spawned.conf"),
  };
}

function example(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

/** Each server, protocol and transport, at the root and under a prefix. */
export const CONFIGURATIONS: readonly Configuration[] = [...all()];
export const VARIANTS: readonly Configuration[] = [...variants()];
export const SPAWNED: readonly Configuration[] = [...spawned()];
