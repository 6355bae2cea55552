/** The sample apps behind every kind of socket that the example configurations need, and the fronts before them. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Front, startWebServer, type ServerName } from "./front.ts";
import { SampleApps } from "./sample-apps.ts";
import { makeSpawned, startSpawning } from "./spawned.ts";

const REMOTE = new URL("apps/remote.js", import.meta.url).href;

/** What decides which listener of the sample apps a configuration needs. */
interface Needs {
  readonly protocol: "fastcgi" | "scgi" | "ajp";
  readonly transport: "tcp" | "unix";
  readonly mount: string;
  readonly mode?: "thread" | "fork" | undefined;
  readonly secret?: string | undefined;
  readonly multiplexed?: boolean | undefined;
  /** The web server starts the apps. */
  readonly spawned?: boolean | undefined;
}

interface FrontFile {
  readonly server: ServerName;
  readonly file: string;
  readonly documents?: Readonly<Record<string, string>> | undefined;
}

export class Backends {
  readonly apps: SampleApps = new SampleApps();
  /** What stands for /srv/app where a web server starts them. */
  readonly #spawned: string[] = [];
  readonly #listeners = new Map<string, { readonly port: number; readonly path: string }>();
  #directory = "";

  /** Starts the apps for all of `configurations`; for another one they listen when its web server starts. */
  async start(configurations: readonly Needs[]): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), "propylon-apps-"));
    // The web server's workers are another user.
    await chmod(this.#directory, 0o755);
    await this.#listen(configurations.filter(({ spawned }) => spawned !== true));
  }

  async #listen(configurations: readonly Needs[]): Promise<void> {
    const needs = new Map(configurations.map((each) => [keyOf(each), each]));
    const listeners = [...needs].map(([key, { protocol, transport, mount, mode, secret, multiplexed }]) => ({
      protocol,
      mount,
      mode,
      secret,
      multiplexed,
      ...(transport === "unix" ? { path: join(this.#directory, `${key.replaceAll(/[ /]/g, "-")}.sock`) } : {}),
    }));
    const ports = await this.apps.listen(listeners);
    [...needs.keys()].forEach((key, i) => {
      this.#listeners.set(key, { port: ports[i]!, path: listeners[i]!.path ?? "" });
    });
  }

  /** Where the apps listen for a configuration; `path` is "" for TCP. */
  addressOf(needs: Needs): { readonly port: number; readonly path: string } {
    return this.#listeners.get(keyOf(needs))!;
  }

  /** A web server from its example file, in front of the apps. */
  async front(configuration: Needs & FrontFile): Promise<Front> {
    if (configuration.spawned === true) return await this.#spawningFront(configuration);
    if (!this.#listeners.has(keyOf(configuration))) await this.#listen([configuration]);
    const { port, path } = this.addressOf(configuration);
    return startWebServer({
      name: configuration.server,
      config: configuration.file,
      documents: configuration.documents,
      values: { BACKEND_PORT: port, SOCKET: path },
    });
  }

  async #spawningFront(configuration: Needs & FrontFile): Promise<Front> {
    const path = join(this.#directory, "spawned.sock");
    await this.apps.listenToSpawned(path);
    const directory = await makeSpawned(
      `import { remoteApps } from "${REMOTE}";\nexport const makeApp = () => remoteApps("${path}");\n`,
    );
    this.#spawned.push(directory);
    return await startSpawning(directory, configuration, "early_hints = true\nupgrade = true\n");
  }

  async stop(): Promise<void> {
    await this.apps.stop();
    for (const directory of [this.#directory, ...this.#spawned]) await rm(directory, { recursive: true, force: true });
  }
}

function keyOf({ protocol, transport, mount, mode, secret, multiplexed = false }: Needs): string {
  return `${protocol} ${transport} ${mount} ${mode ?? ""} ${secret ?? ""} ${multiplexed ? "multiplexed" : ""}`;
}
