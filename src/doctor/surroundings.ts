/** Rights and limits of the processes that serve. */
import type { Context } from "./context.ts";
import { type Finding, found } from "./finding.ts";
import { holderOf, openFilesOf, somaxconn, uidOf } from "./machine.ts";

/** Descriptors that the gateway leaves to the app, as in gateway/open-files. */
const RESERVE = 64;

/** @param answers whether there is a server of ours whose process is to be found */
export function checkSurroundings({ patient, report, target, skip }: Context, answers: boolean): Finding[] {
  // Where there are workers the socket is held by their supervisor too, whose rights are others.
  const holder = target !== null && patient.mode === "single" && answers ? holderOf(target) : null;
  const [pid] = report === null ? [holder?.pid] : report.processes.map((each) => each.pid);
  if (pid === undefined && answers)
    skip("rights and limits of the server's process (which process that is cannot be seen)");
  return [
    ...(pid === undefined ? [] : [...root(pid), ...openFiles(pid, patient.maxConnections)]),
    ...backlog(patient.backlog),
  ];
}

function root(pid: number): Finding[] {
  if (uidOf(pid) !== 0) return [];
  const cure = 'write "user = www-data", or another account, into the server\'s section, and restart';
  return [found("RUNS_AS_ROOT", `the app runs as root, in process ${pid}`, cure)];
}

function openFiles(pid: number, connections: number): Finding[] {
  const limit = openFilesOf(pid);
  if (limit === null || limit >= connections + RESERVE) return [];
  const seen = `process ${pid} may open ${limit} files, so that max_connections is ${limit - RESERVE}, not ${connections}`;
  return [
    found(
      "OPEN_FILES_LOW",
      seen,
      `start it with a limit of ${connections + RESERVE} or more (LimitNOFILE=, ulimit -n)`,
    ),
  ];
}

function backlog(wanted: number): Finding[] {
  const limit = somaxconn();
  if (limit === null || limit >= wanted) return [];
  const seen = `backlog is ${wanted}, and the system cuts it to ${limit}`;
  return [found("SOMAXCONN_LOW", seen, `sysctl net.core.somaxconn=${wanted}, or a smaller backlog`)];
}
