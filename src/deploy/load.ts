/** The doors to a configuration, as PasteDeploy has them: an app, a server, a filter, or what one is configured with. */
import { BUILTINS } from "./builtins.ts";
import type { Conf, Kind } from "./context.ts";
import { create } from "./create.ts";
import { type DescribeOptions, describe } from "./loader.ts";

export interface AppConfig {
  readonly globalConf: Conf;
  readonly localConf: Conf;
  /** Both, with the local one on top. */
  readonly merged: Conf;
}

/** The app that `uri` names, as its factory made it. */
export async function loadApp(uri: string, options: DescribeOptions = {}): Promise<unknown> {
  return await load("app", uri, options);
}

/** A function that serves an app: `app => running`. */
export async function loadServer(uri: string, options: DescribeOptions = {}): Promise<(app: unknown) => unknown> {
  return (await load("server", uri, options)) as (app: unknown) => unknown;
}

/** A filter: `app => app`, to be awaited. */
export async function loadFilter(uri: string, options: DescribeOptions = {}): Promise<(app: unknown) => unknown> {
  return (await load("filter", uri, options)) as (app: unknown) => unknown;
}

/** What the app that `uri` names is configured with; none of its code is loaded. */
export async function appConfig(uri: string, options: DescribeOptions = {}): Promise<AppConfig> {
  const { globalConf, localConf } = describe("app", uri, { builtins: BUILTINS, ...options });
  return { globalConf, localConf, merged: { ...globalConf, ...localConf } };
}

async function load(kind: Kind, uri: string, options: DescribeOptions): Promise<unknown> {
  const surroundings = { builtins: BUILTINS, ...options };
  return await create(describe(kind, uri, surroundings), surroundings);
}
