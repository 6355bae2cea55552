/** The error families and every code, one table: an error is told apart by its `code`, never by its text. */

/** What went wrong, by family. A code is stable; the text beside it may be reworded. */
export const ERROR_CODES = {
  /** The peer broke the protocol. The statement says what the gateway does about it. */
  protocol: {
    FCGI_BAD_VERSION: "the connection cannot be followed any further and is closed",
    FCGI_BAD_BEGIN_REQUEST: "the connection cannot be trusted any further and is closed",
    FCGI_REQUEST_ID_IN_USE: "the connection cannot be trusted any further and is closed",
    FCGI_TOO_MANY_REQUESTS: "the connection is closed",
    FCGI_BAD_PARAMS: "the request is answered 400",
    FCGI_PARAMS_TOO_LARGE: "the request is answered 431",
    FCGI_TOO_MANY_PARAMS: "the request is answered 431",
    FCGI_HEADS_TOO_LARGE: "the connection is closed",
    FCGI_TOO_MANY_BAD_RECORDS: "the connection is closed",
    FCGI_TRUNCATED: "the connection ended inside a record or a request",
    FCGI_BAD_RECORD: "a client saw an answer that breaks the specification",
    SCGI_BAD_NETSTRING: "the connection is closed",
    SCGI_HEADERS_TOO_LARGE: "the connection is closed",
    SCGI_BAD_HEADERS: "the connection is closed",
    SCGI_BAD_CONTENT_LENGTH: "the connection is closed",
    SCGI_TOO_MANY_HEADERS: "the request is answered 431",
    SCGI_TRUNCATED: "the connection ended before its request did",
    AJP_BAD_MAGIC: "the connection cannot be followed any further and is closed",
    AJP_PACKET_TOO_LARGE: "the connection is closed",
    AJP_BAD_PACKET: "the connection is closed",
    AJP_UNEXPECTED_PACKET: "the connection cannot be followed any further and is closed",
    AJP_BAD_CONTENT_LENGTH: "the connection is closed",
    AJP_TOO_MANY_HEADERS: "the request is answered 431",
    AJP_TOO_MANY_BAD_PACKETS: "the connection is closed",
    AJP_TRUNCATED: "the connection ended inside a packet or a request",
    CGI_BAD_RESPONSE: "a client saw an answer without a CGI header block",
  },
  /** A request's variables do not add up to an HTTP request. */
  request: {
    CGI_BAD_METHOD: "the request is answered 400",
    CGI_BAD_CONTENT_LENGTH: "the request is answered 400",
    CGI_CONFLICTING_HEADERS: "the request is answered 400",
    CGI_BAD_TARGET: "the request is answered 400",
  },
  /** Who ended an exchange before its time. */
  abort: {
    ABORTED_BY_WEB_SERVER: "FCGI_ABORT_REQUEST",
    CONNECTION_LOST: "the web server closed the connection, which is how it says that the client has left",
    BODY_TIMEOUT: "no body bytes within body_timeout",
    REQUEST_TIMEOUT: "no response head within request_timeout",
    WRITE_STALLED: "the web server took no bytes within write_stall_timeout",
    MUX_STALLED: "a full request held up its connection for mux_stall",
    BODY_LIMIT: "the body is larger than max_body_bytes",
    BODY_UNREAD: "the answer was complete, and the rest of the body was not asked for",
    HEAD_LIMIT: "the head of the answer does not fit into a packet (packet_size)",
    BODY_INCOMPLETE: "the body ended before its Content-Length",
    SHUTTING_DOWN: "the gateway closes",
    UPGRADE_REFUSED: "the web server cannot carry an upgraded connection, or there are max_upgrades",
    UPGRADE_IDLE: "no byte of an upgraded connection within upgrade_idle_timeout",
  },
  /** The app's answer cannot be sent as it is. */
  response: {
    RESPONSE_HEAD_TOO_LARGE: "answered 500",
    RESPONSE_BAD_HEAD: "answered 500",
    RESPONSE_BODY_SHORT: "the answer is broken off visibly",
    RESPONSE_NO_UPGRADE: "answered 500",
  },
  /** A file that an app asked `sendFile` for. What the app does not catch is answered 404. */
  file: {
    FILE_NOT_FOUND: "there is no file of that name",
    FILE_OUTSIDE_ROOT: "the name leads out of the directory, or is that of a dotfile",
  },
  /** A configuration value or file, named with its place. */
  config: {
    CONFIG_NOT_FOUND: "",
    CONFIG_SYNTAX: "",
    CONFIG_DUPLICATE: "",
    CONFIG_NO_SECTION: "",
    CONFIG_AMBIGUOUS_SECTION: "",
    CONFIG_NO_LOADER: "",
    CONFIG_UNKNOWN_SCHEME: "",
    CONFIG_NO_PACKAGE: "",
    CONFIG_NO_ENTRY_POINT: "",
    CONFIG_AMBIGUOUS_ENTRY_POINT: "",
    CONFIG_INTERPOLATION: "",
    CONFIG_LOOP: "",
    CONFIG_BAD_VALUE: "",
    CONFIG_UNKNOWN_OPTION: "",
    CONFIG_NOT_SUPPORTED: "",
    CONFIG_TEMPLATE: "",
    APP_LOAD_FAILED: "",
    APP_WRONG_EXPORT: "",
  },
  /** The listening socket. */
  listen: {
    LISTEN_IN_USE: "",
    LISTEN_NOT_A_SOCKET: "",
    LISTEN_UNSAFE_DIRECTORY: "",
    LISTEN_PERMISSION: "",
    LISTEN_BAD_OWNER: "",
    LISTEN_BAD_ADDRESS: "",
  },
} as const;

