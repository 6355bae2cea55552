/** nginx: fastcgi_pass and scgi_pass. */
import { ConfigError } from "../errors.ts";
import { type Site, cacheControl, hostAndPort, remarksOf, sendfileRoot, transportOf } from "./site.ts";
import { type Lines, comments, escapeRegExp, indented, joined, pathOf, plain, quoted } from "./text.ts";

const INDENT = "    ";
/** A variable, which cannot be escaped. */
const SPECIAL = /\$/;
/** Columns of the names of variables. */
const WIDTH = 17;
/** Its times are milliseconds in 31 bits. */
const LONGEST = "24d";
const SPARE_SECONDS = 30;

/** @throws ConfigError CONFIG_NOT_SUPPORTED */
export function nginxConfig(site: Site): string {
  const { address, name, hostName, root, place, protocol, prefix } = site;
  if (protocol === "ajp") {
    throw new ConfigError(
      "CONFIG_NOT_SUPPORTED",
      'nginx speaks no AJP: "use = package:propylon#fcgi" serves the same app to it',
      place,
    );
  }
  if ("spawn" in address) {
    const message =
      'nginx starts no programs: write "socket = /run/propylon/app.sock" into the server\'s section, and start the app ' +
      "yourself (propylon web-config systemd FILE.ini makes a service of it)";
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  const word = protocol === "fastcgi" ? "fastcgi" : "scgi";
  const target = "path" in address ? `unix:${plain(address.path, "the socket", place)}` : hostAndPort(address);
  const heading = [
    `nginx with ${word}_pass ${transportOf(site)}; the app is that of ${site.file}.`,
    "",
    `To use it, as root: save it as /etc/nginx/sites-available/${name}, then`,
    `    ln -s ../sites-available/${name} /etc/nginx/sites-enabled/ && nginx -t && systemctl reload nginx`,
    "(where there is no sites-available: /etc/nginx/conf.d/NAME.conf).",
    ...(hostName === undefined && site.listen === undefined
      ? [
          "Without a host name it answers only where no other site does: rm /etc/nginx/sites-enabled/default, or say --host-name.",
        ]
      : []),
    ...remarksOf(site, "www-data"),
  ];
  return joined([
    ...comments(heading),
    "",
    "server {",
    ...indented(
      [
        `listen ${listenOf(site)};`,
        hostName !== undefined && `server_name ${hostName};`,
        `root ${pathOf(root, SPECIAL, place)};`,
        "",
        "# 0 leaves the limit to the app; the default is 1 MiB.",
        "client_max_body_size 0;",
        "",
        ...filesOf(site),
        ...sentFiles(site),
        prefix === "" ? "location / {" : `location ~ ^${escapeRegExp(prefix)}(?<path_info>/.*)?$ {`,
        ...indented([`${word}_pass ${target};`, ...passing(word, site), "", ...variables(word, prefix)], INDENT),
        "}",
      ],
      INDENT,
    ),
    "}",
  ]);
}

function listenOf({ listen }: Site): string {
  if (listen === undefined) return "80";
  return listen.host === undefined ? String(listen.port) : hostAndPort({ host: listen.host, port: listen.port });
}

function filesOf({ files, place }: Site): Lines {
  return files.flatMap(({ url, directory, maxAge }) => [
    "# Files that nginx answers with by itself. As for the app, names that begin with a dot are not there.",
    `location ^~ ${url}/ {`,
    ...indented(
      [
        `alias ${quoted(`${directory}/`, "the directory", SPECIAL, place)};`,
        maxAge !== undefined && `add_header Cache-Control ${cacheControl(maxAge)};`,
        `location ~ ^${escapeRegExp(url)}/(?:.*/)?\\. {`,
        `${INDENT}return 404;`,
        "}",
      ],
      INDENT,
    ),
    "}",
    "",
  ]);
}

function sentFiles(site: Site): Lines {
  const { sendfile, place } = site;
  if (sendfile === undefined) return [];
  const root = sendfileRoot(sendfile, "nginx", "X-Accel-Redirect", site.place);
  return [
    "# sendfile_uri, and what sendfile_root says, both with a slash at the end. No client gets in here.",
    `location ^~ ${plain(sendfile.place, "sendfile_uri", { ...place, key: "sendfile_uri" })} {`,
    `${INDENT}internal;`,
    `${INDENT}alias ${pathOf(`${root}/`, SPECIAL, place)};`,
    "}",
    "",
  ];
}

function passing(word: "fastcgi" | "scgi", { upgradeIdleTimeout }: Site): string[] {
  return [
    "# What the app writes leaves at once (event streams).",
    `${word}_buffering off;`,
    ...(word === "fastcgi" ? ["# Uploads reach the app while they arrive.", "fastcgi_request_buffering off;"] : []),
    "# Room for response headers; the default is one page of memory.",
    `${word}_buffer_size 32k;`,
    `${word}_buffers 4 32k;`,
    ...(word === "scgi" && upgradeIdleTimeout !== undefined ? patience(upgradeIdleTimeout) : []),
  ];
}

function patience(upgradeIdleTimeout: number): string[] {
  const time = upgradeIdleTimeout === 0 ? LONGEST : `${Math.ceil(upgradeIdleTimeout / 1000) + SPARE_SECONDS}s`;
  return [
    "# A WebSocket that is silent for so long is ended; the default is 60 seconds. Longer than",
    "# upgrade_idle_timeout, so that it is propylon who decides.",
    `scgi_read_timeout ${time};`,
  ];
}

/** SCGI has its CONTENT_LENGTH from nginx itself. */
function variables(word: "fastcgi" | "scgi", prefix: string): string[] {
  const all: readonly (readonly [name: string, value: string])[] = [
    ...(word === "scgi" ? [["SCGI", "1"] as const] : []),
    ["SCRIPT_NAME", prefix === "" ? '""' : prefix],
    ["PATH_INFO", prefix === "" ? "$document_uri" : "$path_info"],
    ["REQUEST_METHOD", "$request_method"],
    ["REQUEST_URI", "$request_uri"],
    ["QUERY_STRING", "$query_string"],
    ["CONTENT_TYPE", "$content_type"],
    ...(word === "fastcgi" ? [["CONTENT_LENGTH", "$content_length"] as const] : []),
    ["SERVER_PROTOCOL", "$server_protocol"],
    ["REQUEST_SCHEME", "$scheme"],
    ["HTTPS", "$https if_not_empty"],
    ["REMOTE_ADDR", "$remote_addr"],
    ["REMOTE_PORT", "$remote_port"],
    ["SERVER_ADDR", "$server_addr"],
    ["SERVER_PORT", "$server_port"],
    ["SERVER_NAME", "$server_name"],
    ["SERVER_SOFTWARE", "nginx/$nginx_version"],
    ["GATEWAY_INTERFACE", "CGI/1.1"],
    ["HTTP_PROXY", '""'],
  ];
  return all.map(([name, value]) => `${word}_param ${name.padEnd(WIDTH)} ${value};`);
}
