/** `propylon serve` on a copy of an example, its socket, port and directories put where a test may use them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { freePort } from "./front.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const START_TIMEOUT = 20_000;

export type Mode = "single" | "thread" | "fork";

export interface ServingOptions {
  /** Below the package's own: `examples/hello`. */
  readonly directory: string;
  /** A file in it. */
  readonly file: string;
  readonly mode?: Mode;
  /** `[server:…]`. Default "main". */
  readonly serverName?: string;
  /** What else is put in place of a text of the file. */
  readonly replace?: readonly (readonly [from: string | RegExp, to: string])[];
}

export class Serving {
  readonly directory: string;
  readonly socket: string;
  readonly port: number;
  output = "";
  readonly #child: ChildProcess;

  private constructor(directory: string, port: number, child: ChildProcess) {
    this.directory = directory;
    this.socket = join(directory, "app.sock");
    this.port = port;
    this.#child = child;
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => (this.output += String(chunk)));
  }

  /** Resolves when it serves. */
  static async start(options: ServingOptions): Promise<Serving> {
    const { directory: original, file, mode = "single", serverName = "main", replace = [] } = options;
    const directory = await mkdtemp(join(tmpdir(), "propylon-example-"));
    // The web server's workers are another user.
    await chmod(directory, 0o755);
    await cp(join(ROOT, original), directory, { recursive: true });
    await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
    await mkdir(join(directory, "node_modules"));
    await symlink(ROOT, join(directory, "node_modules/propylon"));
    const port = await freePort();
    let text = await readFile(join(directory, file), "utf8");
    for (const [from, to] of [
      ["/run/propylon/app.sock", join(directory, "app.sock")],
      ["port = 6500", `port = ${port}`],
      ["socket_group = www-data", "socket_mode = 0666"],
      ["propylon#fcgi", mode === "single" ? "propylon#fcgi" : `propylon#fcgi_${mode}`],
      ...replace,
    ] as const) {
      text = text.replaceAll(from, to);
    }
    await writeFile(join(directory, file), text);
    const command = [join(ROOT, "bin/propylon.js"), "serve", file, "--server-name", serverName];
    const child = spawn(process.execPath, command, { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
    const serving = new Serving(directory, port, child);
    const deadline = Date.now() + START_TIMEOUT;
    while (!/^.*FastCGI on /m.test(serving.output)) {
      if (child.exitCode !== null || Date.now() > deadline) {
        await serving.stop();
        throw new Error(`${file} is not served:\n${serving.output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return serving;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves with the exit code once it has ended by SIGTERM. */
  async terminate(): Promise<number | null> {
    if (this.running) {
      this.#child.kill("SIGTERM");
      await once(this.#child, "exit");
    }
    return this.#child.exitCode;
  }

  async stop(): Promise<void> {
    await this.terminate();
    await rm(this.directory, { recursive: true, force: true });
  }
}
