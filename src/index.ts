/** The public door: every name a user may import. */
export { afterResponse } from "./app/after-response.ts";
export { cgi } from "./app/request.ts";
export type { AuthorizerResponse } from "./app/authorizer.ts";
export type { ExchangeSocket } from "./app/exchange-socket.ts";
export type { FetchApp, FetchBindings } from "./app/fetch.ts";
export type { GatewayRequest, IncomingMessageClass } from "./app/request.ts";
export { requestContext, type RequestContext } from "./app/request-context.ts";
export type { ServerResponseClass } from "./app/response.ts";
export type { CgiVariables } from "./cgi/variables.ts";
export {
  ConfigError,
  ERROR_CODES,
  FileError,
  ListenError,
  ProtocolError,
  RequestError,
  ResponseError,
  type AbortCode,
  type ConfigErrorCode,
  type ConfigPlace,
  type FileErrorCode,
  type ListenErrorCode,
  type ProtocolErrorCode,
  type RequestErrorCode,
  type ResponseErrorCode,
} from "./errors.ts";
export { onWorkerStart, onWorkerStop, type WorkerHook, type WorkerInfo } from "./app/worker-hooks.ts";
export { serve, type ServeOptions } from "./deploy/serve.ts";
export type { RunningServer } from "./deploy/gateway.ts";
export type { SupervisedServer } from "./deploy/supervised.ts";
export { asBool, asBytes, asDuration, asInt, asList } from "./deploy/converters.ts";
export type { Loader } from "./deploy/create.ts";
export { appConfig, loadApp, loadFilter, loadServer, type AppConfig } from "./deploy/load.ts";
export type { DescribeOptions } from "./deploy/loader.ts";
export type { ProtocolName, Role } from "./exchange.ts";
export { GATEWAY_OPTIONS, type GatewayOptions, type OptionKind, type OptionRow } from "./gateway/options.ts";
export {
  Installer,
  type InstallCommand,
  type InstalledApp,
  type InstallVariables,
  type SetupConfig,
} from "./install/installer.ts";
export { createServer, isService } from "./library/create-server.ts";
export { type AppLogger, getLogger } from "./logging/loggers.ts";
export { type SendFileOptions, sendFile } from "./middleware/send-file.ts";
export { type PrefixOptions, prefix } from "./middleware/prefix.ts";
export type { TrustedProxies } from "./middleware/forwarded.ts";
export type {
  AuthorizerHandler,
  FetchObject,
  LibraryRequest,
  ListenOptions,
  Mount,
  RequestHandler,
  ServerEvents,
  ServerOptions,
} from "./library/options.ts";
export { Server } from "./library/server.ts";
export { type Logger, type LogLevel, silentLogger, stderrLogger } from "./log.ts";
