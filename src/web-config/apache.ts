/** Apache: mod_proxy_fcgi, mod_proxy_scgi, mod_proxy_ajp, or mod_fcgid for an app that it starts. */
import { ConfigError } from "../errors.ts";
import { type Site, TITLES, cacheControl, hostAndPort, remarksOf, sendfileRoot, transportOf } from "./site.ts";
import { type Lines, comments, escapeRegExp, indented, joined, plain, quoted } from "./text.ts";

const SCHEMES = { fastcgi: "fcgi", scgi: "scgi", ajp: "ajp" } as const;
const INDENT = "    ";
/** Of the one app of an Apache. */
const UNNAMED = "localhost";
/** `${NAME}` is replaced anywhere; the others are wildcards in <Directory>. */
const SPECIAL = /\$\{|[*?[\]]/;

/** @throws ConfigError CONFIG_NOT_SUPPORTED */
export function apacheConfig(site: Site): string {
  const { address, files, name, hostName, root, place, secret } = site;
  const spawns = "spawn" in address;
  const module = spawns ? "mod_fcgid" : `mod_proxy_${SCHEMES[site.protocol]}`;
  const modules = [
    ...(spawns ? ["fcgid"] : ["proxy", module.slice("mod_".length)]),
    ...(files.length > 0 ? ["alias"] : []),
    ...(files.some(({ maxAge }) => maxAge !== undefined) ? ["headers"] : []),
    ...(site.sendfile === undefined ? [] : ["xsendfile"]),
  ];
  const listen = listenOf(site);
  const heading = [
    `Apache with ${module} ${transportOf(site)}; the app is that of ${site.file}.`,
    "",
    `To use it, as root: save it as /etc/apache2/sites-available/${name}.conf, then`,
    `    a2enmod ${modules.join(" ")} && a2ensite ${name} && systemctl restart apache2`,
    ...(hostName === undefined && site.listen === undefined
      ? ["Without a host name it answers only where no other site does: a2dissite 000-default, or say --host-name."]
      : []),
    ...(spawns ? ["Debian has mod_fcgid in the package libapache2-mod-fcgid."] : []),
    ...(site.sendfile === undefined ? [] : ["Debian has mod_xsendfile in the package libapache2-mod-xsendfile."]),
    ...(secret === undefined ? [] : ["It has the secret in it: chmod 640."]),
    ...remarksOf(site, "www-data"),
  ];
  return joined([
    ...comments(heading),
    "",
    ...(site.listen === undefined ? [] : [`Listen ${listen}`, ""]),
    ...(spawns ? PROCESSES : []),
    `<VirtualHost ${site.listen?.host === undefined ? `*:${site.listen?.port ?? 80}` : listen}>`,
    ...indented(
      [
        hostName !== undefined && `ServerName ${hostName}`,
        `DocumentRoot ${quoted(root, "the directory", SPECIAL, place)}`,
        "",
        "# %2F in a path reaches the app as it was sent; the default answers it with 404.",
        "AllowEncodedSlashes NoDecode",
        "",
        ...filesOf(site),
        ...(spawns ? spawned(site, address.spawn) : proxied(site)),
        ...sentFiles(site),
      ],
      INDENT,
    ),
    "</VirtualHost>",
  ]);
}

function listenOf({ listen }: Site): string {
  if (listen === undefined) return "*:80";
  return listen.host === undefined ? String(listen.port) : hostAndPort({ host: listen.host, port: listen.port });
}

function filesOf({ files, address, place }: Site): Lines {
  return files.flatMap(({ url, directory, maxAge }) => [
    "# Files that Apache answers with by itself. As for the app, names that begin with a dot are not there.",
    ...("spawn" in address ? [] : [`ProxyPass "${url}" "!"`]),
    `RedirectMatch 404 "^${escapeRegExp(url)}/(?:.*/)?\\."`,
    `Alias "${url}" ${quoted(directory, "the directory", SPECIAL, place)}`,
    `<Directory ${quoted(directory, "the directory", SPECIAL, place)}>`,
    `${INDENT}Options FollowSymLinks`,
    `${INDENT}AllowOverride None`,
    `${INDENT}Require all granted`,
    maxAge !== undefined && `${INDENT}Header set Cache-Control ${cacheControl(maxAge)}`,
    "</Directory>",
    "",
  ]);
}

function sentFiles(site: Site): Lines {
  if (site.sendfile === undefined) return [];
  const root = sendfileRoot(site.sendfile, "Apache", "X-Sendfile", site.place);
  return [
    "",
    "XSendFile On",
    "# What sendfile_root says. Apache may send what is below it, and nothing else.",
    `XSendFilePath ${quoted(root, "the directory", SPECIAL, site.place)}`,
  ];
}

function proxied(site: Site): Lines {
  const { protocol, address, prefix, place, secret } = site;
  if (prefix !== "" && protocol !== "fastcgi" && !site.knowsPrefix) {
    const message =
      `mod_proxy_${SCHEMES[protocol]} cannot say that the app is at ${prefix}: ` +
      `write "mount = ${prefix}" into the server's section`;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  const isUnix = "path" in address;
  const at = prefix === "" ? "/" : prefix;
  // The two that speak CGI are told the whole path anyway.
  const tail = prefix === "" ? "/" : protocol === "ajp" ? prefix : "";
  const scheme = SCHEMES[protocol];
  const target = isUnix
    ? `unix:${plain(address.path, "the socket", place)}|${scheme}://${site.backendName}`
    : `${scheme}://${"port" in address ? hostAndPort(address) : ""}`;
  const pass = `ProxyPass "${at}" "${target}${tail}"`;
  const isNamed = isUnix && site.backendName !== UNNAMED;
  const named = `# The name after ${scheme}:// is another one for each app: Apache tells sockets apart by it alone.`;
  if (protocol === "ajp") {
    return [
      "# nocanon: so does the rest of the path. flushpackets: what the app writes leaves at once (event streams).",
      "# ping: before a request a kept connection is asked whether it is still there.",
      isNamed && named,
      secret !== undefined && "# secret: without it the app answers 403. The one of the app is the same.",
      '# Heads of answers over 8 KiB need "ProxyIOBufferSize 65536" here, and "packet_size = 64k" in the section of the app.',
      `${pass} nocanon flushpackets=on ping=1${secret === undefined ? "" : ` secret=${secretWord(site, secret)}`}`,
    ];
  }
  return [
    "# flushpackets: what the app writes leaves at once (event streams).",
    isNamed && named,
    `${pass} flushpackets=on`,
    `<Location "${at}">`,
    ...indented(
      [
        "# Without this line Apache keeps the Authorization header to itself.",
        "CGIPassAuth On",
        ...(prefix === "" || protocol !== "fastcgi"
          ? []
          : [
              "# Tells the app where it is mounted, as a ScriptAlias would.",
              `ProxyFCGISetEnvIf "reqenv('SCRIPT_NAME') =~ m#^${escapeRegExp(prefix)}(/.*)?$#" PATH_INFO "$1"`,
              `ProxyFCGISetEnvIf "true" SCRIPT_NAME "${prefix}"`,
            ]),
      ],
      INDENT,
    ),
    "</Location>",
  ];
}

/** The message does not have it. */
function secretWord({ place }: Site, secret: string): string {
  if (/^[\w./~+@=,:!-]+$/.test(secret)) return secret;
  const message = "has characters that Apache takes for more than text; use letters, digits and / . _ + = -";
  throw new ConfigError("CONFIG_NOT_SUPPORTED", message, { ...place, key: "secret" });
}

/** The limits of mod_fcgid hold for all of Apache. */
const PROCESSES = [
  "# At least one is kept; one that has had nothing to do for five minutes is ended.",
  "FcgidMinProcessesPerClass 1",
  "FcgidMaxProcessesPerClass 8",
  "FcgidIdleTimeout 300",
  "",
];

/** mod_fcgid gives each process one request at a time, and starts as many as are needed. */
function spawned({ protocol, prefix, place, name, root, files }: Site, command: readonly string[]): Lines {
  if (protocol !== "fastcgi") {
    const message =
      `Apache starts no ${TITLES[protocol]} servers: write "socket = /run/propylon/app.sock" into the server's section, ` +
      "or serve FastCGI";
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  const script = quoted(`${root}/${name}.fcgi`, "the directory", SPECIAL, place).slice(1, -1);
  const words = command.map((word) => plain(word, "the command's word", place));
  return [
    `# "virtual": ${name}.fcgi need not exist.`,
    `FcgidWrapper "${words.join(" ")}" .fcgi virtual`,
    prefix === "" ? `ScriptAliasMatch "^(/.*)$" "${script}$1"` : `ScriptAlias "${prefix}" "${script}"`,
    `<Location "${prefix === "" ? "/" : prefix}">`,
    `${INDENT}SetHandler fcgid-script`,
    `${INDENT}Options +ExecCGI`,
    `${INDENT}Require all granted`,
    "</Location>",
    ...files.flatMap(({ url }) => [`<Location "${url}">`, `${INDENT}SetHandler none`, "</Location>"]),
    "",
    "# mod_fcgid passes on PATH by itself, and nothing else.",
    "FcgidInitialEnv NODE_ENV production",
    "# Without this line Apache keeps the Authorization header to itself.",
    "FcgidPassHeader Authorization",
    "# What the app writes leaves at once (event streams).",
    "FcgidOutputBufferSize 0",
    "# Uploads: the default is 128 KiB. They are stored before the app sees them.",
    "FcgidMaxRequestLen 1073741824",
    "# A silent app may take so long. The default is 40 s.",
    "FcgidIOTimeout 300",
  ];
}
