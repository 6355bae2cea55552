/** The composition root: server factories, each a protocol and a mode put together, as configurations name them. */
import { adaptApp } from "../app/adapt.ts";
import { ConfigError } from "../errors.ts";
import type { Conf } from "./context.ts";
import type { FactoryAid } from "./create.ts";
import type { RunningServer } from "./gateway.ts";
import { ROLES_WITH_APPS } from "./options.ts";
import { type GatewayKind, type GatewayPlan, readPlan } from "./plan.ts";
import { startSingle } from "./single-service.ts";

/** What makes a server run: gets the app that a configuration made; `where` is what errors call that app. */
export type StartServer = (app: unknown, options?: { readonly where?: string }) => Promise<RunningServer>;

/** One of our gateway servers: with workers it is run by its plan, since a made app cannot cross to them. */
export type StartGateway = StartServer & { readonly plan: GatewayPlan };

/** A server factory that comes with propylon. */
export type ServerFactory = (globalConf: Conf, localConf: Conf, aid: FactoryAid) => StartServer;

/** A factory of FastCGI, SCGI or AJP servers. */
export function gatewayServer(kind: GatewayKind): ServerFactory {
  return (globalConf, localConf, aid) => {
    const plan = readPlan(kind, globalConf, localConf, aid);
    const start: StartServer = async (app, { where = "the app" } = {}) => {
      if (plan.mode !== "single") {
        const message = `an app that is made already cannot cross to ${plan.mode}; start it by its name, with serve()`;
        throw new ConfigError("CONFIG_NOT_SUPPORTED", message, aid.placeOf());
      }
      for (const key of ROLES_WITH_APPS) {
        if (plan.settings.app[key] === undefined) continue;
        const message = "a server that gets a made app finds no other one by its name; start it with serve()";
        throw new ConfigError("CONFIG_NOT_SUPPORTED", message, aid.placeOf(key));
      }
      return await startSingle(plan, async () => ({ responder: await adaptApp(app, { where }) }), { log: aid.log });
    };
    return Object.assign(start, { plan });
  };
}
