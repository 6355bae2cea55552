/** From a configuration file to what is known of the server that runs it; no code of the app is loaded. */
import { resolve } from "node:path";

import { ConfigError } from "../errors.ts";
import type { ProtocolName } from "../exchange.ts";
import { create, nameOf } from "./create.ts";
import { type DescribedServer, type ServerChoice, describeServer } from "./described-server.ts";
import type { GatewayPlan } from "./plan.ts";
import type { StartGateway } from "./servers.ts";
import { statusAddress } from "./status-address.ts";

/**
 * The Unix socket of the status.
 *
 * @throws ConfigError; CONFIG_NOT_SUPPORTED for a server that has no status
 */
export async function findStatus(file: string, choice: ServerChoice = {}): Promise<{ path: string }> {
  const described = describeServer(file, choice);
  const { server, surroundings } = described;
  const none = (): never => {
    const message =
      `${nameOf(server)} has no workers, and so neither status nor reload (fcgi_thread and the like have); ` +
      '"propylon serve FILE.ini status" and "restart" know a server in the background';
    throw new ConfigError("CONFIG_NOT_SUPPORTED", message, server.place);
  };
  const plan = await planOf(described);
  if (plan === null || plan.mode === "single") return none();
  return statusAddress(plan, resolve(surroundings.relativeTo, file)) ?? none();
}

/** What a web server has to know of it. @throws ConfigError; CONFIG_NOT_SUPPORTED for a server that is none of ours */
export async function findServer(
  file: string,
  choice: ServerChoice = {},
): Promise<{ readonly protocol: ProtocolName; readonly secret: string | undefined }> {
  const described = describeServer(file, choice);
  const plan = await planOf(described);
  if (plan !== null) return { protocol: plan.protocol, secret: plan.settings.gateway.secret };
  const message = `${nameOf(described.server)} speaks neither FastCGI nor SCGI nor AJP; --protocol says what its server speaks`;
  throw new ConfigError("CONFIG_NOT_SUPPORTED", message, described.server.place);
}

/** Null without a plan: a factory of another package is somebody's code, and has none. @throws ConfigError */
export async function planOf({ server, surroundings }: DescribedServer): Promise<GatewayPlan | null> {
  if (server.type === "wrapped" || server.factory.from !== "builtin") return null;
  const made = (await create(server, surroundings)) as Partial<StartGateway>;
  return made.plan ?? null;
}
