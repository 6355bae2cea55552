/** Writes configuration files: whole or not at all, and none that is there without having been asked. */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** It may hold passwords. An existing file keeps its own mode. */
const MODE = 0o600;

/** @returns null if there is no such file. @throws the system's error, EISDIR for a directory. */
export async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** A file beside it takes its place once it is whole; directories on the way are made. @throws the system's error */
export async function writeWhole(file: string, content: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const target = await realpath(file).catch(() => file);
  const mode = await stat(target).then(
    (there) => there.mode & 0o777,
    () => MODE,
  );
  const beside = `${target}.${randomBytes(6).toString("hex")}.new`;
  try {
    const handle = await open(beside, "wx", MODE);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (mode !== MODE) await chmod(beside, mode);
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
