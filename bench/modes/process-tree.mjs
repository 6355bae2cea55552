/** Memory of a process and all below it. Linux only (/proc). */
import { readFileSync, readdirSync } from "node:fs";

import { memory } from "../tools.mjs";

/** Bytes. Pages that several processes share count in `rss` once for each, in `own` not at all. */
export function treeMemory(pid) {
  const pids = processTree(pid);
  return { rss: sum(pids.map((each) => memory(each, "VmRSS"))), own: sum(pids.map(privateMemory)) };
}

export function processTree(pid) {
  return [pid, ...childrenOf(pid).flatMap(processTree)];
}

export function childrenOf(pid) {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    const list = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim();
    return list === "" ? [] : list.split(" ").map(Number);
  });
}

function privateMemory(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return sum(Array.from(rollup.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB$/gm), ([, kib]) => Number(kib) * 1024));
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
