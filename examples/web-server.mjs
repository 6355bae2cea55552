/** Starts a web server from one of the example files, in a scratch directory, as a child of this process. */
import { spawn } from "node:child_process";
import { access, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

/** What stands in the example files, each under the name of the value that is put in its place. */
const STANDS_IN = new RegExp(
  [
    String.raw`(?<SOCKET>/run/(?:propylon/app\.sock|lighttpd/app\.socket)\b)`,
    String.raw`(?<ROOT>/srv/www\b)`,
    String.raw`(?<APP>/srv/app\b)`,
    String.raw`(?<FILES>/srv/files\b)`,
    String.raw`(?<CONF>/etc/propylon\b)`,
    String.raw`(?<LOG>/var/log/lighttpd\b)`,
    String.raw`(?<BACKEND_PORT>\b(?:6500|4000|8009)\b)`,
    String.raw`(?<PORT>\b8080\b)`,
    String.raw`(?<HOST_1>\b10\.0\.0\.1\b)`,
    String.raw`(?<HOST_2>\b10\.0\.0\.2\b)`,
    String.raw`(?<PROVIDER>https://login\.example\.org\b)`,
  ].join("|"),
  "g",
);

const START_TIMEOUT = 10_000;
/** Apache takes some 12 s to stop while an event stream is open. */
const STOP_TIMEOUT = 15_000;
/** Characters kept of what the server prints, and of its log in an error message. */
const MAX_OUTPUT = 64 * 1024;
const MAX_EXCERPT = 4 * 1024;

const asRoot = process.getuid?.() === 0;

/** How each server is run, and what a distribution's own configuration files would say around an example. */
const SERVERS = {
  apache: {
    programs: ["/usr/sbin/apache2", "/usr/sbin/httpd", "/usr/local/sbin/httpd"],
    arguments: (file, dir) => ["-d", dir, "-f", file, "-D", "FOREGROUND"],
    scaffold: apacheScaffold,
  },
  lighttpd: {
    programs: ["/usr/sbin/lighttpd", "/usr/local/sbin/lighttpd"],
    arguments: (file) => ["-D", "-f", file],
    scaffold: lighttpdScaffold,
  },
  nginx: {
    programs: ["/usr/sbin/nginx", "/usr/local/sbin/nginx"],
    arguments: (file, dir) => ["-p", dir, "-c", file, "-e", join(dir, "error.log")],
    scaffold: nginxScaffold,
  },
  caddy: {
    programs: ["/usr/bin/caddy", "/usr/local/bin/caddy"],
    arguments: (file) => ["run", "--config", file, "--adapter", "caddyfile"],
    scaffold: caddyScaffold,
  },
  h2o: {
    programs: ["/usr/bin/h2o", "/usr/local/bin/h2o"],
    arguments: (file) => ["-c", file],
    scaffold: h2oScaffold,
    // At SIGTERM it waits for clients that keep their connections.
    endedBy: "SIGINT",
  },
  haproxy: {
    programs: ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"],
    // Further files are as if they were a part of the first.
    arguments: (file, dir, example) => ["-db", "-f", file, "-f", example],
    scaffold: haproxyScaffold,
  },
};

/**
 * The path of the server's program, or null where it is not installed.
 * @param {keyof typeof SERVERS} name
 */
export async function findWebServer(name) {
  for (const program of SERVERS[name].programs) {
    if (await exists(program)) return program;
  }
  return null;
}

/**
 * Resolves once the server answers on its port; rejects with what its error log says otherwise.
 *
 * @param {object} options
 * @param {keyof typeof SERVERS} options.name
 * @param {string} options.config the example file
 * @param {{ PORT?: number, SOCKET?: string, BACKEND_PORT?: number, ROOT?: string, APP?: string, FILES?: string,
 *   CONF?: string, HOST_1?: string, HOST_2?: string, PROVIDER?: string }} [options.values] what to put in place of the
 *   file's own port 8080 (default: a free one), `/run/propylon/app.sock`, backend port, `/srv/www`, `/srv/app`,
 *   `/srv/files`, `/etc/propylon`, 10.0.0.1, 10.0.0.2 and `https://login.example.org`
 * @param {Record<string, string>} [options.documents] what is to stand in the document root, content by path
 * @param {string} [options.dir] a directory to work in, kept afterwards (default: a temporary one, removed by `stop`);
 *   the server's own user must be able to enter it
 * @param {readonly string[]} [options.modules] further modules of Apache, which are not for every example: with
 *   mod_auth_openidc it listens long before it heeds a signal
 * @param {readonly string[]} [options.without] modules of Apache that it shall not have
 * @returns {Promise<{ url: string, pid: number, log(): Promise<string>, stop(): Promise<void> }>}
 */
export async function startWebServer({ name, config, values = {}, documents = {}, dir, modules = [], without = [] }) {
  const server = SERVERS[name];
  const program = await findWebServer(name);
  if (program === null) throw new Error(`${name} is not installed (looked for ${server.programs.join(", ")})`);

  const scratch = dir ?? (await mkdtemp(join(tmpdir(), `propylon-${name}-`)));
  await mkdir(scratch, { recursive: true });
  if (dir === undefined) await chmod(scratch, 0o755);
  const root = values.ROOT ?? join(scratch, "www");
  await mkdir(root, { recursive: true });
  for (const [path, content] of Object.entries(documents)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  const port = values.PORT ?? (await freePort());

  const put = { ...values, ROOT: root, PORT: port, LOG: join(scratch, "logs") };
  const text = (await readFile(config, "utf8")).replaceAll(STANDS_IN, (found, ...rest) => {
    const [name] = Object.entries(rest.at(-1)).find(([, text]) => text !== undefined);
    return String(put[name] ?? found);
  });
  const example = join(scratch, basename(config));
  await writeFile(example, text);
  const main = join(scratch, "_main.conf");
  const errorLog = join(scratch, "error.log");
  await writeFile(main, await server.scaffold({ example, scratch, errorLog, modules, without }));

  let output = "";
  // Caddy keeps what it has been told last in its user's home.
  const env = { ...process.env, XDG_CONFIG_HOME: scratch, XDG_DATA_HOME: scratch };
  const child = spawn(program, server.arguments(main, scratch, example), { env, stdio: ["ignore", "pipe", "pipe"] });
  const keep = (chunk) => (output = (output + chunk).slice(-MAX_OUTPUT));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const exited = new Promise((resolve) => {
    child.once("error", resolve);
    child.once("exit", resolve);
  });
  let over = false;
  // A parent that ends without calling `stop` takes the server with it.
  const kill = () => child.kill(server.endedBy ?? "SIGTERM");
  process.once("exit", kill);
  void exited.then(() => {
    over = true;
    process.off("exit", kill);
  });

  const logs = [errorLog, join(scratch, "logs/app.log")];
  const log = async () =>
    output + (await Promise.all(logs.map((file) => readFile(file, "utf8").catch(() => "")))).join("");
  const stop = async () => {
    if (!over) {
      kill();
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT);
      await exited;
      clearTimeout(timer);
    }
    if (dir === undefined) await rm(scratch, { recursive: true, force: true });
  };

  const deadline = Date.now() + START_TIMEOUT;
  while (!(await answers(port))) {
    if (over || Date.now() > deadline) {
      const said = (await log()).slice(-MAX_EXCERPT);
      await stop();
      throw new Error(`${name} did not start from ${config}:\n${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return { url: `http://127.0.0.1:${port}`, pid: child.pid, log, stop };
}

/** Modules that a distribution loads by itself, then those that the examples are about. */
const APACHE_MODULES = [
  ...[
    "mpm_event",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_host",
    "authz_user",
    "auth_basic",
    "unixd",
    "http2",
  ],
  ...["access_compat", "alias", "deflate", "dir", "env", "filter", "headers", "mime", "reqtimeout", "setenvif"],
  ...["log_config", "rewrite", "proxy", "proxy_fcgi", "proxy_scgi", "proxy_ajp", "jk", "fastcgi", "fcgid", "cgid"],
  ...["proxy_balancer", "lbmethod_byrequests", "slotmem_shm", "authnz_fcgi", "xsendfile", "ssl", "socache_shmcb"],
];

const APACHE_DIRECTORIES = ["/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/local/libexec/apache24"];

async function apacheScaffold({ example, scratch, errorLog, modules, without }) {
  const lines = [
    `ServerRoot "${scratch}"`,
    `DefaultRuntimeDir "${scratch}"`,
    `PidFile "${join(scratch, "httpd.pid")}"`,
    `ErrorLog "${errorLog}"`,
    `TypesConfig "${(await exists("/etc/mime.types")) ? "/etc/mime.types" : "/dev/null"}"`,
    "ServerName localhost",
    ...(asRoot ? ["User www-data", "Group www-data"] : []),
  ];
  for (const directory of APACHE_DIRECTORIES) {
    for (const module of [...APACHE_MODULES, ...modules].filter((module) => !without.includes(module))) {
      const file = join(directory, `mod_${module}.so`);
      if (await exists(file)) lines.push(`LoadModule ${module}_module "${file}"`);
    }
  }
  // As Debian's own jk.conf has them.
  lines.push("<IfModule jk_module>", `JkShmFile "${join(scratch, "jk-status")}"`);
  lines.push(`JkLogFile "${join(scratch, "mod_jk.log")}"`, "</IfModule>");
  // Debian's place for these is not for everybody.
  lines.push("<IfModule fcgid_module>", `FcgidIPCDir "${join(scratch, "fcgid")}"`);
  lines.push(`FcgidProcessTableFile "${join(scratch, "fcgid_shm")}"`, "</IfModule>");
  // One process: an example is visited by one browser.
  lines.push("<IfModule mpm_event_module>", "StartServers 1", "MinSpareThreads 1", "</IfModule>");
  return `${lines.join("\n")}\nInclude "${example}"\n`;
}

/** The error log stays on standard error: lighttpd opens a file only after it has become its user. */
async function lighttpdScaffold({ example, scratch }) {
  const [uploads, logs] = [join(scratch, "uploads"), join(scratch, "logs")];
  for (const directory of [uploads, logs]) {
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o1777);
  }
  const lines = [
    `server.upload-dirs = ( "${uploads}" )`,
    'server.modules = ( "mod_indexfile", "mod_access", "mod_alias", "mod_redirect" )',
    ...(asRoot ? ['server.username = "www-data"', 'server.groupname = "www-data"'] : []),
  ];
  return `${lines.join("\n")}\ninclude "${example}"\n`;
}

async function nginxScaffold({ example, scratch, errorLog }) {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const lines = [
    "daemon off;",
    "worker_processes 1;",
    `pid "${join(scratch, "nginx.pid")}";`,
    `error_log "${errorLog}";`,
    ...(asRoot ? ["user www-data;"] : []),
    "events { worker_connections 512; }",
    "http {",
    "access_log off;",
    ...temporary.map((what) => `${what}_temp_path "${join(scratch, what)}";`),
    `include "${example}";`,
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

/** It stays the user that starts it: it has no way to become another one. */
function caddyScaffold({ example }) {
  return `{\n\tadmin off\n\tauto_https off\n\tgrace_period 1s\n}\nimport "${example}"\n`;
}

/** YAML has no include; the example's keys stand beside these. */
async function h2oScaffold({ example, errorLog }) {
  const lines = [
    `error-log: "${errorLog}"`,
    `temp-buffer-path: "${tmpdir()}"`,
    "num-threads: 1",
    ...(asRoot ? ["user: www-data"] : []),
  ];
  return `${lines.join("\n")}\n${await readFile(example, "utf8")}`;
}

function haproxyScaffold() {
  const lines = [
    "global",
    "    log stderr format raw local0 notice",
    "    nbthread 1",
    "    maxconn 512",
    ...(asRoot ? ["    user www-data", "    group www-data"] : []),
    "defaults",
    "    mode http",
    "    log global",
    "    option dontlognull",
    "    timeout connect 5s",
    "    timeout client 50s",
    "    timeout server 50s",
  ];
  return `${lines.join("\n")}\n`;
}

async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** A port of 127.0.0.1 that is free at this moment. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    const done = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}
