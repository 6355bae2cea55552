/** Reports of servers that do not run: a usual one, and one in which everything is at its worst. */
import type { StatusReport, WorkerReport } from "../../src/report.ts";

export const NOW = Date.UTC(2026, 0, 31, 12);
/** What somebody may ask for to have it shown: markup, a terminal's commands, marks that turn the text round. */
export const ATTACK = `/<script>alert(1)</script>"'&\x1b]0;owned\x07\x1b[2J\r\n\u009b31m\u202egpj.exe\u2028\ud800\\n`;

export function usualReport(changes: Partial<StatusReport> = {}): StatusReport {
  return {
    ...{ where: "FastCGI on /run/app.sock", file: "/etc/app.ini", mode: "thread", version: "0.1.0", node: "v20.19.0" },
    ...{ pid: 4000, now: NOW, startedAt: NOW - 93_600_000, state: "running", generation: 2 },
    reload: { count: 3, failed: 1, last: { at: NOW - 60_000, milliseconds: 320, error: null } },
    backoff: { failures: 0, until: null, error: null },
    limits: { pool_manager: "dynamic", graceful_timeout: 30_000 },
    connections: 7,
    upgraded: 2,
    queue: { length: 2, limit: 1024, oldest: 120 },
    zombies: 0,
    counters: { requests: 5000, accepted: 40, bodyTimeouts: 0, workersDied: 1 },
    workers: [
      usualWorker(),
      usualWorker({
        ...{ id: 2, inFlight: 3, served: 17 },
        requests: [
          { id: "r1", method: "GET", url: "/new", since: NOW - 10, worker: 2 },
          { id: "r2", method: "POST", url: "/old?x=1", since: NOW - 4200, worker: 2 },
        ],
      }),
    ],
    processes: [
      {
        ...{ id: 1, pid: 4001, heardAt: NOW - 200 },
        memory: { rss: 90 * 2 ** 20, heapUsed: 30 * 2 ** 20, external: 2 ** 20 },
        loop: { utilization: 0.25, delay: 3 },
      },
    ],
    slowLog: ["2026-01-31T11:59:00.000Z GET /slow 5.2 s\n    at work (file:///srv/app.js:1:2)"],
    ...changes,
  };
}

export function usualWorker(changes: Partial<WorkerReport> = {}): WorkerReport {
  return {
    ...{ id: 1, generation: 2, state: "ready", startedAt: NOW - 3_600_000, heardAt: NOW - 300, suspect: false },
    ...{ pid: 4001, inFlight: 0, served: 4983 },
    memory: { rss: 0, heapUsed: 20 * 2 ** 20, external: 2 ** 19 },
    loop: { utilization: 0.35, delay: 12 },
    requests: [],
    ...changes,
  };
}

/** All text is hostile, all numbers are as large or as strange as they come. */
export function worstReport(): StatusReport {
  const request = { id: ATTACK, method: ATTACK, url: ATTACK.repeat(20), since: NOW + 5000, worker: null };
  return usualReport({
    ...{ where: ATTACK, file: ATTACK, version: ATTACK, node: ATTACK, state: "stopping", startedAt: NOW + 1000 },
    reload: { count: 9, failed: 9, last: { at: NOW + 1, milliseconds: 0, error: ATTACK } },
    backoff: { failures: 12, until: NOW + 30_000, error: ATTACK },
    queue: { length: 1024, limit: 1024, oldest: 10_000 },
    zombies: 4,
    counters: { requests: Number.MAX_SAFE_INTEGER, bodyTimeouts: 3 },
    workers: [
      usualWorker({ id: 1, state: "killed", suspect: true, pid: null, inFlight: 1, requests: [request] }),
      usualWorker({ id: 2, state: "draining" }),
      usualWorker({ id: 3, state: "starting" }),
    ],
    slowLog: [ATTACK.repeat(50)],
  });
}

/** Before the first worker. */
export function emptyReport(): StatusReport {
  return usualReport({
    ...{ where: "FastCGI on ", file: null, mode: "fork", state: "starting", generation: 0, startedAt: NOW },
    reload: { count: 0, failed: 0, last: null },
    ...{ connections: 0, upgraded: 0, queue: { length: 0, limit: 0, oldest: 0 }, counters: {}, limits: {} },
    ...{ workers: [], processes: [], slowLog: [] },
  });
}
