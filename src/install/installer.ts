/** How an app is installed: its configuration file made, what that names set up. A package may extend the class. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { loadExport } from "../app/load.ts";
import type { Conf } from "../deploy/context.ts";
import { ConfigError } from "../errors.ts";
import { fillTemplate } from "./template.ts";

/** What is installed. */
export interface InstalledApp {
  /** The npm package's name. */
  readonly package: string;
  /** Where the package is. */
  readonly directory: string;
  /** The name of its app: `main`, or what followed the `#`. */
  readonly entry: string;
}

/** What a command lends to an installer. */
export interface InstallCommand {
  /** There is somebody who may be asked. */
  readonly interactive: boolean;
  /** Nothing is to be written or run. */
  readonly simulate: boolean;
  readonly verbose: boolean;
  /** A line for whoever runs the command. */
  say(line: string): void;
  /**
   * Writes a file with mode 0600, whole or not at all. One that is there with other content is shown beside the new one
   * and kept, unless whoever runs the command wants it replaced. With `simulate` it only says what it would do.
   *
   * @throws the system's error
   */
  writeFile(filename: string, content: string): Promise<"written" | "unchanged" | "kept">;
}

/** What an app is configured with, when it is set up. */
export interface SetupConfig {
  /** The configuration file. */
  readonly filename: string;
  readonly globalConf: Conf;
  readonly localConf: Conf;
  /** Both, with the local one on top. */
  readonly merged: Conf;
}

/** `${name}` of the template, and `var=value` of the command line. */
export type InstallVariables = Readonly<Record<string, string>>;

/** The template is looked for under these names in the package. */
const TEMPLATES = ["deployment.ini_tmpl", "config/deployment.ini_tmpl", "paste_deploy_config.ini_tmpl"];
const WEBSETUPS = ["websetup.js", "websetup.mjs", "websetup.cjs", "websetup/index.js", "dist/websetup.js"];

/**
 * To have one's own, extend it, override what should differ, and name it in package.json:
 * `"propylon": { "install": { "main": "./installer.js#WikiInstaller" } }`, under the name of the app.
 *
 * @example
 * ```ts
 * import { type InstallCommand, Installer, type InstallVariables } from "propylon";
 *
 * export class WikiInstaller extends Installer {
 *   override readonly defaultConfigFilename = "wiki_production.ini";
 *
 *   // A variable of the template that need not be given.
 *   override async configContent(command: InstallCommand, variables: InstallVariables): Promise<string> {
 *     return await super.configContent(command, { site_name: "Gatehouse", ...variables });
 *   }
 * }
 *
 * const installer = new WikiInstaller({ package: "wiki", directory: "../node_modules/wiki", entry: "main" });
 * console.log(installer.defaultConfigFilename, await installer.websetup()); // wiki_production.ini ./websetup.js
 * ```
 */
export class Installer {
  readonly app: InstalledApp;
  /** Whether the configuration has a directory of its own rather than a file; null for either. */
  readonly expectConfigDirectory: boolean | null = false;
  /** The file's name, if the command line has none; null for `<app_name>.ini`. */
  readonly defaultConfigFilename: string | null = null;

  constructor(app: InstalledApp) {
    this.app = app;
  }

  /** What `make-config --info` shows. */
  async description(): Promise<string> {
    const { package: name, directory, entry } = this.app;
    const manifest = JSON.parse(await readFile(join(directory, "package.json"), "utf8")) as { description?: unknown };
    const about = typeof manifest.description === "string" ? `: ${manifest.description}` : "";
    return `${name}#${entry}${about}`;
  }

  /** Makes the configuration. */
  async writeConfig(command: InstallCommand, filename: string, variables: InstallVariables): Promise<void> {
    await command.writeFile(filename, await this.configContent(command, variables));
  }

  /**
   * The text of the configuration file: the package's template, filled; without one a file with the app alone.
   *
   * @throws ConfigError CONFIG_TEMPLATE
   */
  async configContent(_command: InstallCommand, variables: InstallVariables): Promise<string> {
    const { package: name, directory, entry } = this.app;
    const template = TEMPLATES.map((file) => join(directory, file)).find((file) => existsSync(file));
    if (template !== undefined) return fillTemplate(await readTemplate(template), variables, template);
    return (
      `[server:main]\nuse = package:propylon#fcgi\nsocket = %(here)s/${variables["app_name"]}.sock\n\n` +
      `[app:main]\nuse = package:${name}#${entry}\n`
    );
  }

  /** The files to look through after `writeConfig`; the editor opens the first. */
  editableConfigFiles(filename: string): readonly string[] {
    return [filename];
  }

  /**
   * Sets up what the configuration names, such as a database: calls `setupApp(command, conf, variables)` of the package's
   * `websetup` module. It may be called again for what is set up already.
   *
   * @returns false if the package has nothing to set up
   * @throws ConfigError APP_LOAD_FAILED (what `setupApp` throws is its `cause`), APP_WRONG_EXPORT
   */
  async setupConfig(command: InstallCommand, conf: SetupConfig, variables: InstallVariables): Promise<boolean> {
    const module = await this.websetup();
    if (module === null) return false;
    const setup = await loadExport({ module, base: this.app.directory, export: "setupApp" });
    if (typeof setup !== "function") {
      throw new ConfigError("APP_WRONG_EXPORT", `"setupApp" of ${join(this.app.directory, module)} is not a function`);
    }
    try {
      await (setup as (...given: unknown[]) => unknown)(command, conf, variables);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `setupApp of ${join(this.app.directory, module)} failed: ${reason}`;
      throw error instanceof ConfigError ? error : new ConfigError("APP_LOAD_FAILED", message, {}, { cause: error });
    }
    return true;
  }

  /** The module with `setupApp`, from the package's directory: what it exports as `./websetup`, or a file of that name. */
  async websetup(): Promise<string | null> {
    const { directory } = this.app;
    const { exports } = JSON.parse(await readFile(join(directory, "package.json"), "utf8")) as { exports?: unknown };
    const exported = typeof exports === "object" && exports !== null ? Object.entries(exports) : [];
    const [, target] = exported.find(([name]) => name === "./websetup") ?? [];
    if (typeof target === "string") return target;
    const found = WEBSETUPS.find((file) => existsSync(join(directory, file)));
    return found === undefined ? null : `./${found}`;
  }
}

async function readTemplate(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const message = `the template cannot be read: ${(error as Error).message}`;
    throw new ConfigError("CONFIG_TEMPLATE", message, { file }, { cause: error });
  }
}
