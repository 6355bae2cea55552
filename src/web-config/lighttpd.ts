/** lighttpd: mod_fastcgi, mod_scgi, mod_ajp13; it can start FastCGI and SCGI servers by itself. */
import { ConfigError } from "../errors.ts";
import { type Site, TITLES, cacheControl, remarksOf, sendfileRoot, transportOf } from "./site.ts";
import { type Lines, comments, escapeRegExp, indented, joined, plain, quoted } from "./text.ts";

const MODULES = { fastcgi: "mod_fastcgi", scgi: "mod_scgi", ajp: "mod_ajp13" } as const;
const OPTIONS = { fastcgi: "fastcgi.server", scgi: "scgi.server", ajp: "ajp13.server" } as const;
const INDENT = "  ";

const LOST = "# What the app says on standard error; elsewhere it would be lost.";

function breakageLog(name: string): string {
  return `/var/log/lighttpd/${name}.log`;
}

/** With `listen` a whole configuration, else a part for the distribution's own. @throws ConfigError CONFIG_NOT_SUPPORTED */
export function lighttpdConfig(site: Site): string {
  const { prefix, protocol, files, name, hostName, listen, root, place, secret } = site;
  if (prefix !== "" && protocol === "ajp" && !site.knowsPrefix) {
    const message = `AJP cannot say that the app is at ${prefix}: write "mount = ${prefix}" into the server's section`;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  if (secret !== undefined) {
    // mod_ajp13 looks for it where mod_setenv has put nothing yet, but over TLS.
    const message =
      "lighttpd does not send it: leave it out, which may be on loopback and a Unix socket, or serve FastCGI";
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, { ...place, key: "secret" });
  }
  const module = MODULES[protocol];
  const spawns = "spawn" in site.address;
  const modules = [
    ...(files.length > 0 ? ["mod_access", "mod_alias"] : []),
    ...(files.some(({ maxAge }) => maxAge !== undefined) ? ["mod_setenv"] : []),
    module,
  ];
  const heading = [
    `lighttpd with ${module} ${transportOf(site)}; the app is that of ${site.file}.`,
    "",
    ...(listen === undefined
      ? [
          // Where two parts match, the later one counts.
          `To use it, as root: save it as /etc/lighttpd/conf-available/${prefix === "" ? 50 : 60}-${name}.conf, then`,
          `    lighty-enable-mod ${name} && systemctl restart lighttpd`,
          ...(spawns
            ? [`What the app says on standard error is lost without server.breakagelog = "${breakageLog(name)}".`]
            : []),
        ]
      : ["This is a whole configuration: save it as /etc/lighttpd/lighttpd.conf, or start it by lighttpd -D -f FILE."]),
    ...remarksOf(site, "www-data"),
  ];
  const loaded = `server.modules += ( ${modules.map((each) => `"${each}"`).join(", ")} )`;
  const body = [...streaming(protocol), "", ...serving(site)];
  return joined([
    ...comments(heading),
    "",
    ...(listen === undefined
      ? [loaded, "", ...part(site, body)]
      : [
          ...(listen.host === undefined
            ? []
            : [`server.bind = "${listen.host.includes(":") ? `[${listen.host}]` : listen.host}"`]),
          `server.port = ${listen.port}`,
          `server.document-root = ${quoted(root, "the directory", null, place)}`,
          loaded,
          "",
          ...(spawns ? [LOST, `server.breakagelog = "${breakageLog(name)}"`, ""] : []),
          ...(hostName === undefined ? body : within(`$HTTP["host"] == "${hostName}"`, body)),
        ]),
  ]);
}

/** Conditions of its own, so that it does not stand in the way of other parts. */
function part({ hostName, prefix }: Site, body: Lines): Lines {
  const url = `$HTTP["url"] =~ "^${prefix === "" ? "/" : `${escapeRegExp(prefix)}(/|$)`}"`;
  if (hostName === undefined) return within(url, body);
  return within(`$HTTP["host"] == "${hostName}"`, prefix === "" ? body : within(url, body));
}

function within(condition: string, lines: Lines): Lines {
  return [`${condition} {`, ...indented(lines, INDENT), "}"];
}

function streaming(protocol: Site["protocol"]): string[] {
  const why =
    protocol === "ajp"
      ? ["Uploads stay buffered: mod_ajp13 tells the app of", "# a body only once it is there."]
      : ["Uploads stay buffered, since lighttpd", "# refuses chunked ones when it may not store them."];
  return [
    `# What the app writes leaves at once (event streams). ${why[0]}`,
    why[1]!,
    "server.stream-response-body = 2",
  ];
}

