/** What the checks are given. */
import type { Target } from "../client/target.ts";
import type { ProtocolName } from "../exchange.ts";
import type { ListenAddress } from "../gateway/listen-address.ts";
import type { StatusReport } from "../report.ts";

/** The server that a file describes, as plain data. */
export interface Patient {
  /** The configuration file, absolute. */
  readonly file: string;
  readonly protocol: ProtocolName;
  readonly mode: "single" | "thread" | "fork";
  readonly address: ListenAddress;
  /** AJP's; latin1. */
  readonly secret: string | undefined;
  /** `auto`, `/` or a path. */
  readonly mount: string;
  /** What an app says before its answer is sent. */
  readonly earlyHints: boolean;
  /** What filters before the app see to: the place of apps in the URL space, what proxies say of the client. */
  readonly adjusts: { readonly place: boolean; readonly client: boolean };
  /** The Unix socket of its status; null where it has none. */
  readonly statusPath: string | null;
  /** As the file says it, absolute. */
  readonly pidFile: string | null;
  readonly backlog: number;
  readonly maxConnections: number;
  /** 0 for no limit. */
  readonly maxBodyBytes: number;
  readonly allowedClients: readonly string[];
  /** As the status reports them. */
  readonly limits: Readonly<Record<string, number | string>>;
}

/** What the caller wants to know. */
export interface Asked {
  /** The web server's user. Default: those of web servers that run here, else the usual ones that exist. */
  readonly frontUser?: string | undefined;
  /** The web server's IP address, where that is another machine. */
  readonly frontHost?: string | undefined;
  /** The app's root, as a browser calls it. */
  readonly url?: URL | undefined;
  /** Bytes to send as a body through the web server; nothing is sent without it. */
  readonly upload?: number | undefined;
  /** Of propylon here. */
  readonly version: string;
}

/** Milliseconds, for each single wait. */
export interface Bounds {
  /** Connections, and what is answered without the app. */
  readonly short: number;
  /** The app. */
  readonly long: number;
}

export interface Context {
  readonly patient: Patient;
  readonly asked: Asked;
  readonly bounds: Bounds;
  /** Where it listens; null for a descriptor, or a port that the system chooses. */
  readonly target: Target | null;
  /** What the running server tells; null where it tells nothing. */
  readonly report: StatusReport | null;
  /** Ends everything. */
  readonly signal: AbortSignal;
  /** Notes what could not be checked, and why. */
  skip(what: string): void;
}
