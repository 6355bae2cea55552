/** Asks a running server for its status. */
import http from "node:http";

import type { StatusReport } from "../report.ts";

export type StatusTarget = { readonly path: string } | { readonly host: string; readonly port: number };

/** Bytes of a report: many times what the largest one has. */
const MAX_REPORT = 16 * 1024 * 1024;
const TIMEOUT = 5_000;

/**
 * @param timeout milliseconds for the whole answer; default 5000.
 * @throws Error of the connection (ECONNREFUSED, ENOENT, EACCES); Error where what answers is no status
 */
export async function fetchStatus(target: StatusTarget, timeout: number = TIMEOUT): Promise<StatusReport> {
  return asReport(await ask(target, "GET", "/status.json", timeout));
}

/**
 * A token by which the server knows a probe, for a minute; it is given on the Unix socket alone.
 *
 * @throws as `fetchStatus`
 */
export async function fetchProbeToken(path: string, timeout: number = TIMEOUT): Promise<string> {
  const { token } = JSON.parse(await ask({ path }, "POST", "/probe", timeout)) as { token?: unknown };
  if (typeof token !== "string") throw new Error("what answered gave no token");
  return token;
}

async function ask(target: StatusTarget, method: "GET" | "POST", path: string, timeout: number): Promise<string> {
  const where = "path" in target ? { socketPath: target.path } : { host: target.host, port: target.port };
  return await new Promise<string>((resolve, reject) => {
    const request = http.request({ ...where, method, path, agent: false, headers: { Host: "localhost" } });
    request.end();
    const deadline = setTimeout(() => request.destroy(new Error(`no answer within ${timeout} ms`)), timeout);
    request.once("close", () => {
      clearTimeout(deadline);
      reject(new Error("the connection ended before the answer did"));
    });
    request.on("error", reject);
    request.once("response", (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > MAX_REPORT) request.destroy(new Error(`the answer has more than ${MAX_REPORT} bytes`));
      });
      response.on("error", reject);
      response.once("end", () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString());
        else reject(new Error(`it answered ${response.statusCode}, expected 200`));
      });
    });
  });
}

/** Any server may listen there; ours is told by what every report has. */
function asReport(text: string): StatusReport {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("what answered sent no JSON");
  }
  const { workers, pid, reload, state } = (value ?? {}) as Partial<StatusReport>;
  const isReport = Array.isArray(workers) && typeof pid === "number" && typeof state === "string";
  if (!isReport || typeof reload?.count !== "number") throw new Error("what answered is no status of propylon");
  return value as StatusReport;
}
