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
import { type ServerFactory, gatewayServer, notSupported } from "./servers.ts";

const fcgi = gatewayServer({ protocol: "fastcgi", mode: "single" });
const scgi = gatewayServer({ protocol: "scgi", mode: "single" });
const ajp = notSupported("AJP");

/** flup's SCGI servers listen here unless they are told otherwise. */
const FLUP_SCGI = { host: "127.0.0.1", port: 4000 };

const flup = {
  fcgi_thread: gatewayServer({ protocol: "fastcgi", mode: "thread" }),
  fcgi_fork: gatewayServer({ protocol: "fastcgi", mode: "fork" }),
  scgi_thread: gatewayServer({ protocol: "scgi", mode: "thread", listen: FLUP_SCGI }),
  scgi_fork: gatewayServer({ protocol: "scgi", mode: "fork", listen: FLUP_SCGI }),
  ajp_thread: ajp,
  ajp_fork: ajp,
} satisfies Record<string, ServerFactory>;

/** By normalised package name. */
export const BUILTINS: ReadonlyMap<string, EntryPoints> = new Map<string, EntryPoints>([
  [
    "propylon",
    {
      server: {
        ...{ fcgi, scgi, http: httpServer, main: fcgi },
        fcgi_thread: flup.fcgi_thread,
        fcgi_fork: flup.fcgi_fork,
        scgi_thread: gatewayServer({ protocol: "scgi", mode: "thread" }),
        scgi_fork: gatewayServer({ protocol: "scgi", mode: "fork" }),
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
        ajp,
        ajp_single: ajp,
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
