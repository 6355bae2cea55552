/** Caddy 2: reverse_proxy with transport fastcgi. */
import { ConfigError } from "../errors.ts";
import { type Site, TITLES, cacheControl, hostAndPort, remarksOf, sendfileRoot, transportOf } from "./site.ts";
import { type Lines, comments, indented, joined, pathOf, plain, quoted } from "./text.ts";

const INDENT = "\t";
/** Placeholders, and the marks of other strings. */
const SPECIAL = /[{}`]/;

/** @throws ConfigError CONFIG_NOT_SUPPORTED */
export function caddyConfig(site: Site): string {
  const { address, protocol, place, files, prefix } = site;
  if (protocol !== "fastcgi") {
    const message = `Caddy speaks no ${TITLES[protocol]}: "use = package:propylon#fcgi" serves the same app to it`;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  if ("spawn" in address) {
    const message =
      'Caddy starts no programs: write "socket = /run/propylon/app.sock" into the server\'s section, and start the app ' +
      "yourself (propylon web-config systemd FILE.ini makes a service of it)";
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  const heading = [
    `Caddy with transport fastcgi ${transportOf(site)}; the app is that of ${site.file}.`,
    "",
    "To use it, as root: save it as /etc/caddy/Caddyfile, or add it there, then systemctl reload caddy.",
    ...(site.hostName !== undefined && site.listen === undefined
      ? ["Caddy gets a certificate for the host name by itself."]
      : []),
    ...remarksOf(site, "caddy"),
  ];
  const target = "path" in address ? `unix/${plain(address.path, "the socket", place)}` : hostAndPort(address);
  return joined([
    ...comments(heading),
    "",
    `${siteAddress(site)} {`,
    ...indented(
      [
        ...(site.listen?.host === undefined ? [] : [`bind ${site.listen.host}`, ""]),
        ...files.flatMap((each) => filesOf(each, site)),
        ...appOf(site, proxy(site, target)),
      ],
      INDENT,
    ),
    "}",
  ]);

  function appOf({ files }: Site, proxied: Lines): Lines {
    const others = files.map(({ url }) => `${url}/*`).join(" ");
    if (prefix === "") {
      if (files.length === 0) return proxied;
      return [`@app not path ${others}`, "handle @app {", ...indented(proxied, INDENT), "}"];
    }
    const name = prefix.slice(1).replaceAll(/[^\w-]/g, "-");
    const paths = `path ${prefix} ${prefix}/*`;
    return [
      ...(files.length === 0
        ? [`@${name} ${paths}`]
        : [`@${name} {`, `${INDENT}${paths}`, `${INDENT}not path ${others}`, "}"]),
      `handle @${name} {`,
      ...indented([`uri strip_prefix ${prefix}`, ...proxied], INDENT),
      "}",
    ];
  }
}

/** Without `listen` a host name stands for TLS; with it no more is meant than the port. */
function siteAddress({ listen, hostName }: Site): string {
  if (listen === undefined) return hostName ?? ":80";
  return hostName === undefined ? `:${listen.port}` : `http://${hostName}:${listen.port}`;
}

function filesOf({ url, directory, maxAge }: Site["files"][number], { place }: Site): Lines {
  return [
    "# Files that Caddy answers with by itself. As for the app, names that begin with a dot are not there.",
    `handle_path ${url}/* {`,
    ...indented(
      [
        "@hidden path_regexp /\\.",
        "respond @hidden 404",
        `root * ${quoted(directory, "the directory", SPECIAL, place)}`,
        maxAge !== undefined && `header Cache-Control ${cacheControl(maxAge)}`,
        "file_server",
      ],
      INDENT,
    ),
    "}",
    "",
  ];
}

/** In an answer with X-Sendfile the file takes the place of the app's body. */
function sentFiles(site: Site): Lines {
  if (site.sendfile === undefined) return [];
  const root = sendfileRoot(site.sendfile, "Caddy", "X-Sendfile", site.place);
  const directory = pathOf(root, SPECIAL, site.place);
  return [
    "# What sendfile_root says. Caddy may send what is below it, and nothing else.",
    `@file header X-Sendfile ${pathOf(`${root}/*`, SPECIAL, site.place)}`,
    "handle_response @file {",
    ...indented(
      [
        "copy_response_headers {",
        `${INDENT}exclude Content-Length Status X-Sendfile`,
        "}",
        "rewrite * {rp.header.X-Sendfile}",
        `uri strip_prefix ${directory}`,
        "method GET",
        `root * ${directory}`,
        "file_server",
      ],
      INDENT,
    ),
    "}",
  ];
}

function proxy(site: Site, target: string): Lines {
  const { prefix, root } = site;
  return [
    `reverse_proxy ${target} {`,
    ...indented(
      [
        "# What the app writes leaves at once, whatever its type (event streams).",
        "flush_interval -1",
        "# The app's own line with the status is not for the browser.",
        "header_down -Status",
        "transport fastcgi {",
        ...indented(
          [
            `root ${pathOf(root, SPECIAL, site.place)}`,
            ...(prefix === "" ? [] : ["# Tells the app where it is mounted.", `env SCRIPT_NAME ${prefix}`]),
          ],
          INDENT,
        ),
        "}",
        ...sentFiles(site),
      ],
      INDENT,
    ),
    "}",
  ];
}
