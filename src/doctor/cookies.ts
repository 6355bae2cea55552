/** Whether the app gets cookies that came apart: over HTTP/2 browsers send each in a field of its own. */
import type { Context } from "./context.ts";
import { type Finding, found } from "./finding.ts";
import type { Prober } from "./probe.ts";

/** Of nobody else; the server tells of no others. */
const COOKIES = ["propylon-doctor-1=one", "propylon-doctor-2=two"] as const;
const SHOWN = 200;

/**
 * Over HTTP/1.1 nothing is to be seen: there no browser sends two Cookie fields, and web servers that work well join
 * such by a comma, as they do with any header.
 */
export async function checkCookies(prober: Prober, { asked }: Context): Promise<Finding[]> {
  // Browsers speak HTTP/2 over TLS alone.
  if (asked.url?.protocol !== "https:") return [];
  const report = await prober.askByHttp2(COOKIES).catch(() => null);
  if (report === null) return [];
  const { HTTP_COOKIE: arrived = "" } = report.variables;
  const told = new Set(arrived.split(";").map((each) => each.trim()));
  if (COOKIES.every((each) => told.has(each))) return [];
  const sent = COOKIES.map((each) => `"${each}"`).join(" and ");
  const what = arrived === "" ? "not at all" : `as "${arrived.slice(0, SHOWN)}"`;
  const seen = `the cookies ${sent}, sent apart as browsers do over HTTP/2, arrive ${what}`;
  const cure =
    'have the proxy that speaks HTTP/2 join them by "; " (RFC 9113 8.2.3), or update it; or have the web server that passes requests on to the app speak HTTP/2 itself';
  return [found("FRONT_JOINS_COOKIES", seen, cure)];
}
