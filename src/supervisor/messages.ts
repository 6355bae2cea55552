/** What a supervisor and its gateway processes say to each other. Plain data, over node's IPC channel. */
import type { CarriedError } from "../carried-error.ts";
import type { ProcessReport } from "../report.ts";

/** The descriptor on which a gateway process finds the listening socket: after the standard three and the IPC channel. */
export const LISTENER_FD = 4;
/** And the one on which it is asked for stacks, a byte each time: a process whose event loop is blocked hears nothing else. */
export const ASK_FD = 5;

/** To a gateway process. `Work` is what it is to serve: data that only the process's own side knows. */
export type ToGateway<Work> =
  /** The first message. */
  | { readonly type: "serve"; readonly worker: number; readonly generation: number; readonly work: Work }
  /** Serve this from now on, without a gap; answered "reloaded" or "reloadFailed". */
  | { readonly type: "reload"; readonly generation: number; readonly work: Work }
  /** Finish and exit. `handOver`: others take the new connections, and kept ones are served until they are idle. */
  | { readonly type: "drain"; readonly handOver: boolean }
  /** One worker thread more or less. */
  | { readonly type: "resize"; readonly delta: 1 | -1 }
  | { readonly type: "reopenLogs" }
  | { readonly type: "dumpStacks" }
  /** Whoever sends requests with that token may be told what arrives of them. */
  | { readonly type: "expectProbe"; readonly token: string };

/** To the supervisor. */
export type ToSupervisor =
  /** It hears; what is said before is lost, since an ES module hears only once it is loaded. */
  | { readonly type: "here" }
  /** It listens and the app is loaded. */
  | { readonly type: "ready" }
  /** It cannot serve what it was told to and exits. */
  | { readonly type: "failed"; readonly error: CarriedError }
  | { readonly type: "reloaded"; readonly generation: number }
  | { readonly type: "reloadFailed"; readonly generation: number; readonly error: CarriedError }
  /** Once a second, and whenever something is worth it: a process that is not heard of is stuck. */
  | { readonly type: "report"; readonly report: ProcessReport }
  /** An entry of the slow log. */
  | { readonly type: "slow"; readonly entry: string }
  /** It is about to exit, of its own accord, and takes nothing new: another one is needed now. */
  | { readonly type: "leaving" }
  /** It asks to be replaced, which is then as any other retirement. */
  | { readonly type: "worn"; readonly why: string };
