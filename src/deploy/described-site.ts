/** From a configuration file to what a web server has to know of it; no code of the app is loaded. */
import { type SendfileFront, sendfileFront } from "../app/sendfile-front.ts";
import type { ConfigPlace } from "../errors.ts";
import { type GatewayOptions, resolveGatewayOptions } from "../gateway/options.ts";
import { nameOf } from "./create.ts";
import { describeApp } from "./described-app.ts";
import { type ServerChoice, describeServer } from "./described-server.ts";
import { planOf } from "./find-server.ts";
import type { GatewayPlan } from "./plan.ts";
import { type AppShape, shapeOf } from "./static-files.ts";

export interface DescribedSite {
  /** Null for a server that is none of our gateways. */
  readonly plan: GatewayPlan | null;
  /** For people. */
  readonly serverName: string;
  /** Of the server's section. */
  readonly place: ConfigPlace;
  /** Where the keys of that section stand. */
  readonly keys: ReadonlyMap<string, ConfigPlace>;
  readonly app: AppShape;
  /** With the defaults; null where the plan is. */
  readonly gateway: GatewayOptions | null;
  /** Files that the app names and the web server sends. */
  readonly sendfile: SendfileFront | undefined;
}

/** @param appName the section `[app:…]`. Default "main". @throws ConfigError */
export async function describeSite(
  file: string,
  { appName, ...choice }: ServerChoice & { readonly appName?: string | undefined },
): Promise<DescribedSite> {
  const described = describeServer(file, choice);
  const { server, surroundings } = described;
  const plan = await planOf(described);
  const { app } = describeApp(file, appName, surroundings);
  const { place, keys } = server;
  const sendfile = sendfileFront(plan?.settings.app ?? {}, () => place);
  const gateway = plan === null ? null : resolveGatewayOptions(plan.settings.gateway);
  return { plan, serverName: nameOf(server), place, keys, app: shapeOf(app), gateway, sendfile };
}