function serving(site: Site): Lines {
  const { files, protocol } = site;
  const app = protocol === "ajp" ? ajp(site) : cgi(site, protocol);
  if (files.length === 0) return app;
  const urls = files.map(({ url }) => escapeRegExp(url)).join("|");
  const hidden = `$HTTP["url"] =~ "^(${urls})/(.*/)?\\."`;
  return [
    ...app,
    "",
    "# Files that lighttpd answers with by itself. As for the app, names that begin with a dot are not there.",
    ...within(`$HTTP["url"] =~ "^(${urls})/"`, [
      `${OPTIONS[protocol]} = ()`,
      "alias.url = (",
      ...files.map(
        ({ url, directory }) => `${INDENT}"${url}/" => ${quoted(`${directory}/`, "the directory", null, site.place)},`,
      ),
      ")",
      ...within(hidden, ['url.access-deny = ( "" )']),
    ]),
    // Of two that match, the later one counts: that shall be the longer.
    ...files
      .toReversed()
      .flatMap(({ url, maxAge }) =>
        maxAge === undefined
          ? []
          : within(`$HTTP["url"] =~ "^${escapeRegExp(url)}/"`, [
              `setenv.set-response-header = ( "Cache-Control" => ${cacheControl(maxAge)} )`,
            ]),
      ),
  ];
}

function cgi(site: Site, protocol: "fastcgi" | "scgi"): Lines {
  const options = [
    ...whereOf(site),
    '"check-local" => "disable"',
    ...(site.prefix === "" ? ['"fix-root-scriptname" => "enable"'] : []),
    ...sentFiles(site),
  ];
  const why =
    "spawn" in site.address
      ? [
          "# lighttpd starts the app by itself, binds the socket and passes it on. One process is enough",
          "# for an app that does not block; of several, each has its own memory and its own socket.",
        ]
      : [];
  return [
    ...why,
    ...sentFilesRemark(site),
    `${OPTIONS[protocol]} = ( "${site.prefix || "/"}" => ((`,
    ...listed(options),
    ")) )",
  ];
}

function ajp(site: Site): Lines {
  const { prefix } = site;
  const options = [...whereOf(site), ...sentFiles(site)];
  const server = [...sentFilesRemark(site), `${OPTIONS.ajp} = ( "" => ((`, ...listed(options), ")) )"];
  return [
    '# With any other key than "" mod_ajp13 cuts the path off after its first segment. PATCH, for which it has',
    "# no code, it answers with 400.",
    ...(prefix === "" ? server : within(`$HTTP["url"] =~ "^${escapeRegExp(prefix)}(/|$)"`, server)),
  ];
}

function sentFilesRemark({ sendfile }: Site): string[] {
  if (sendfile === undefined) return [];
  return ["# x-sendfile-docroot is what sendfile_root says. lighttpd may send what is below it, and nothing else."];
}

function sentFiles(site: Site): string[] {
  if (site.sendfile === undefined) return [];
  const root = quoted(
    sendfileRoot(site.sendfile, "lighttpd", "X-Sendfile", site.place),
    "the directory",
    null,
    site.place,
  );
  return ['"x-sendfile" => "enable"', `"x-sendfile-docroot" => ( ${root} )`];
}

function whereOf({ address, protocol, name, place }: Site): string[] {
  if ("path" in address) return [`"socket" => "${plain(address.path, "the socket", place)}"`];
  if ("port" in address) return [`"host" => "${address.host}"`, `"port" => ${address.port}`];
  if (protocol === "ajp") {
    const message = `lighttpd starts no ${TITLES[protocol]} servers: write "host = 127.0.0.1" and "port = 8009" into the server's section`;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  // lighttpd parts it at blanks, whatever the quotes; its own name of the socket gets a number.
  const words = address.spawn.map((word) => plain(word, "the command's word", place));
  return [
    `"socket" => "/run/lighttpd/${name}.socket"`,
    `"bin-path" => "${words.join(" ")}"`,
    '"max-procs" => 1',
    '"bin-environment" => ( "NODE_ENV" => "production" )',
    '"bin-copy-environment" => ( "PATH" )',
  ];
}

function listed(options: readonly string[]): string[] {
  return options.map((option, i) => `${INDENT}${option}${i === options.length - 1 ? "" : ","}`);
}
