/** What the web server lets through of less usual requests: credentials, sizes, escapes, parts of an answer. */
import type { Context } from "./context.ts";
import { type Finding, found } from "./finding.ts";
import type { Prober, ProbeOptions, Probed } from "./probe.ts";

const USER = "propylon-doctor";
/** Of nobody: nowhere is there such a user with such a password. */
const CREDENTIALS = `Basic ${Buffer.from(`${USER}:no password`).toString("base64")}`;
/** Bytes that cookies of a browser may well have. */
const REQUEST_HEADER = 4 * 1024;
/** Of an answer with some cookies and a policy: nginx takes 4 KiB unless it is told otherwise. */
const ANSWER_HEADER = 6 * 1024;
/** The server pauses for 600 ms between two parts. */
const APART = 250;

export async function checkLimits(prober: Prober, context: Context): Promise<Finding[]> {
  const ask = async (options: ProbeOptions): Promise<Probed | null> => await prober.ask(options).catch(() => null);
  const findings: Finding[] = [];
  findings.push(...(await authorization(ask)));
  for (const check of [requestHeader, answerHeader, encodedSlash, parts, earlyHints, upload]) {
    const finding = await check(ask, context);
    // What was cut off says nothing of the web server.
    if (context.signal.aborted) break;
    if (finding !== null) findings.push(finding);
  }
  return findings;
}

type Ask = (options: ProbeOptions) => Promise<Probed | null>;

/** A status, or that the connection broke. */
function outcome(probed: Probed | null): string {
  return probed === null ? "the connection breaks" : `it answers ${probed.answer.status}`;
}

async function authorization(ask: Ask): Promise<Finding[]> {
  const probed = await ask({ headers: { Authorization: CREDENTIALS } });
  // A web server that looks at credentials itself refuses ours, and is right.
  const report = probed?.report ?? null;
  if (report === null) return [];
  const { HTTP_AUTHORIZATION: arrived, REMOTE_USER: user } = report.variables;
  const findings: Finding[] = [];
  if (user === USER) {
    const seen =
      "REMOTE_USER arrives with the name of a user who does not exist, from credentials that nobody has verified";
    const cure =
      "take REMOTE_USER out of what the web server passes on (nginx: fastcgi_param REMOTE_USER), unless it verifies users";
    findings.push(found("FRONT_UNVERIFIED_USER", seen, cure));
  }
  if (arrived !== CREDENTIALS) {
    const cure =
      "pass it on (Apache: CGIPassAuth On in the <Location>; mod_fastcgi: -pass-header Authorization; HAProxy: pass-header authorization)";
    findings.push(found("FRONT_KEEPS_AUTHORIZATION", "the Authorization header does not arrive", cure));
  }
  return findings;
}

async function requestHeader(ask: Ask): Promise<Finding | null> {
  const probed = await ask({ headers: { "X-Propylon-Fill": "x".repeat(REQUEST_HEADER) } });
  const length = probed?.report?.lengths["HTTP_X_PROPYLON_FILL"];
  if (length === REQUEST_HEADER) return null;
  const what = probed?.report ? `${length ?? 0} bytes of it arrive` : outcome(probed);
  const seen = `a header of ${REQUEST_HEADER} bytes does not get through: ${what}`;
  const cure =
    "raise the limit (nginx: large_client_header_buffers; Apache: LimitRequestFieldSize; lighttpd: server.max-request-field-size)";
  return found("FRONT_REQUEST_HEADER_LIMIT", seen, cure);
}

async function answerHeader(ask: Ask): Promise<Finding | null> {
  const probed = await ask({ how: `head=${ANSWER_HEADER}` });
  if (probed?.report && String(probed.answer.headers["x-propylon-fill"]).length === ANSWER_HEADER) return null;
  const seen = `an answer with ${ANSWER_HEADER} bytes of headers does not get through: ${outcome(probed)}`;
  const cure = "raise the limit (nginx: fastcgi_buffer_size 32k, or scgi_buffer_size; Apache: ProxyIOBufferSize)";
  return found("FRONT_ANSWER_HEADER_LIMIT", seen, cure);
}

async function encodedSlash(ask: Ask): Promise<Finding | null> {
  const probed = await ask({ below: "/propylon%2Fdoctor" });
  if (probed?.report) return null;
  const seen = `a path with %2F is refused by the web server: ${outcome(probed)}`;
  return found("FRONT_REFUSES_ENCODED_SLASH", seen, "Apache: AllowEncodedSlashes NoDecode, in each VirtualHost");
}

async function parts(ask: Ask): Promise<Finding | null> {
  const probed = await ask({ how: "parts" });
  if (!probed?.report || probed.answer.spread >= APART) return null;
  const cure =
    "if event streams are needed: nginx fastcgi_buffering off (scgi_buffering), Apache flushpackets=on, lighttpd server.stream-response-body = 2";
  return found("FRONT_BUFFERS_ANSWERS", "two parts of an answer that are sent 600 ms apart arrive together", cure);
}

async function earlyHints(ask: Ask, { patient }: Context): Promise<Finding | null> {
  if (!patient.earlyHints) return null;
  const probed = await ask({ how: "hints" });
  if (probed?.report && probed.answer.hinted) return null;
  const what = probed?.report ? "" : `, which breaks the answer: ${outcome(probed)}`;
  const seen = `early_hints is on, and what is said before an answer does not come through${what}`;
  return found("FRONT_LOSES_EARLY_HINTS", seen, "take early_hints out of the section: lighttpd alone passes hints on");
}

async function upload(ask: Ask, { asked, patient, skip }: Context): Promise<Finding | null> {
  const { upload: bytes } = asked;
  if (bytes === undefined) return null;
  if (patient.maxBodyBytes !== 0 && bytes > patient.maxBodyBytes) {
    skip(`the upload (the server itself takes ${patient.maxBodyBytes} bytes, by max_body_bytes)`);
    return null;
  }
  const probed = await ask({ body: Buffer.alloc(bytes, "x"), headers: { "Content-Type": "application/octet-stream" } });
  if (probed?.report?.body === bytes) return null;
  const what = probed?.report ? `${probed.report.body} bytes of it arrive` : outcome(probed);
  const seen = `a body of ${bytes} bytes does not get through: ${what}`;
  const cure =
    "raise the limit (nginx: client_max_body_size; Apache: FcgidMaxRequestLen of mod_fcgid; lighttpd: server.max-request-size)";
  return found("FRONT_BODY_LIMIT", seen, cure);
}
