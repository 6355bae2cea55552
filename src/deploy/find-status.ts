/** From a configuration file to the status of the server that runs it; no code of the app is loaded. */
import { resolve } from "node:path";

import { ConfigError } from "../errors.ts";
import { create, nameOf } from "./create.ts";
import { type ServerChoice, describeServer } from "./described-server.ts";
import type { StartGateway } from "./servers.ts";
import { statusAddress } from "./status-address.ts";

/**
 * The Unix socket of the status.
 *
 * @throws ConfigError; CONFIG_NOT_SUPPORTED for a server that has no status
 */
export async function findStatus(file: string, choice: ServerChoice = {}): Promise<{ path: string }> {
  const { server, surroundings } = describeServer(file, choice);
  const none = (why: string): never => {
    throw new ConfigError("CONFIG_NOT_SUPPORTED", `${why} has no status: that comes with workers`, server.place);
  };
  // A factory of another package is somebody's code, and knows of no status.
  if (server.type === "wrapped" || server.factory.from !== "builtin") return none(nameOf(server));
  const made = (await create(server, surroundings)) as Partial<StartGateway>;
  if (made.plan === undefined || made.plan.mode === "single") return none(nameOf(server));
  return statusAddress(made.plan, resolve(surroundings.relativeTo, file)) ?? none(nameOf(server));
}
