/** The server that a configuration file describes, without a look at the app. */
import type { ConfigPlace } from "../errors.ts";
import { type Logger, silentLogger } from "../log.ts";
import { BUILTINS } from "./builtins.ts";
import type { FileTexts } from "./config-file.ts";
import type { Conf, Context } from "./context.ts";
import type { CreateOptions } from "./create.ts";
import { describe } from "./loader.ts";
import { SERVER_OPTIONS } from "./options.ts";
import { configUri, isUri } from "./uri.ts";

export interface ServerChoice {
  /** The section `[server:…]`. Default "main". */
  readonly serverName?: string | undefined;
  /** A server in place of that section, as `use` has it, or the name of one of propylon's: `fcgi_thread`, `http`. */
  readonly serverType?: string | undefined;
  /** What a relative file is relative to. Default: the working directory. */
  readonly relativeTo?: string | undefined;
  /** Variables over `[DEFAULT]`. */
  readonly globalConf?: Conf | undefined;
  readonly log?: Logger | undefined;
}

/** What else of the file is described and created with. */
export type Surroundings = CreateOptions &
  Pick<ServerChoice, "globalConf"> & { readonly relativeTo: string; readonly files: FileTexts };

export interface DescribedServer {
  readonly uri: string;
  readonly server: Context;
  readonly surroundings: Surroundings;
}

/** @throws ConfigError */
export function describeServer(file: string, choice: ServerChoice): DescribedServer {
  const { serverName = "main", serverType, relativeTo = process.cwd(), globalConf, log = silentLogger } = choice;
  const files: FileTexts = new Map();
  const surroundings = { relativeTo, globalConf, files, log, builtins: BUILTINS };
  const uri = configUri(file);
  const server =
    serverType === undefined
      ? describe("server", uri, { ...surroundings, name: serverName })
      : describeType(serverType, surroundings);
  return { uri, server, surroundings };
}

/** Without a section its options are those variables of the command line that say where to listen. */
function describeType(type: string, surroundings: Surroundings): Context {
  const own = type.startsWith("flup_") ? `egg:PasteScript#${type}` : `package:propylon#${type}`;
  const server = describe("server", isUri(type) ? type : own, surroundings);
  const saysWhere = (word: string): boolean =>
    SERVER_OPTIONS.some(({ scope, key, aliases }) => scope === "listen" && (word === key || aliases.includes(word)));
  const given = Object.entries(surroundings.globalConf ?? {}).filter(([key]) => saysWhere(key));
  const keys = new Map([...server.keys, ...given.map(([key]): [string, ConfigPlace] => [key, { key }])]);
  return { ...server, keys, localConf: { ...server.localConf, ...Object.fromEntries(given) } };
}

/**
 * The `pid_file` of the server, as it is written; undefined without one.
 *
 * @throws ConfigError
 */
export function pidFileOf(file: string, choice: ServerChoice): string | undefined {
  const { localConf } = describeServer(file, choice).server;
  return localConf["pid_file"] ?? localConf["pidFile"];
}
