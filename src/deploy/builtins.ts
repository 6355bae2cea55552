/** The names under which propylon's own factories are found: its own, Paste's and flup's. */
import { httpServer } from "./http-server.ts";
import type { EntryPoints } from "./packages.ts";
import {
  cascadeApp,
  configFilter,
  errorCatcherFilter,
  gzipFilter,
  prefixFilter,
  staticApp,
  transloggerFilter,
  urlmapApp,
} from "./pieces.ts";
import { type ServerFactory, gatewayServer } from "./servers.ts";

const fcgi = gatewayServer({ protocol: "fastcgi", mode: "single" });
const scgi = gatewayServer({ protocol: "scgi", mode: "single" });
const ajp = gatewayServer({ protocol: "ajp", mode: "single" });

/** flup's SCGI and AJP servers listen here unless they are told otherwise. */
const FLUP_SCGI = { host: "127.0.0.1", port: 4000 };
const FLUP_AJP = { host: "127.0.0.1", port: 8009 };

const flup = {
  fcgi_thread: gatewayServer({ protocol: "fastcgi", mode: "thread" }),
  fcgi_fork: gatewayServer({ protocol: "fastcgi", mode: "fork" }),
  scgi_thread: gatewayServer({ protocol: "scgi", mode: "thread", listen: FLUP_SCGI }),
  scgi_fork: gatewayServer({ protocol: "scgi", mode: "fork", listen: FLUP_SCGI }),
  ajp_thread: gatewayServer({ protocol: "ajp", mode: "thread", listen: FLUP_AJP }),
  ajp_fork: gatewayServer({ protocol: "ajp", mode: "fork", listen: FLUP_AJP }),
} satisfies Record<string, ServerFactory>;

/** By normalised package name. */
export const BUILTINS: ReadonlyMap<string, EntryPoints> = new Map<string, EntryPoints>([
  [
    "propylon",
    {
      server: {
        ...{ fcgi, scgi, ajp, http: httpServer, main: fcgi },
        fcgi_thread: flup.fcgi_thread,
        fcgi_fork: flup.fcgi_fork,
        scgi_thread: gatewayServer({ protocol: "scgi", mode: "thread" }),
        scgi_fork: gatewayServer({ protocol: "scgi", mode: "fork" }),
        ajp_thread: gatewayServer({ protocol: "ajp", mode: "thread" }),
        ajp_fork: gatewayServer({ protocol: "ajp", mode: "fork" }),
      },
      app: { static: staticApp },
      composite: { urlmap: urlmapApp, cascade: cascadeApp },
      filterApp: {
        gzip: gzipFilter,
        error_catcher: errorCatcherFilter,
        config: configFilter,
        prefix: prefixFilter,
        translogger: transloggerFilter,
      },
    },
  ],
  [
    "flup",
    {
      server: {
        ...flup,
        fcgi: flup.fcgi_thread,
        fcgi_single: fcgi,
        scgi: flup.scgi_thread,
        scgi_single: gatewayServer({ protocol: "scgi", mode: "single", listen: FLUP_SCGI }),
        ajp: flup.ajp_thread,
        ajp_single: gatewayServer({ protocol: "ajp", mode: "single", listen: FLUP_AJP }),
      },
    },
  ],
  [
    "pastescript",
    { server: Object.fromEntries(Object.entries(flup).map(([name, factory]) => [`flup_${name}`, factory])) },
  ],
  [
    "paste",
    {
      server: { http: httpServer },
      app: { static: staticApp },
      composite: { urlmap: urlmapApp, cascade: cascadeApp },
      filterApp: { gzip: gzipFilter, error_catcher: errorCatcherFilter, translogger: transloggerFilter },
    },
  ],
  [
    "pastedeploy",
    {
      filterApp: { config: configFilter, prefix: prefixFilter },
    },
  ],
]);
