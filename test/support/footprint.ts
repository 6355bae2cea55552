/** What a server's processes hold of the system: to see that nothing of it is left over. */
import { readFile, readdir } from "node:fs/promises";

export interface Footprint {
  readonly processes: number;
  /** Children that have ended and that nobody has asked for. */
  readonly zombies: number;
  readonly descriptors: number;
  /** MiB that are in memory, what processes share counted in each. */
  readonly memory: number;
}

/** Of a process and all below it. */
export async function footprint(root: number): Promise<Footprint> {
  const sum = { processes: 0, zombies: 0, descriptors: 0, memory: 0 };
  const pids = [root];
  for (const pid of pids) {
    try {
      const status = await readFile(`/proc/${pid}/status`, "utf8");
      if (/^State:\s+Z/m.test(status)) sum.zombies++;
      else {
        sum.descriptors += (await readdir(`/proc/${pid}/fd`)).length;
        sum.memory += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
        sum.processes++;
      }
      for (const task of await readdir(`/proc/${pid}/task`)) {
        const list = await readFile(`/proc/${pid}/task/${task}/children`, "utf8");
        pids.push(...list.trim().split(/\s+/).filter(Boolean).map(Number));
      }
    } catch (error) {
      // It has ended meanwhile.
      if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
  return sum;
}
