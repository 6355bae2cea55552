/** What has arrived of the first probe, beside what was sent. */
import type { Context, Patient } from "./context.ts";
import { type Finding, found } from "./finding.ts";
import type { Prober, Probed } from "./probe.ts";

/** RFC 3875 4.1: those without which an app cannot work, or draws wrong conclusions. */
const NEEDED = [
  ...["REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"],
  "REMOTE_ADDR",
] as const;
const SHOWN = 200;

export function checkArrival(url: URL, { answer, report }: Probed, prober: Prober, context: Context): Finding[] {
  const { variables, target } = report!;
  const { patient, skip } = context;
  const findings: Finding[] = [];
  const missing = NEEDED.filter((name) => variables[name] === undefined);
  if (missing.length > 0) {
    const cure = `pass them on: "propylon web-config" prints the lines for ${patient.file}`;
    findings.push(found("FRONT_VARIABLES_MISSING", `these variables do not arrive: ${missing.join(", ")}`, cure));
  }
  const { QUERY_STRING: query } = variables;
  if (query !== undefined && query !== prober.query) {
    const seen = `the query arrives as "${query.slice(0, SHOWN)}", and "${prober.query}" was sent`;
    findings.push(found("FRONT_QUERY_LOST", seen, "pass QUERY_STRING on as it is; a rewrite rule needs QSA"));
  }
  findings.push(...address(url, target, prober, patient));
  if (patient.adjusts.client) skip("Host, HTTPS and the client's address (the filter prefix has them from headers)");
  else findings.push(...host(url, variables), ...https(url, variables), ...client(variables, answer.localAddress));
  return findings;
}

function client({ REMOTE_ADDR: arrived }: Readonly<Record<string, string>>, sent: string): Finding[] {
  if (arrived === undefined || plain(arrived) === plain(sent)) return [];
  const seen = `REMOTE_ADDR is ${arrived.slice(0, SHOWN)}, and the request came from ${plain(sent)}`;
  const cure =
    "if a proxy is before the web server: mod_remoteip, realip or mod_extforward there, or the filter prefix with trusted_proxies here";
  return [found("FRONT_ADDRESS_HIDDEN", seen, cure)];
}

/** The path, and where in it the app begins. */
function address(
  url: URL,
  target: { readonly baseUrl: string; readonly originalUrl: string } | null,
  prober: Prober,
  { mount, adjusts }: Patient,
): Finding[] {
  const sent = prober.pathOf();
  if (target === null) {
    const cure = "pass REQUEST_URI, SCRIPT_NAME and PATH_INFO on, as the example configuration does";
    return [found("FRONT_PATH_CHANGED", `of the path ${sent} nothing arrives`, cure)];
  }
  const [arrived = ""] = target.originalUrl.split("?");
  if (arrived !== sent) {
    const seen = `the path arrives as ${arrived.slice(0, SHOWN)}, and ${sent} was sent`;
    const cure = "pass the path on as it comes: look at rewrite rules, alias, and the path in ProxyPass";
    return [found("FRONT_PATH_CHANGED", seen, cure)];
  }
  const wanted = url.pathname.replace(/\/+$/, "");
  if (target.baseUrl === wanted) return [];
  // The rest of the path is for a filter, or an app by URL.
  if (adjusts.place && `${wanted}/`.startsWith(`${target.baseUrl}/`)) return [];
  const here = target.baseUrl === "" ? "/" : target.baseUrl;
  const seen = `${url.href} is to be the app's root, and the server takes ${here} for it (mount = ${mount})`;
  const cure = `write "mount = ${wanted === "" ? "/" : wanted}" into the server's section, or have the web server say it by SCRIPT_NAME`;
  return [found("FRONT_MOUNT_UNKNOWN", seen, cure)];
}

function host(url: URL, { HTTP_HOST: arrived }: Readonly<Record<string, string>>): Finding[] {
  if (arrived === url.host) return [];
  if (arrived === url.hostname) {
    const cure =
      "if links are to have it: nginx's HTTP_HOST is $host, without it, in Debian's fastcgi_params; write the parameters out";
    return [found("FRONT_PORT_LOST", `Host arrives as "${arrived}", and "${url.host}" was sent`, cure)];
  }
  const seen =
    arrived === undefined
      ? "the Host header does not arrive"
      : `Host arrives as "${arrived.slice(0, SHOWN)}", and "${url.host}" was sent`;
  const cure = "have the proxy keep it (Apache: ProxyPreserveHost On; nginx: proxy_set_header Host $http_host)";
  return [found("FRONT_HOST_CHANGED", seen, cure)];
}

function https(url: URL, variables: Readonly<Record<string, string>>): Finding[] {
  const { HTTPS = "", HTTP_X_FORWARDED_PROTO: forwarded } = variables;
  if (url.protocol !== "https:" || /^(?:on|1)$/i.test(HTTPS)) return [];
  const told = forwarded === undefined ? "" : `; X-Forwarded-Proto: ${forwarded.slice(0, SHOWN)} does`;
  const cure =
    forwarded === undefined
      ? "pass HTTPS=on where the request came by TLS (nginx: fastcgi_param HTTPS $https if_not_empty)"
      : "set HTTPS=on by it in the web server, or put the filter prefix with trusted_proxies before the app";
  return [found("FRONT_HTTPS_UNSEEN", `the URL is https, and HTTPS=on does not arrive${told}`, cure)];
}

/** IPv4 in IPv6 dress is IPv4. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=[\d.]+$)/i, "");
}
