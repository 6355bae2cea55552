/**
 * What a running server tells of itself, as plain data: a worker thread to its gateway process, that to the supervisor,
 * and the supervisor to whoever asks. Types, but for some bounds. Points in time are milliseconds since 1970, sizes bytes.
 */

/** A request in hand. */
export interface RequestReport {
  /** The request's id, as in the access log and in `requestContext()`. */
  readonly id: string;
  /** REQUEST_METHOD as it came, at most 32 characters of it. */
  readonly method: string;
  /** REQUEST_URI as it came, at most 256 characters of it. */
  readonly url: string;
  readonly since: number;
  /** The worker thread that has it; null where the app runs beside the sockets, or while the request waits in the queue. */
  readonly worker: number | null;
}

export interface MemoryReport {
  /** Of the process; 0 for a thread, which has none of its own. */
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

/** How busy an event loop was since the last report. */
export interface LoopReport {
  /** From 0 (idle) to 1 (never idle). */
  readonly utilization: number;
  /** The longest that the loop kept a due timer waiting. Milliseconds. */
  readonly delay: number;
}

export type WorkerState = "starting" | "ready" | "draining" | "killed";

/** A worker: a thread with the app in it, or a gateway process. */
export interface WorkerReport {
  /** Never given twice. */
  readonly id: number;
  readonly generation: number;
  readonly state: WorkerState;
  readonly startedAt: number;
  /** When it was last known to be alive. */
  readonly heardAt: number;
  /** It has not answered for a while and gets no new requests. */
  readonly suspect: boolean;
  /** The process; that of the gateway for a thread. */
  readonly pid: number | null;
  readonly inFlight: number;
  readonly served: number;
  readonly memory: MemoryReport;
  readonly loop: LoopReport;
  /** The oldest requests in hand, at most `REQUESTS_SHOWN`. */
  readonly requests: readonly RequestReport[];
}

/** Requests that wait in the gateway for a worker with room. */
export interface QueueReport {
  readonly length: number;
  /** At most so many; one more is answered 503. */
  readonly limit: number;
  /** Milliseconds that the first of them has waited. */
  readonly oldest: number;
}

/** What happened, by reason: numbers that only grow while the server lives, its workers replaced or not. */
export type CounterReport = Readonly<Record<string, number>>;

/** One gateway process, to its supervisor. */
export interface ProcessReport {
  readonly at: number;
  readonly memory: MemoryReport;
  readonly loop: LoopReport;
  /** Processor time since the last report, of one processor's: more than 1 where threads share the work. */
  readonly cpu: number;
  readonly connections: number;
  /** Of them, those that are upgraded (WebSockets); no requests in hand. */
  readonly upgraded: number;
  readonly inFlight: number;
  readonly served: number;
  readonly requests: readonly RequestReport[];
  readonly counters: CounterReport;
  /** Null where the app runs beside the sockets. */
  readonly threads: {
    readonly workers: readonly WorkerReport[];
    readonly queue: QueueReport;
    /** Threads that were ended but will not end: in a call that cannot be interrupted. */
    readonly zombies: number;
  } | null;
}

/** Of `RequestReport`s, so many for each worker. */
export const REQUESTS_SHOWN = 16;

export type ServerState = "starting" | "running" | "reloading" | "stopping";

/** The whole server, as its supervisor knows it. */
export interface StatusReport {
  /** For people: `FastCGI on /run/app.sock`. */
  readonly where: string;
  /** The configuration file; null for a server that was started by the library. */
  readonly file: string | null;
  readonly mode: "thread" | "fork";
  readonly version: string;
  readonly node: string;
  /** The supervisor's. */
  readonly pid: number;
  readonly now: number;
  readonly startedAt: number;
  readonly state: ServerState;
  readonly generation: number;
  readonly reload: {
    readonly count: number;
    readonly failed: number;
    /** The last one that ended; `error` says why it left the old generation serving. */
    readonly last: { readonly at: number; readonly milliseconds: number; readonly error: string | null } | null;
  };
  /** Consecutive failures to start a worker, and when the next attempt is due. */
  readonly backoff: { readonly failures: number; readonly until: number | null; readonly error: string | null };
  /** Configured limits by their name in an .ini file: sizes in bytes, times in milliseconds. */
  readonly limits: Readonly<Record<string, number | string>>;
  readonly connections: number;
  /** Of them, those that are upgraded (WebSockets); no requests in hand. */
  readonly upgraded: number;
  readonly queue: QueueReport;
  readonly zombies: number;
  readonly counters: CounterReport;
  /** Threads in thread mode, gateway processes in forking mode. */
  readonly workers: readonly WorkerReport[];
  /** Gateway processes: one in thread mode. */
  readonly processes: readonly {
    readonly id: number;
    readonly pid: number;
    readonly heardAt: number;
    readonly memory: MemoryReport;
    readonly loop: LoopReport;
  }[];
  /** The last entries of the slow log, oldest first, at most `SLOW_ENTRIES_SHOWN`. */
  readonly slowLog: readonly string[];
}

export const SLOW_ENTRIES_SHOWN = 20;

/** Of one entry; the rest is cut. */
export const SLOW_ENTRY_CHARACTERS: number = 64 * 1024;

/** What has arrived of a probe: a request that the gateway answers in place of the app (`modes/probe`). */
export interface ProbeReport {
  /** Proves that a server that knows the token has answered. */
  readonly proof: string;
  /** Some of those that came; latin1, the first 1024 characters of each. */
  readonly variables: Readonly<Record<string, string>>;
  /** The length of each of them. */
  readonly lengths: Readonly<Record<string, number>>;
  /** As the app would get it; null where it would be refused. */
  readonly target: { readonly baseUrl: string; readonly originalUrl: string } | null;
  /** Bytes of the body that came. */
  readonly body: number;
}
