/** The app, asked for its root without the web server. */
import { finished } from "node:stream/promises";

import { SEND } from "../client/send.ts";
import { describeTarget } from "../client/target.ts";
import { place, variables } from "../front/variables.ts";
import type { Context, Patient } from "./context.ts";
import { type Finding, found } from "./finding.ts";

/** What the gateway itself says to a request with the wrong secret. */
const REFUSAL = "403 Forbidden\n";
/** Bytes of an answer that are read. */
const MAX_BODY = 64 * 1024;

export interface DirectAnswer {
  readonly status: number;
  /** At most the first `MAX_BODY` bytes, latin1. */
  readonly body: string;
}

/** @returns the answer beside what is wrong with it; null without one */
export async function checkApp(context: Context): Promise<{ findings: Finding[]; answer: DirectAnswer | null }> {
  const { patient, target } = context;
  if (target === null) return { findings: [], answer: null };
  const where = `GET / at ${describeTarget(target)}`;
  let answer: DirectAnswer;
  try {
    answer = await ask(context);
  } catch (error) {
    if (context.signal.aborted) return { findings: [], answer: null };
    const seen = `${where} is not answered: ${(error as Error).message}`;
    const cure = `see the server's log, and what "propylon status ${patient.file}" says of its workers`;
    return { findings: [found("APP_SILENT", seen, cure)], answer: null };
  }
  return { findings: judge(answer, where, context), answer };
}

/** The server has refused the secret that came with the request, or that none came. */
export function isRefusal({ status, body }: DirectAnswer, { protocol, secret }: Patient): boolean {
  return protocol === "ajp" && secret !== undefined && status === 403 && body === REFUSAL;
}

function judge(answer: DirectAnswer, where: string, { patient }: Context): Finding[] {
  const { status } = answer;
  if (isRefusal(answer, patient)) {
    const seen = `${where} is refused with the secret of ${patient.file}`;
    const cure = "have the server run with the secret of the file (restart it), and the web server send the same";
    return [found("AJP_SECRET_DIFFERS", seen, cure)];
  }
  if (status < 500) return [];
  const cure = `see why in the server's log, or by "propylon request ${patient.file} /"`;
  return [found("APP_FAILS", `${where} is answered ${status}`, cure)];
}

async function ask({ patient, target, asked, bounds, signal }: Context): Promise<DirectAnswer> {
  const mount = patient.mount === "auto" || patient.mount === "/" ? "" : patient.mount;
  const host = asked.url?.host ?? "localhost";
  const known = { method: "GET", httpVersion: "1.1", encrypted: asked.url?.protocol === "https:" };
  const ends = { remoteAddress: "127.0.0.1", remotePort: 0, localAddress: "127.0.0.1", localPort: 80 };
  const params = variables({ ...known, ...ends, rawHeaders: ["Host", host] }, place(`${mount}/`, mount || "/")!);
  const { short, long } = bounds;
  const answer = await SEND[patient.protocol](target!, {
    ...{ params, signal, secret: patient.secret, connectTimeout: short, headTimeout: long, bodyTimeout: long },
  });
  let body = "";
  answer.body.on("data", (chunk: Buffer) => {
    body += chunk.toString("latin1");
    if (body.length > MAX_BODY) answer.body.destroy();
  });
  // An event stream has no end, and one that breaks off has a status too.
  const enough = setTimeout(() => answer.body.destroy(), short);
  await finished(answer.body).catch(() => {});
  clearTimeout(enough);
  await answer.ended.catch(() => {});
  return { status: answer.status, body: body.slice(0, MAX_BODY) };
}