export type ProtocolErrorCode = keyof typeof ERROR_CODES.protocol;
export type RequestErrorCode = keyof typeof ERROR_CODES.request;
export type AbortCode = keyof typeof ERROR_CODES.abort;
export type ResponseErrorCode = keyof typeof ERROR_CODES.response;
export type FileErrorCode = keyof typeof ERROR_CODES.file;
export type ConfigErrorCode = keyof typeof ERROR_CODES.config;
export type ListenErrorCode = keyof typeof ERROR_CODES.listen;

/** The peer broke the protocol. `statusHint` is the HTTP status to answer with, where an answer is still possible. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ProtocolErrorCode;
  readonly statusHint: number;

  constructor(code: ProtocolErrorCode, message: string, statusHint = 400) {
    super(`${code}: ${message}`);
    this.code = code;
    this.statusHint = statusHint;
  }
}

/** The variables of a request do not make an HTTP request; answered with `status`. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly code: RequestErrorCode;
  readonly status: number;

  constructor(code: RequestErrorCode, status: number, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
    this.status = status;
  }
}

/** The app's answer cannot be sent as it is. */
export class ResponseError extends Error {
  override readonly name = "ResponseError";
  readonly code: ResponseErrorCode;

  constructor(code: ResponseErrorCode, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
    this.code = code;
  }
}

/** `sendFile` has no such file. Frameworks take `status` for the answer. */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly code: FileErrorCode;
  readonly status = 404;

  constructor(code: FileErrorCode, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
    this.code = code;
  }
}

/** Where a configuration value stands. */
export interface ConfigPlace {
  readonly file?: string | undefined;
  readonly section?: string | undefined;
  readonly key?: string | undefined;
  readonly line?: number | undefined;
}

/**
 * A fault in the configuration, with file, line, section and key as far as they are known.
 *
 * @example
 * ```ts
 * import { ConfigError, loadApp } from "propylon";
 *
 * try {
 *   await loadApp("config:hello.ini#mian", { relativeTo: process.cwd() });
 * } catch (error) {
 *   if (error instanceof ConfigError) console.log(error.code); // CONFIG_NO_SECTION
 * }
 * ```
 */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: ConfigErrorCode;
  readonly place: ConfigPlace;

  constructor(code: ConfigErrorCode, message: string, place: ConfigPlace = {}, options?: ErrorOptions) {
    super(`${code}: ${describePlace(place)}${message}`, options);
    this.code = code;
    this.place = place;
  }
}

/** The gateway cannot listen where it was told to. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: ListenErrorCode;

  constructor(code: ListenErrorCode, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
    this.code = code;
  }
}

/** `app.ini:7 [app:main] key: `, as far as it is known; for what is said in front of it. */
export function describePlace(place: ConfigPlace): string {
  const parts: string[] = [];
  if (place.file !== undefined) parts.push(place.line === undefined ? place.file : `${place.file}:${place.line}`);
  if (place.section !== undefined) parts.push(`[${place.section}]`);
  if (place.key !== undefined) parts.push(`${place.key}:`);
  return parts.length === 0 ? "" : `${parts.join(" ")} `;
}
