/** What a doctor may find: every code, how much it weighs and what it means. One table. */

/** A `fault` keeps requests from being answered as they should; a `hint` is something to know, and may be meant so. */
export type Severity = "fault" | "hint";

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** One sentence: what was seen. */
  readonly seen: string;
  /** One sentence: what to do. */
  readonly cure: string;
}

/** A code is never renamed; its text may be. */
export const FINDING_CODES = {
  SOCKET_MISSING: ["fault", "nothing is at the path of the Unix socket: no server runs"],
  SOCKET_STALE: ["fault", "a socket is there, and nobody listens on it"],
  SOCKET_NO_SOCKET: ["fault", "something else than a socket is at its path"],
  SOCKET_CLOSED_TO_FRONT: ["fault", "the socket's owner, group and mode keep the web server's user out"],
  DIRECTORY_CLOSED_TO_FRONT: ["fault", "a directory above the socket cannot be entered by the web server's user"],
  SOCKET_HIDDEN_FROM_FRONT: [
    "fault",
    "the web server has another file system (PrivateTmp, a container) and no such socket",
  ],
  PORT_CLOSED: ["fault", "nobody listens on the port: no server runs"],
  PORT_TAKEN: ["fault", "a program that is no server of ours listens on the port"],
  PROTOCOL_OTHER: ["fault", "what listens speaks another protocol than the file says"],
  PROTOCOL_SILENT: ["fault", "what listens does not answer"],
  AJP_SECRET_DIFFERS: ["fault", "the server refuses the secret of the file"],
  LISTENS_HERE_ONLY: ["fault", "the web server is on another machine, and the server listens for this one only"],
  FRONT_NOT_ALLOWED: ["fault", "allowed_clients does not cover the web server's address"],
  STATUS_SILENT: ["fault", "a server answers, and its status socket does not: it was started with something else"],
  SERVER_OF_OTHER_FILE: ["fault", "the server that answers was started with another configuration file"],
  SERVER_DIFFERS: ["fault", "options of the running server are not those of the file"],
  CONFIGURATION_NEWER: ["hint", "the file was written after the server had read it"],
  SERVER_OTHER_VERSION: ["hint", "another version of propylon is running than this one"],
  SERVER_NOT_READY: ["fault", "the server starts, stops, or has no worker that answers"],
  RELOAD_FAILED: ["fault", "the last reload failed, and the old configuration serves"],
  WORKERS_STUCK: ["fault", "workers do not answer: a request blocks them"],
  WORKERS_BUSY: ["fault", "requests wait for a worker"],
  PID_FILE_WRONG: ["fault", "the pid_file does not name the server that runs"],
  RUNS_AS_ROOT: ["fault", "the app runs as root"],
  OPEN_FILES_LOW: ["hint", "the limit of open files lets in fewer connections than max_connections"],
  SOMAXCONN_LOW: ["hint", "the system cuts the backlog"],
  APP_FAILS: ["fault", "the app answers 500 or above when it is asked without the web server"],
  APP_SILENT: ["fault", "the app does not answer in time when it is asked without the web server"],
  FRONT_UNREACHABLE: ["fault", "no web server answers at the URL"],
  FRONT_CERTIFICATE: ["hint", "this machine does not trust the web server's certificate"],
  FRONT_REDIRECTS: ["hint", "the web server sends the URL elsewhere"],
  FRONT_WANTS_LOGIN: ["hint", "the web server asks for a login"],
  FRONT_LOST_SERVER: ["fault", "the web server answers 500, 502 or 503 in place of the server"],
  FRONT_SECRET_DIFFERS: ["fault", "the server refuses AJP's secret of the web server"],
  FRONT_TIMEOUT: ["fault", "the web server answers 504"],
  FRONT_ANSWERS_ITSELF: ["fault", "the answer is not the server's: another virtual host or location has the URL"],
  FRONT_VARIABLES_MISSING: ["fault", "variables that CGI demands do not arrive"],
  FRONT_QUERY_LOST: ["fault", "the query does not arrive as it was sent"],
  FRONT_PATH_CHANGED: ["fault", "the path does not arrive as it was sent"],
  FRONT_MOUNT_UNKNOWN: ["fault", "the server is not told, or is told wrongly, below which path the app is"],
  FRONT_HOST_CHANGED: ["fault", "the Host header does not arrive as it was sent"],
  FRONT_PORT_LOST: ["hint", "the Host header arrives without its port"],
  FRONT_HTTPS_UNSEEN: ["fault", "the URL is https and the app is not told"],
  FRONT_ADDRESS_HIDDEN: ["hint", "REMOTE_ADDR is not the client's address"],
  FRONT_JOINS_COOKIES: ["fault", "cookies that browsers send apart over HTTP/2 do not arrive as several"],
  FRONT_KEEPS_AUTHORIZATION: ["fault", "the Authorization header does not arrive"],
  FRONT_UNVERIFIED_USER: ["fault", "REMOTE_USER is what a client claims, with any password"],
  FRONT_REFUSES_ENCODED_SLASH: ["fault", "the web server refuses %2F in a path"],
  FRONT_BUFFERS_ANSWERS: ["hint", "the web server holds back the parts of an answer: event streams do not work"],
  FRONT_LOSES_EARLY_HINTS: ["fault", "early_hints is on, and the web server does not pass hints on"],
  FRONT_REQUEST_HEADER_LIMIT: ["fault", "the web server refuses or loses a header of 4 KiB"],
  FRONT_ANSWER_HEADER_LIMIT: ["fault", "the web server refuses an answer with 6 KiB of headers"],
  FRONT_BODY_LIMIT: ["fault", "the web server refuses a body that the server would take (with --upload)"],
} as const;

export type FindingCode = keyof typeof FINDING_CODES;

export function found(code: FindingCode, seen: string, cure: string): Finding {
  return { code, severity: FINDING_CODES[code][0], seen, cure };
}
