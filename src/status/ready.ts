/** Whether a server would answer a request that came now. */
import type { StatusReport, WorkerReport } from "../report.ts";

/** It serves, and a worker of it is able to: or needs none before a request comes. */
export function isReady({ state, workers, limits, backoff }: StatusReport): boolean {
  if (state !== "running" && state !== "reloading") return false;
  if (workers.some(isAble)) return true;
  return workers.length === 0 && limits["pool_manager"] === "ondemand" && backoff.failures === 0;
}

/** One that is suspect gets no requests. */
function isAble({ state, suspect }: WorkerReport): boolean {
  return state === "ready" && !suspect;
}
