/** What happened in a gateway, by reason: numbers that only grow. */
import type { AbortCode } from "../errors.ts";
import type { FailStatus } from "../exchange.ts";

export interface Counters {
  accepted: number;
  /** Peers that `allowedClients` does not name. */
  refusedPeers: number;
  /** Connections above `maxConnections`. */
  overloaded: number;
  /** Requests whose variables were all there, those refused by the gateway included. */
  requests: number;
  /** Requests that the gateway answered in its own name. */
  refusedRequests: number;
  /** Requests that the app, or its worker, failed to answer. */
  appFailures: number;
  /** Requests for which no worker had room. */
  queueRefusals: number;
  /** Requests whose worker did not answer. */
  stalledRequests: number;
  /** Answers broken off after their head. */
  brokenAnswers: number;
  /** FastCGI records that make no sense, and AJP packets that nobody should send any more. */
  badRecords: number;
  /** AJP requests without the secret. */
  badSecrets: number;
  /** Connections closed since they could not be followed any further. */
  protocolErrors: number;
  /** Body bytes beyond a request's length. */
  extraBytes: number;
  firstByteTimeouts: number;
  headerTimeouts: number;
  keepaliveTimeouts: number;
  /** Exchanges that ended before their time. */
  aborted: number;
  bodyTimeouts: number;
  requestTimeouts: number;
  writeStalls: number;
  muxStalls: number;
  connectionsLost: number;
  /** Connections that were upgraded, and those of them that have ended. */
  upgrades: number;
  upgradesEnded: number;
  /** Upgrades that the web server cannot carry, or for which there was no room. */
  upgradesRefused: number;
  upgradeTimeouts: number;
}

export function createCounters(): Counters {
  return {
    accepted: 0,
    refusedPeers: 0,
    overloaded: 0,
    requests: 0,
    refusedRequests: 0,
    appFailures: 0,
    queueRefusals: 0,
    stalledRequests: 0,
    brokenAnswers: 0,
    badRecords: 0,
    badSecrets: 0,
    protocolErrors: 0,
    extraBytes: 0,
    firstByteTimeouts: 0,
    headerTimeouts: 0,
    keepaliveTimeouts: 0,
    aborted: 0,
    bodyTimeouts: 0,
    requestTimeouts: 0,
    writeStalls: 0,
    muxStalls: 0,
    connectionsLost: 0,
    upgrades: 0,
    upgradesEnded: 0,
    upgradesRefused: 0,
    upgradeTimeouts: 0,
  };
}

/** The counters beside `aborted` that have a code of their own. */
const BY_CODE: Partial<Record<AbortCode, keyof Counters>> = {
  BODY_TIMEOUT: "bodyTimeouts",
  REQUEST_TIMEOUT: "requestTimeouts",
  MUX_STALLED: "muxStalls",
  CONNECTION_LOST: "connectionsLost",
  UPGRADE_REFUSED: "upgradesRefused",
  UPGRADE_IDLE: "upgradeTimeouts",
};

/** The counter of a request that was given up with such a status. */
const BY_STATUS: Readonly<Record<FailStatus, keyof Counters>> = {
  500: "appFailures",
  503: "queueRefusals",
  504: "stalledRequests",
};

export function countFailure(counters: Counters, status: FailStatus): void {
  counters[BY_STATUS[status]]++;
}

export function countAbort(counters: Counters, code: AbortCode): void {
  counters.aborted++;
  const name = BY_CODE[code];
  if (name !== undefined) counters[name]++;
}
