/** The options of worker modes: how many threads or processes, for how long, and what the processes are. */
import { type ServerOption, row } from "./option-row.ts";

/** Those of a section's workers that were given. Times are milliseconds, sizes bytes; the table says the defaults. */
export interface PoolOptions {
  readonly poolManager?: "static" | "dynamic" | "ondemand";
  readonly minSpare?: number;
  readonly maxSpare?: number;
  readonly maxThreads?: number;
  readonly maxChildren?: number;
  readonly maxRequests?: number;
  readonly idleTimeout?: number;
  readonly maxLifetime?: number;
  readonly maxMemory?: number;
  readonly maxHeap?: number;
  readonly concurrency?: number;
  readonly queueLimit?: number;
  readonly queueTimeout?: number;
  readonly startTimeout?: number;
  readonly stallTimeout?: number;
  readonly slowlogTimeout?: number;
  readonly maxZombies?: number;
}

export interface ProcessOptions {
  readonly user?: string;
  readonly group?: string;
  readonly chdir?: string;
  readonly processUmask?: number;
  readonly accessLog?: string;
  readonly accessLogFormat?: string;
  readonly slowLog?: string;
  readonly statusSocket?: string;
  readonly statusListen?: string;
  readonly pidFile?: string;
}

/** flup's keys keep their spelling. */
export const POOL_OPTIONS: readonly ServerOption[] = [
  pool({
    name: "poolManager",
    kind: "word",
    default: "dynamic",
    words: ["static", "dynamic", "ondemand"],
    aliases: ["pm"],
    about: "static: always as many workers as the maximum; dynamic: as the spares say; ondemand: none without requests",
  }),
  pool({
    name: "minSpare",
    kind: "count",
    key: "minSpare",
    default: 1,
    min: 1,
    about: "workers with room for a request, at least",
  }),
  pool({
    name: "maxSpare",
    kind: "count",
    key: "maxSpare",
    default: 5,
    min: 1,
    about: "idle workers, at most; it begins with so many",
  }),
  pool({ name: "maxThreads", kind: "count", key: "maxThreads", default: 0, min: 0, about: "threads, at most" }),
  pool({ name: "maxChildren", kind: "count", key: "maxChildren", default: 50, min: 1, about: "processes, at most" }),
  pool({
    name: "maxRequests",
    kind: "count",
    key: "maxRequests",
    default: 0,
    min: 0,
    about: "a worker is replaced after so many requests, spread over 10 % more",
  }),
  pool({
    name: "idleTimeout",
    kind: "ms",
    default: 10_000,
    min: 1,
    about: "ondemand: a worker without requests for so long goes; of processes the last one stays",
  }),
  pool({ name: "maxLifetime", kind: "ms", default: 0, min: 0, about: "a worker is replaced after so long" }),
  pool({
    name: "maxMemory",
    kind: "bytes",
    default: 0,
    min: 0,
    about: "a worker is replaced above it: resident memory of a process, heap and buffers of a thread",
  }),
  pool({
    name: "maxHeap",
    kind: "bytes",
    default: 0,
    min: 0,
    about: "JavaScript heap of a worker; one that needs more ends",
  }),
  pool({
    name: "concurrency",
    kind: "count",
    default: 64,
    min: 1,
    about: "requests in hand of one thread at a time, 1 for apps that block; a process has no limit without it",
  }),
  pool({
    name: "queueLimit",
    kind: "count",
    default: 1024,
    min: 0,
    about: "requests that may wait for a thread, or in a process with `concurrency`; one more is answered 503",
  }),
  pool({
    name: "queueTimeout",
    kind: "ms",
    default: 10_000,
    min: 1,
    about: "a request that has waited for so long is answered 503",
  }),
  pool({
    name: "startTimeout",
    kind: "ms",
    default: 60_000,
    min: 1,
    about: "a worker that is not ready by then is ended",
  }),
  pool({
    name: "stallTimeout",
    kind: "ms",
    default: 30_000,
    min: 0,
    about: "a worker whose event loop has not turned for so long is ended and replaced; for a process at least 3 s",
  }),
  pool({
    name: "slowlogTimeout",
    kind: "ms",
    default: 5_000,
    min: 0,
    about: "a request that takes longer goes into the slow log, with the stack of what blocks",
  }),
  pool({
    name: "maxZombies",
    kind: "count",
    default: 4,
    min: 1,
    about: "threads that cannot be ended, in a call such as execSync; then the gateway process is replaced",
  }),
];

export const PROCESS_OPTIONS: readonly ServerOption[] = [
  row({
    name: "user",
    kind: "text",
    scope: "process",
    about: "user that the app runs as, name or number; from binding on, before the app is loaded",
  }),
  row({
    name: "group",
    kind: "text",
    scope: "process",
    about: "group that the app runs as; without it the user's own",
  }),
  row({ name: "chdir", kind: "text", scope: "process", about: "working directory of the app" }),
  row({
    name: "processUmask",
    kind: "mode",
    scope: "process",
    about: "permissions that files of the app do not get, in octal",
  }),
  row({
    name: "accessLog",
    kind: "text",
    scope: "process",
    about: "file that gets a line for each request, or `stdout` or `stderr`; off without it",
  }),
  row({
    name: "accessLogFormat",
    kind: "text",
    scope: "process",
    default: "combined",
    about: "`common`, `combined`, `json`, or a text with directives such as `%h` (in an .ini file `%%h`)",
  }),
  row({ name: "slowLog", kind: "text", scope: "process", about: "file of the slow log; standard error without it" }),
  row({
    name: "statusSocket",
    kind: "text",
    scope: "process",
    about: "Unix socket of the status page; without it one beside the socket or the configuration file",
  }),
  row({
    name: "statusListen",
    kind: "text",
    scope: "process",
    about: "address and port of the status page too, such as 127.0.0.1:9000",
  }),
  row({
    name: "pidFile",
    kind: "text",
    scope: "process",
    about: "file with the supervisor's process id, while it serves; a reload does not move it",
  }),
];

function pool(given: Omit<Parameters<typeof row>[0], "scope"> & { readonly name: keyof PoolOptions }): ServerOption {
  return row({ ...given, scope: "pool" });
}
