/** `propylon serve --reload`, for development: a server that is started anew when what it is made of changes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Stats } from "node:fs";
import { basename, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { type FSWatcher, watch } from "chokidar";

import type { Sources } from "../deploy/sources.ts";

export interface ReloaderOptions {
  /** Looked up anew before each start. */
  readonly sources: () => Sources;
  /** What `serve` is called with, but for --reload. */
  readonly args: readonly string[];
  readonly say: (line: string) => void;
}

/** An editor or a compiler writes several files one after the other. Milliseconds. */
const PAUSE = 150;
/** Of the requests in hand; an event stream would hold the server for longer. Milliseconds. */
const GRACE = 2000;

const CODE = /\.(?:[cm]?[jt]s|node|wasm)$/;
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Resolves with the exit code when a signal has ended it. */
export async function serveReloading(options: ReloaderOptions): Promise<number> {
  return await new Reloader(options).run();
}

class Reloader {
  readonly #options: ReloaderOptions;
  readonly #watcher: FSWatcher;
  readonly #files = new Set<string>();
  readonly #directories = new Set<string>();
  #server: ChildProcess | null = null;
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  /** It ends since it was told to. */
  #ending = false;
  #stopping = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#watcher = watch([], { ignoreInitial: true, ignored: (path, stats) => this.#ignores(path, stats) });
    this.#watcher.on("all", (event, path) => {
      if (event !== "addDir" && event !== "unlinkDir" && this.#isSource(path)) this.#note(path);
    });
    this.#watcher.on("error", (error) => options.say(`cannot watch: ${String(error)}`));
  }

  async run(): Promise<number> {
    const signal = new Promise<keyof typeof EXIT_CODES>((resolve) => {
      for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => resolve(name));
    });
    this.#start();
    const name = await signal;
    this.#stopping = true;
    clearTimeout(this.#timer);
    await this.#watcher.close();
    const server = this.#server;
    if (server === null) return 0;
    // A second one is for the server itself: it ends at once then.
    for (const again of ["SIGINT", "SIGTERM"] as const) process.on(again, () => insist(server, again));
    this.#ending = true;
    const ended = once(server, "exit");
    server.kill(name);
    const [code, killed] = (await ended) as [number | null, keyof typeof EXIT_CODES];
    return code ?? EXIT_CODES[killed] ?? EXIT_CODES[name];
  }

  /** Other packages and hidden things; and what is no source, as soon as it is known to be a file. */
  #ignores(path: string, stats: Stats | undefined): boolean {
    if (this.#files.has(path)) return false;
    const root = [...this.#directories].find((directory) => path.startsWith(directory + sep));
    const below = root === undefined ? [] : relative(root, path).split(sep);
    if (below.some((name) => name === "node_modules" || name.startsWith("."))) return true;
    return stats !== undefined && !stats.isDirectory() && !this.#isSource(path);
  }

  #isSource(path: string): boolean {
    return this.#files.has(path) || basename(path) === "package.json" || CODE.test(path);
  }

  #note(path: string): void {
    this.#changed.add(relative(process.cwd(), path));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#restart(), PAUSE);
  }

  #start(): void {
    this.#ending = false;
    const { files, directories } = this.#options.sources();
    for (const file of files) this.#files.add(file);
    for (const directory of directories) this.#directories.add(directory);
    this.#watcher.add([...this.#files, ...this.#directories]);
    const script = fileURLToPath(new URL("../../bin/propylon.js", import.meta.url));
    // Not of the terminal's process group: a ^C comes from here alone. If this process is killed, the line tells it.
    const server = spawn(process.execPath, [script, "serve", "--watched", ...this.#options.args], {
      detached: true,
      stdio: ["inherit", "inherit", "inherit", "ipc"],
    });
    this.#server = server;
    server.once("exit", (code, signal) => {
      this.#server = null;
      if (!this.#ending)
        this.#options.say(`the server ended (${signal ?? `exit code ${code}`}); a change starts it anew`);
    });
  }

  async #restart(): Promise<void> {
    if (this.#ending) return;
    this.#options.say(`${[...this.#changed].join(", ")} changed: starting anew`);
    this.#changed.clear();
    const server = this.#server;
    if (server !== null) {
      this.#ending = true;
      const gone = once(server, "exit");
      server.kill();
      const impatient = setTimeout(() => insist(server, "SIGTERM"), GRACE);
      await gone;
      clearTimeout(impatient);
    }
    if (this.#stopping) return;
    this.#start();
    // Of what changed meanwhile nobody knows whether it was read before or after.
    if (this.#changed.size > 0) this.#timer = setTimeout(() => void this.#restart(), PAUSE);
  }
}

/** The signal that ends a server at once, unless code of its app never lets it hear of one. */
function insist(server: ChildProcess, signal: keyof typeof EXIT_CODES): void {
  server.kill(signal);
  setTimeout(() => server.kill("SIGKILL"), GRACE).unref();
}
