/** The way through the web server: whether a request gets to the server at all, then what becomes of it on the way. */
import { type DirectAnswer, isRefusal } from "./app.ts";
import { checkArrival } from "./arrival.ts";
import type { Context, Patient } from "./context.ts";
import { checkCookies } from "./cookies.ts";
import { type Finding, found } from "./finding.ts";
import { type HttpAnswer, NoAnswerInTime } from "./http.ts";
import { checkLimits } from "./limits.ts";
import { Prober, type Probed } from "./probe.ts";

const SERVER_SHOWN = 80;

/** @param direct what the app answers without the web server; null for none */
export async function checkFront(context: Context, direct: DirectAnswer | null): Promise<Finding[]> {
  const { url } = context.asked;
  if (url === undefined) return [];
  const prober = await Prober.prepare(context, url);
  const findings: Finding[] = [];
  let first: Probed;
  try {
    first = await contact(url, prober, findings);
  } catch (error) {
    return [...findings, ...unanswered(url, error as Error, context)];
  }
  if (first.report === null) return [...findings, ...notOurs(url, first.answer, { context, direct, prober })];
  findings.push(...checkArrival(url, first, prober, context));
  findings.push(...(await checkCookies(prober, context)));
  findings.push(...(await checkLimits(prober, context)));
  return findings;
}

/** A certificate that is not trusted is noted, and no longer looked at. */
async function contact(url: URL, prober: Prober, findings: Finding[]): Promise<Probed> {
  try {
    return await prober.askFirst();
  } catch (error) {
    if (!isOfCertificate(error)) throw error;
    const seen = `the certificate of ${url.host} is not trusted here: ${(error as Error).message}`;
    findings.push(found("FRONT_CERTIFICATE", seen, "renew it, or have this machine trust who has signed it"));
    prober.verify = false;
    return await prober.askFirst();
  }
}

function isOfCertificate(error: unknown): boolean {
  return /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT)/.test(
    (error as NodeJS.ErrnoException).code ?? "",
  );
}

function unanswered(url: URL, error: Error, { signal, patient }: Context): Finding[] {
  // What was cut off says nothing of the web server.
  if (signal.aborted) return [];
  if (error instanceof NoAnswerInTime) {
    return [found("FRONT_TIMEOUT", `${url.href} is not answered: ${error.message}`, timeoutCure(patient))];
  }
  const { code = "", message } = error as NodeJS.ErrnoException;
  const why: Readonly<Record<string, string>> = {
    ECONNREFUSED: "nobody listens there",
    ENOTFOUND: "no address is known of that name",
    ECONNRESET: "it ends the connection without an answer",
  };
  const seen = `${url.href} cannot be reached: ${why[code] ?? message} (${code})`;
  const cure = "start the web server, or mend the URL; its error log says why it does not answer";
  return [found("FRONT_UNREACHABLE", seen, cure)];
}

function timeoutCure({ file }: Patient): string {
  return `the web server waits for an answer in vain: see "propylon status ${file}" for what is slow, and whom it asks`;
}

interface Beside {
  readonly context: Context;
  readonly direct: DirectAnswer | null;
  readonly prober: Prober;
}

/** An answer that the server did not make, or that cannot be told to be its own. */
function notOurs(url: URL, answer: HttpAnswer, { context, direct, prober }: Beside): Finding[] {
  const { status, headers } = answer;
  const server = String(headers["server"] ?? "no name").slice(0, SERVER_SHOWN);
  const said = `${url.href} is answered ${status} (Server: ${server})`;
  const { location = "" } = headers;
  if (isRefusal(answer, context.patient)) {
    const cure = `have the web server send the secret of ${context.patient.file} (Apache: secret= of ProxyPass)`;
    return [
      found(
        "FRONT_SECRET_DIFFERS",
        `${said}: the server refuses the secret that comes with it, or that none comes`,
        cure,
      ),
    ];
  }
  // The app itself may send elsewhere, ask for a login, or fail: without a token that is told by asking it directly.
  const alike = !prober.recognises && direct !== null && direct.status === status;
  if (alike) {
    context.skip("what arrives of a request through the web server (a server with workers can tell)");
    return [];
  }
  if (status >= 300 && status < 400 && location !== "") {
    const cure = "name the URL that it leads to, if that is the app's";
    return [found("FRONT_REDIRECTS", `${said}: to ${location.slice(0, 200)}`, cure)];
  }
  if (status === 401 || status === 407) {
    return [found("FRONT_WANTS_LOGIN", said, "run this from where no login is asked for; nothing more was checked")];
  }
  if (status === 504) {
    return [found("FRONT_TIMEOUT", said, timeoutCure(context.patient))];
  }
  if (status === 500 || status === 502 || status === 503)
    return [lostServer(said, server, status, { context, direct })];
  // An app that could not be asked without the web server may answer its root with 404 or the like.
  if (!prober.recognises && (status < 400 || direct === null)) {
    context.skip("whether the web server's answer is the app's (a server with workers can tell)");
    return [];
  }
  const cure =
    "see which virtual host and which location or ProxyPass have this URL, and whether the line that passes it on is there";
  return [found("FRONT_ANSWERS_ITSELF", `${said}, and not by the server of ${context.patient.file}`, cure)];
}

/** What 500, 502 and 503 of each web server mean. */
const MEANINGS: readonly (readonly [server: RegExp, status: number, meaning: string])[] = [
  [/^nginx/i, 502, "it cannot connect (the socket's path or rights, the port), or is answered in another protocol"],
  [
    /^Apache/i,
    503,
    "it cannot connect: the socket's path or rights, the port, or the module waits after a failure (retry=)",
  ],
  [/^Apache/i, 500, "it was answered in another protocol, or a module is missing"],
  [/^lighttpd/i, 503, "it cannot connect: the socket's path or rights, the port; it tries again after some 3 s"],
  [/^lighttpd/i, 500, "it was answered in another protocol"],
  [/^h2o/i, 503, "it cannot connect, or was answered in another protocol"],
  [/^Caddy/i, 502, "it cannot connect, or was answered in another protocol"],
];

function lostServer(
  said: string,
  server: string,
  status: number,
  { context, direct }: Pick<Beside, "context" | "direct">,
): Finding {
  if ("fd" in context.patient.address) {
    const cure = "see the error log of the web server, or of whoever starts the server: it has what the app fails with";
    return found("FRONT_LOST_SERVER", said, cure);
  }
  const meaning = MEANINGS.find(([name, code]) => code === status && name.test(server))?.[2];
  const well = direct === null ? "" : `, while the app answers ${direct.status} without it`;
  const seen = `${said}${well}${meaning === undefined ? "" : `: ${meaning}`}`;
  const cure =
    "have the web server name the socket or port, and the protocol, of the file; its error log says what it tried";
  return found("FRONT_LOST_SERVER", seen, cure);
}
