/** A systemd service that serves a configuration. */
import { ConfigError, type ConfigPlace } from "../errors.ts";
import { comments, joined } from "./text.ts";

/** When systemd takes the service for started: once it says that it serves, by a process that it starts for that. */
const SERVICE_TYPE = ["Type=notify", "NotifyAccess=all"];

export interface Service {
  /** What the unit is called. */
  readonly name: string;
  /** Absolute path of the .ini file. */
  readonly file: string;
  readonly place: ConfigPlace;
  /** What serves it: absolute paths first, then the arguments. */
  readonly command: readonly string[];
  /** Whom the app runs as. Default: a user that has to be chosen. */
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  /** Absolute path of the Unix socket; null where it listens elsewhere. */
  readonly socket: string | null;
  readonly socketGroup?: string | undefined;
  readonly port: number | null;
  /** What has it read its configuration anew, as `command`; null for a server that cannot. */
  readonly reload: readonly string[] | null;
  /** Milliseconds; 0 for no limit. */
  readonly gracefulTimeout: number;
}

/** Whom the app runs as where nobody says. */
const USUAL_USER = "www-data";
/** Seconds beyond `graceful_timeout` in which processes that did not end by themselves are ended. */
const EXIT_TIME = 20;
const LOWEST_FREE_PORT = 1024;
const USERS_DIRECTORIES = ["/home/", "/root/", "/run/user/"];
const TEMPORARY_DIRECTORIES = ["/tmp/", "/var/tmp/"];

/** @throws ConfigError CONFIG_NOT_SUPPORTED for text that a unit cannot say */
export function systemdUnit(service: Service): string {
  const { name, file, user = USUAL_USER, group, socket, socketGroup, port, reload, gracefulTimeout, place } = service;
  if (socket !== null && /^(?:\/var)?\/run\/[^/]+$/.test(socket) && user !== "root") {
    const message = `only root can have a socket right in /run; give it a directory: socket = /run/${name}/app.sock`;
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
  }
  const runtime = socket === null ? undefined : /^(?:\/var)?\/run\/(.+)\/[^/]+$/.exec(socket)?.[1];
  const paths = [...service.command.filter((word) => word.startsWith("/")), file];
  const isHome = paths.some((path) => USERS_DIRECTORIES.some((directory) => path.startsWith(directory)));
  const usesTemporary = [...paths, socket ?? ""].some((path) =>
    TEMPORARY_DIRECTORIES.some((directory) => path.startsWith(directory)),
  );
  const lower = port !== null && port > 0 && port < LOWEST_FREE_PORT;
  const heading = [
    `systemd: the server of ${file}.`,
    "",
    `To use it, as root: save it as /etc/systemd/system/${name}.service, then`,
    `    systemctl daemon-reload && systemctl enable --now ${name}`,
    `What it logs: journalctl -u ${name}.${reload === null ? "" : ` After a change: systemctl reload ${name}.`}`,
  ];
  return joined([
    ...comments(heading),
    "",
    "[Unit]",
    `Description=${specifierless(`propylon serves ${file}`, place)}`,
    "After=network.target",
    "",
    "[Service]",
    ...SERVICE_TYPE,
    "# Whom the server and its app run as: who has to be able to read the file above, and to write where the app writes.",
    `User=${account(user, place)}`,
    ...(group === undefined ? [] : [`Group=${account(group, place)}`]),
    ...(socketGroup === undefined || socketGroup === (group ?? user)
      ? []
      : ["# So that it may give the socket to this group.", `SupplementaryGroups=${account(socketGroup, place)}`]),
    `WorkingDirectory=${specifierless(file.slice(0, file.lastIndexOf("/")) || "/", place)}`,
    ...(runtime === undefined
      ? []
      : [
          "# The directory of the socket: /run is empty after a reboot.",
          `RuntimeDirectory=${specifierless(runtime, place)}`,
          "RuntimeDirectoryMode=0755",
          "# It stays when the service stops, since others may have their sockets there.",
          "RuntimeDirectoryPreserve=yes",
        ]),
    "Environment=NODE_ENV=production",
    `ExecStart=${service.command.map((word) => argument(word, place)).join(" ")}`,
    ...(reload === null
      ? []
      : [
          "# Fails where the new configuration does; what served goes on.",
          `ExecReload=${reload.map((word) => argument(word, place)).join(" ")}`,
        ]),
    "# The signal to stop is for the server alone, which ends its workers.",
    "KillMode=mixed",
    "# graceful_timeout, and some time to end what did not end by itself.",
    `TimeoutStopSec=${gracefulTimeout === 0 ? "infinity" : Math.ceil(gracefulTimeout / 1000) + EXIT_TIME}`,
    "Restart=on-failure",
    "RestartSec=1",
    "# A fault in the configuration does not mend itself.",
    "RestartPreventExitStatus=2",
    lower && "# A port below 1024.",
    lower && "AmbientCapabilities=CAP_NET_BIND_SERVICE",
    "",
    "# What the app has no need of. MemoryDenyWriteExecute is not for Node, whose compiler writes code.",
    "NoNewPrivileges=true",
    "ProtectSystem=full",
    ...(isHome ? [] : ["ProtectHome=true"]),
    ...(usesTemporary ? [] : ["PrivateTmp=true"]),
    "PrivateDevices=true",
    "ProtectClock=true",
    "ProtectControlGroups=true",
    "ProtectHostname=true",
    "ProtectKernelLogs=true",
    "ProtectKernelModules=true",
    "ProtectKernelTunables=true",
    "RestrictNamespaces=true",
    "RestrictRealtime=true",
    "RestrictSUIDSGID=true",
    "LockPersonality=true",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ]);
}

/** `%` begins a specifier. */
function specifierless(text: string, place: ConfigPlace): string {
  if (!/[\p{Cc}\\]/u.test(text)) return text.replaceAll("%", "%%");
  const message = `${JSON.stringify(text)} has a character that a unit cannot say; choose another path`;
  throw new ConfigError("CONFIG_NOT_SUPPORTED", message, place);
}

/** systemd.service(5), "Command lines": quoted as in C, `$` begins a variable. */
function argument(text: string, place: ConfigPlace): string {
  const said = specifierless(text, place).replaceAll("$", () => "$$");
  return /^[\w./:=@%$+,-]+$/.test(said) ? said : `"${said.replaceAll('"', '\\"')}"`;
}

function account(name: string, place: ConfigPlace): string {
  if (/^[\w.-]+\$?$/.test(name)) return name;
  throw new ConfigError("CONFIG_NOT_SUPPORTED", `"${name}" is no name of a user or a group`, place);
}
