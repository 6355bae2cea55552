/** Whether a server can be reached where the file says, and whether it is one of the right kind. */
import { type Target, connect, describeTarget, discard } from "../client/target.ts";
import { isReady } from "../status/ready.ts";
import type { Context, Patient } from "./context.ts";
import { type Finding, found } from "./finding.ts";
import { holderOf } from "./machine.ts";
import { type Spoken, speaks } from "./protocol.ts";

const TITLES: Readonly<Record<Spoken, string>> = { fastcgi: "FastCGI", scgi: "SCGI", ajp: "AJP", http: "HTTP" };
/** Endings of the type of server in an .ini file. */
const TYPES: Readonly<Record<Exclude<Spoken, "http">, string>> = { fastcgi: "fcgi", scgi: "scgi", ajp: "ajp" };

/** @returns `answers`: there is somebody who speaks the right protocol */
export async function checkReach(context: Context): Promise<{ findings: Finding[]; answers: boolean }> {
  const { target, patient, asked, bounds, signal, skip, report } = context;
  if (target === null) {
    const otherwise = asked.url === undefined ? ": --url asks through the web server" : "";
    skip(`the connection (the address is known to the running server alone${otherwise})`);
    return { findings: [], answers: false };
  }
  try {
    discard(await connect(target, { connectTimeout: bounds.short, signal }), "now");
  } catch (error) {
    return { findings: notConnected(target, error as NodeJS.ErrnoException, context), answers: false };
  }
  // A server that is not ready says so itself, and need not hear anything yet.
  if (report !== null && !isReady(report)) return { findings: [], answers: true };
  const limits = (spoken: Spoken): { timeout: number; signal: AbortSignal } => ({
    timeout: spoken === "scgi" && patient.protocol === "scgi" ? bounds.long : bounds.short,
    signal,
  });
  const hears = async (spoken: Spoken): Promise<boolean> =>
    await speaks(target, spoken, limits(spoken)).catch(() => false);
  if (await hears(patient.protocol)) return { findings: [], answers: true };
  const others = (["fastcgi", "ajp", "http", "scgi"] as const).filter((each) => each !== patient.protocol);
  const heard = await Promise.all(others.map(hears));
  const other = others[heard.indexOf(true)];
  if (other !== undefined) return { findings: [otherProtocol(target, other, patient)], answers: false };
  if (signal.aborted) return { findings: [], answers: false };
  const where = `${describeTarget(target)} takes connections${heldBy(target)}`;
  const seen = `${where} and answers in no protocol: neither ${TITLES[patient.protocol]} nor another one`;
  const cure = `look at what it does ("propylon status", its log), and restart it`;
  return { findings: [found("PROTOCOL_SILENT", seen, cure)], answers: false };
}

function notConnected(target: Target, { code, message }: NodeJS.ErrnoException, context: Context): Finding[] {
  // What is wrong with a socket as a file is said of the file.
  if ("path" in target) {
    if (code === "EACCES") context.skip(`the connection to ${target.path} (this user may not connect; ask as root)`);
    return code === "EAGAIN" || code === "ETIMEDOUT" ? [silent(target, code)] : [];
  }
  if (code === "ETIMEDOUT") return [silent(target, code)];
  const why = code === "ECONNREFUSED" ? "nobody listens" : message;
  const start = `start the server, with "propylon serve ${context.patient.file}"`;
  return [found("PORT_CLOSED", `${describeTarget(target)} cannot be reached: ${why}`, start)];
}

function silent(target: Target, code: string): Finding {
  const seen = `${describeTarget(target)} does not accept connections, though somebody listens${heldBy(target)} (${code})`;
  return found("PROTOCOL_SILENT", seen, "look at what it does, and restart it");
}

function otherProtocol(target: Target, spoken: Spoken, { protocol, file }: Patient): Finding {
  const seen = `${describeTarget(target)}${heldBy(target)} speaks ${TITLES[spoken]}, and ${file} says ${TITLES[protocol]}`;
  const holder = holderOf(target);
  // What node runs may be a server of ours of another kind; anything else is not.
  if (holder !== null && holder.program !== "node" && !/^(?:MainThread|propylon)/.test(holder.program)) {
    return found(
      "PORT_TAKEN",
      seen,
      `end ${holder.program} (pid ${holder.pid}), or choose another address for the server`,
    );
  }
  const other =
    spoken === "http"
      ? "is that another program's address?"
      : `or is it "use = package:propylon#${TYPES[spoken]}" that is meant?`;
  return found("PROTOCOL_OTHER", seen, `have the file, the server and the web server agree on one protocol (${other})`);
}

function heldBy(target: Target): string {
  const holder = holderOf(target);
  return holder === null ? "" : `, held by ${holder.program} (pid ${holder.pid}),`;
}
