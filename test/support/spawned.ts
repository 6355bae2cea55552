/** Apps that a web server starts by itself, by the examples for it. */
import { chmod, cp, mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ROOT } from "./examples.ts";
import { type Front, type ServerName, startWebServer } from "./front.ts";

/** What stands for /srv/app in the examples: the hello example, with `app` as the text of its app. */
export async function makeSpawned(app: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "propylon-spawned-"));
  await chmod(directory, 0o755);
  await mkdir(join(directory, "node_modules"));
  await symlink(ROOT, join(directory, "node_modules/propylon"));
  await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
  await cp(join(ROOT, "examples/hello/hello.ini"), join(directory, "hello.ini"));
  await writeFile(join(directory, "app.js"), app);
  // lighttpd binds the socket as the user that it has become.
  await mkdir(join(directory, "run"));
  await chmod(join(directory, "run"), 0o777);
  await lay(directory, "start.sh");
  return directory;
}

/** Copies one of examples/spawned to where it is to be, with this machine's own paths. */
export async function lay(directory: string, name: string, to: string = join(directory, name)): Promise<void> {
  const text = await readFile(join(ROOT, "examples/spawned", name), "utf8");
  await writeFile(to, text.replaceAll("/srv/app", directory).replace("exec node", `exec ${process.execPath}`));
  await chmod(to, 0o755);
}

/** The app of the example with another server. */
export async function configure(directory: string, server: string): Promise<void> {
  await writeFile(join(directory, "hello.ini"), `[app:main]\nuse = call:./app.js:makeApp\n\n${server}`);
}

interface SpawningFile {
  readonly server: ServerName;
  readonly protocol: string;
  readonly file: string;
}

/** The web server, which starts the app by its example file; with `options` in the section of the app's server. */
export async function startSpawning(
  directory: string,
  { server, protocol, file }: SpawningFile,
  options = "",
): Promise<Front> {
  const use = protocol === "scgi" ? "scgi\nfd = 0" : "fcgi";
  // That of the example is without options, and for FastCGI.
  if (use !== "fcgi" || options !== "") {
    await configure(directory, `[server:spawned]\nuse = package:propylon#${use}\n${options}`);
  }
  const values = { APP: directory, SOCKET: join(directory, "run/app.socket") };
  return await startWebServer({ name: server, config: file, values });
}
