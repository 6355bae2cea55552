/** `propylon setup-app`: sets up what a configuration names, such as the app's database. */
import { resolve } from "node:path";

import { BUILTINS } from "../deploy/builtins.ts";
import type { FileTexts } from "../deploy/config-file.ts";
import { describe } from "../deploy/loader.ts";
import { readLogging, startLogging } from "../deploy/logging.ts";
import { configUri } from "../deploy/uri.ts";
import { installerOfContext } from "../install/find-installer.ts";
import { stderrLogger } from "../log.ts";
import { parseVariables, splitTarget } from "./arguments.ts";
import { whileLoading } from "./ending.ts";
import { exitCodeOf, reportFailure } from "./failure.ts";
import { type InstallFlags, TerminalCommand } from "./install-command.ts";

export interface SetupAppFlags extends InstallFlags {
  readonly name?: string;
}

/** Sets `process.exitCode`: 0, 1 if the set-up failed, 2 for wrong usage or a fault in the configuration. */
export async function setupApp(target: string, given: readonly string[], flags: SetupAppFlags): Promise<void> {
  const command = new TerminalCommand(flags);
  try {
    const [file, fragment] = splitTarget(target);
    await setUp(file, { name: flags.name ?? fragment, variables: parseVariables(given) }, command);
  } catch (error) {
    reportFailure(error, command.verbose);
    process.exitCode = exitCodeOf(error);
  }
}

/** @throws ConfigError; what the app's `setupApp` throws */
export async function setUp(
  file: string,
  { name, variables = {} }: { readonly name?: string | undefined; readonly variables?: Record<string, string> },
  command: TerminalCommand,
): Promise<void> {
  const filename = resolve(file);
  const log = stderrLogger(command.verbose ? "debug" : "info");
  const files: FileTexts = new Map();
  const surroundings = { name, relativeTo: process.cwd(), globalConf: variables, builtins: BUILTINS, log, files };
  const logging = readLogging(filename, surroundings);
  const context = describe("app", configUri(filename), surroundings);
  const { installer, app } = await installerOfContext(context);
  const { globalConf, localConf } = app;
  if (command.simulate) {
    const module = await installer.websetup();
    command.say(
      module === null
        ? `${installer.app.package} has nothing to set up`
        : `would run setupApp of ${module} in ${installer.app.directory}`,
    );
    return;
  }
  const conf = { filename, globalConf, localConf, merged: { ...globalConf, ...localConf } };
  const loggers = startLogging(logging, 0, log);
  let done: boolean;
  try {
    done = await whileLoading("the set-up", async () => await installer.setupConfig(command, conf, variables));
  } finally {
    await loggers.close();
  }
  command.say(done ? `${file} is set up` : `${installer.app.package} has nothing to set up`);
}
