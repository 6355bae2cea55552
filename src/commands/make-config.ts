/** `propylon make-config`: writes the configuration of a new instance of an installed app. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";

import { installerOfPackage } from "../install/find-installer.ts";
import type { Installer } from "../install/installer.ts";
import { installVariables } from "../install/variables.ts";
import { parseVariables } from "./arguments.ts";
import { UsageError, exitCodeOf, reportFailure } from "./failure.ts";
import { type InstallFlags, PROPYLON, TerminalCommand } from "./install-command.ts";
import { setUp } from "./setup-app.ts";

export interface MakeConfigFlags extends InstallFlags {
  readonly name?: string;
  readonly info?: boolean;
  readonly edit?: boolean;
  readonly setup?: boolean;
}

/** Sets `process.exitCode`: 0, 1 for what failed or a file that was kept, 2 for wrong usage or a fault in the template. */
export async function makeConfig(
  target: string,
  rest: readonly string[],
  { name, info = false, edit = false, setup = false, ...flags }: MakeConfigFlags,
): Promise<void> {
  const command = new TerminalCommand(flags);
  try {
    const [packageName, entry] = packageAndEntry(target, name);
    const installer = await installerOfPackage(packageName, entry, process.cwd());
    if (info) {
      process.stdout.write(`${await installer.description()}\n`);
      return;
    }
    const [first] = rest;
    const named = first !== undefined && !first.includes("=");
    const variables = installVariables(installer.app, parseVariables(named ? rest.slice(1) : rest));
    const filename = named ? first : (installer.defaultConfigFilename ?? `${variables["app_name"]}.ini`);
    checkKind(installer, filename);
    const editor = edit ? editorOf(process.env) : null;
    await installer.writeConfig(command, filename, variables);
    const files = installer.editableConfigFiles(filename);
    if (command.kept) {
      process.stderr.write(`propylon: ${filename} was left as it is; --force replaces it\n`);
      process.exitCode = 1;
      return;
    }
    if (command.simulate) return;
    const edited = editor === null || editFile(editor, files[0] ?? filename);
    const settled = edited || (await command.ask("The editor failed. Go on all the same?"));
    if (!settled) {
      process.stderr.write(`propylon: the editor failed (${editor}); ${files.join(", ")} is written all the same\n`);
      process.exitCode = 1;
    } else if (setup) {
      await setUp(filename, {}, command);
    } else {
      command.say(
        `\nNow look through ${files.join(", ")}, then:\n  ${PROPYLON} setup-app ${filename}\n  ${PROPYLON} serve ${filename}`,
      );
    }
  } catch (error) {
    reportFailure(error, command.verbose);
    process.exitCode = exitCodeOf(error);
  }
}

function packageAndEntry(target: string, name: string | undefined): [string, string] {
  const at = target.indexOf("#");
  if (at < 0) return [target, name ?? "main"];
  if (name !== undefined)
    throw new UsageError(`"${target}" names an app, and so does --name ${name}: give one of them`);
  return [target.slice(0, at), target.slice(at + 1)];
}

function checkKind({ expectConfigDirectory }: Installer, filename: string): void {
  if (filename === "") throw new UsageError("the name of the file is empty");
  if (expectConfigDirectory === null) return;
  const isDirectory = existsSync(filename) ? statSync(filename).isDirectory() : filename.endsWith("/");
  if (isDirectory && !expectConfigDirectory) {
    throw new UsageError(`${filename} is a directory, expected a file such as ${join(filename, "app.ini")}`);
  }
  if (!isDirectory && expectConfigDirectory && existsSync(filename)) {
    throw new UsageError(`${filename} is a file, expected a directory`);
  }
}

/** $VISUAL or $EDITOR, which may have arguments. @throws UsageError without one, before anything is written */
function editorOf({ VISUAL, EDITOR }: NodeJS.ProcessEnv): string {
  const editor = VISUAL || EDITOR || "";
  if (editor === "") throw new UsageError("--edit: set $EDITOR to your editor first");
  return editor;
}

function editFile(editor: string, file: string): boolean {
  const { status } = spawnSync("/bin/sh", ["-c", `${editor} "$1"`, "sh", file], { stdio: "inherit" });
  return status === 0;
}
