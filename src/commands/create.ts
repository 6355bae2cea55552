/** `propylon create`: writes the package of a new app. */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import validateName from "validate-npm-package-name";

import { type NewFile, bareName, newPackageFiles, writeNewPackage } from "../install/new-package.ts";
import { UsageError, exitCodeOf, reportFailure } from "./failure.ts";
import { type InstallFlags, PROPYLON, TerminalCommand } from "./install-command.ts";
import { packageVersion } from "./version.ts";

export interface CreateFlags extends Pick<InstallFlags, "simulate" | "quiet" | "verbose"> {
  readonly description: string;
}

/** Sets `process.exitCode`: 0, 1 for what cannot be written, 2 for wrong usage. */
export async function create(
  name: string,
  directory: string = bareName(name),
  { description, ...flags }: CreateFlags,
): Promise<void> {
  const command = new TerminalCommand(flags);
  try {
    checkName(name);
    checkDescription(description);
    const files = await newPackageFiles({ name, description, propylonVersion: packageVersion() });
    checkNeeds(name, files);
    await checkDirectory(name, directory);
    if (!command.simulate) await writeNewPackage(resolve(directory), files);
    if (command.simulate || command.verbose) {
      const wrote = command.simulate ? "would write" : "wrote";
      for (const { path, content } of files)
        command.say(`${wrote} ${join(directory, path)}, ${Buffer.byteLength(content)} bytes`);
    }
    if (!command.simulate) command.say(nextSteps(name, directory, files.length));
  } catch (error) {
    reportFailure(error, command.verbose);
    process.exitCode = exitCodeOf(error);
  }
}

/** @throws UsageError */
function checkName(name: string): void {
  const { validForNewPackages, errors = [], warnings = [] } = validateName(name);
  if (validForNewPackages) return;
  const reasons = [...errors, ...warnings].join(", ");
  throw new UsageError(
    `"${name}" cannot be the name of an npm package: ${reasons}; take one such as wiki or @site/wiki`,
  );
}

/** @throws UsageError */
function checkDescription(description: string): void {
  if (/\p{Cc}/u.test(description)) throw new UsageError("--description is one line, without control characters");
}

/** A package with the name of one that it needs would find itself instead. @throws UsageError */
function checkNeeds(name: string, files: readonly NewFile[]): void {
  const manifest = files.find(({ path }) => path === "package.json")?.content ?? "{}";
  const { devDependencies, peerDependencies } = JSON.parse(manifest) as Readonly<Record<string, object | undefined>>;
  if (Object.hasOwn({ ...devDependencies, ...peerDependencies }, name)) {
    throw new UsageError(`"${name}" is a package that every new app needs; take another name`);
  }
}

/** @throws UsageError for what is there and no empty directory; the system's error */
async function checkDirectory(name: string, directory: string): Promise<void> {
  const other = `name another one: propylon create ${name} DIRECTORY`;
  try {
    if ((await readdir(resolve(directory))).length === 0) return;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    if (code === "ENOTDIR") throw new UsageError(`${directory} is no directory; ${other}`, { cause: error });
    throw error;
  }
  throw new UsageError(`the directory ${directory} is not empty, and nothing in it is replaced; ${other}`);
}

function nextSteps(name: string, directory: string, count: number): string {
  const file = `${bareName(name)}.ini`;
  return [
    `wrote ${count} files into ${directory}\n\nNow:`,
    ...(resolve(directory) === process.cwd() ? [] : [`  cd ${shellWord(directory)}`]),
    "  npm install",
    "  npm test",
    `  ${PROPYLON} make-config ${name} ${file}`,
    `  ${PROPYLON} setup-app ${file}`,
    `  ${PROPYLON} serve ${file} --server-name http`,
  ].join("\n");
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
