/** The whole examination: one group of checks after the other, from the file to the app, then through the web server. */
import type { Target } from "../client/target.ts";
import { isReady } from "../status/ready.ts";
import { checkAddresses } from "./addresses.ts";
import { checkApp } from "./app.ts";
import type { Asked, Bounds, Context, Patient } from "./context.ts";
import type { Finding } from "./finding.ts";
import { checkFront } from "./front.ts";
import { checkReach } from "./reach.ts";
import { askStatus, checkServer, checkStatus } from "./server.ts";
import { checkSocket } from "./socket.ts";
import { checkSurroundings } from "./surroundings.ts";

export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** What could not be checked, and why. */
  readonly skipped: readonly string[];
}

/**
 * Asks, and changes nothing: reads files, connects, sends GET and HEAD; a body only where `asked.upload` says so.
 *
 * @param total milliseconds for all of it; what is not done by then is skipped
 */
export async function examine(
  patient: Patient,
  asked: Asked,
  { bounds, total }: { readonly bounds: Bounds; readonly total: number },
): Promise<Diagnosis> {
  const skipped: string[] = [];
  const findings: Finding[] = [];
  const over = AbortSignal.timeout(total);
  const context: Context = {
    ...{ patient, asked, bounds, signal: over, report: null, target: targetOf(patient) },
    skip: (what) => void skipped.push(what),
  };
  findings.push(...(await checkSocket(context)), ...checkAddresses(context));
  const told = await askStatus(context);
  const known: Context = { ...context, report: told.report };
  const { findings: reached, answers } = await checkReach(known);
  findings.push(...reached);
  if (answers) findings.push(...checkStatus(known, told));
  findings.push(...checkServer(known), ...checkSurroundings(known, answers));
  // Of a socket that is handed over to it only the server itself knows the address, and one without a status tells nothing.
  const isThere = answers || (known.target === null && told.failure === null);
  if (isThere) findings.push(...(await beyond(known)));
  else if (asked.url !== undefined) context.skip("the web server (nothing that it could ask answers)");
  if (over.aborted) context.skip(`all that comes after ${total / 1000} s (--timeout)`);
  return { findings, skipped };
}

/** The app, then the web server. */
async function beyond(context: Context): Promise<Finding[]> {
  const { report } = context;
  if (report !== null && !isReady(report)) {
    context.skip(
      `the app${context.asked.url === undefined ? "" : " and the web server"} (no worker is ready for a request)`,
    );
    return [];
  }
  const { findings, answer } = await checkApp(context);
  return [...findings, ...(await checkFront(context, answer))];
}

/** Null where only the running server knows. A server on all addresses is asked at this machine's own. */
function targetOf({ address }: Patient): Target | null {
  if ("path" in address) return { path: address.path };
  if ("fd" in address || address.port === 0) return null;
  const host = (address.host ?? "127.0.0.1").replace(/^\[(.*)\]$/, "$1");
  const isEvery = host === "0.0.0.0" || host === "::" || host === "";
  return { host: isEvery || host === "localhost" ? "127.0.0.1" : host, port: address.port };
}
