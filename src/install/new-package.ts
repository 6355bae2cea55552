/** Writes the package of a new app, from the files in `examples/new-app`. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { fillTemplate } from "./template.ts";

const TEMPLATE = fileURLToPath(new URL("../../examples/new-app", import.meta.url));
/** PasteScript's ending for a file that is to be filled; the others are copied. */
const FILLED = "_tmpl";
/** PasteScript's dot in a file name, for names that tools act on: npm packs no `.gitignore`. */
const DOT = "+dot+";

/** What the files of a new package say of it. */
export interface NewPackage {
  /** The npm name: `wiki`, `@scope/wiki`. */
  readonly name: string;
  /** One line. */
  readonly description: string;
  /** The version of propylon that it is made by, and the least that it is for. */
  readonly propylonVersion: string;
}

export interface NewFile {
  /** From the package's directory. */
  readonly path: string;
  readonly content: string;
}

/** A package's name without its scope. */
export function bareName(name: string): string {
  return name.replace(/^@[^/]*\//, "");
}

/** The files of the package, in the order of their names. */
export async function newPackageFiles({ name, description, propylonVersion }: NewPackage): Promise<readonly NewFile[]> {
  const variables = {
    package: name,
    app_name: bareName(name),
    description,
    description_json: JSON.stringify(description),
    propylon_version: propylonVersion,
  };
  const entries = await readdir(TEMPLATE, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const made = files.map(async (file): Promise<NewFile> => {
    const text = await readFile(file, "utf8");
    const path = relative(TEMPLATE, file).replace(DOT, ".");
    if (!path.endsWith(FILLED)) return { path, content: text };
    return { path: path.slice(0, -FILLED.length), content: fillTemplate(text, variables, file) };
  });
  return (await Promise.all(made)).toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Writes the files into a directory which is empty or not there: all of them, or none and no directory either.
 *
 * @throws the system's error
 */
export async function writeNewPackage(directory: string, files: readonly NewFile[]): Promise<void> {
  // A directory that is there stays the one it is: a shell may be in it, and the one above may belong to somebody else.
  const isThere = existsSync(directory);
  const unique = `${randomBytes(6).toString("hex")}.new`;
  const beside = isThere ? join(directory, unique) : `${directory}.${unique}`;
  const made = [(await mkdir(dirname(beside), { recursive: true })) ?? beside];
  try {
    await mkdir(beside);
    for (const { path, content } of files) {
      await mkdir(dirname(join(beside, path)), { recursive: true });
      await writeFile(join(beside, path), content);
    }
    if (!isThere) return await rename(beside, directory);
    for (const name of await readdir(beside)) {
      await rename(join(beside, name), join(directory, name));
      made.push(join(directory, name));
    }
    await rmdir(beside);
  } catch (error) {
    for (const path of made) await rm(path, { recursive: true, force: true });
    throw error;
  }
}
