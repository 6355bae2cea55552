/** How many files the process may hold open. */
import { readFileSync } from "node:fs";

/** Descriptors left for the app, its files and what Node itself keeps open. */
const RESERVE = 64;

/** The connections that fit under the limit of open files; Infinity where the system does not tell. */
export function connectionLimit(): number {
  let limits: string;
  try {
    limits = readFileSync("/proc/self/limits", "latin1");
  } catch {
    return Number.POSITIVE_INFINITY;
  }
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Number(soft) - RESERVE);
}
