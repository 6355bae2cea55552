/** The sample apps in a process of their own, as they are in production: `NODE_ENV=production`, the built package. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Listener {
  readonly protocol: "http" | "fastcgi" | "scgi" | "ajp";
  /** For "http" the prefix that is cut off, "" for none. */
  readonly mount: string;
  /** Workers, of all apps but the one that reports. Default: none. */
  readonly mode?: "thread" | "fork" | undefined;
  readonly secret?: string | undefined;
  readonly multiplexed?: boolean | undefined;
  readonly path?: string;
  readonly port?: number;
}

interface Reported {
  readonly id: string;
  readonly event: string;
}

export class SampleApps {
  readonly #child: ChildProcess;
  /** What the apps reported, by the `id` of the request. */
  readonly #events = new Map<string, string[]>();
  #output = "";
  /** Where those hear and report that a web server has started, and their connections. */
  #door: Server | null = null;
  readonly #spawned = new Set<Socket>();

  constructor() {
    this.#child = fork(fileURLToPath(new URL("./apps/process.js", import.meta.url)), {
      env: { ...process.env, NODE_ENV: "production" },
      execArgv: [],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const keep = (chunk: Buffer): void => void (this.#output = (this.#output + String(chunk)).slice(-65_536));
    this.#child.stdout?.on("data", keep);
    this.#child.stderr?.on("data", keep);
    this.#child.on("message", (message: Reported & { type: string }) => {
      if (message.type === "event") this.#hear(message);
    });
  }

  #hear({ id, event }: Reported): void {
    this.events(id).push(event);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What the process printed, its last 64 KiB. */
  get output(): string {
    return this.#output;
  }

  events(id: string): string[] {
    let events = this.#events.get(id);
    if (events === undefined) this.#events.set(id, (events = []));
    return events;
  }

  /** Resolves to the ports, 0 for a Unix socket. */
  async listen(listeners: readonly Listener[]): Promise<number[]> {
    this.#child.send({ type: "listen", listeners });
    const exited = once(this.#child, "exit").then(() => {
      throw new Error(`the sample apps did not start:\n${this.#output}`);
    });
    const listening = new Promise<number[]>((resolve) => {
      const hear = (message: { type: string; ports: number[] }): void => {
        if (message.type !== "listening") return;
        this.#child.off("message", hear);
        resolve(message.ports);
      };
      this.#child.on("message", hear);
    });
    return Promise.race([listening, exited]);
  }

  /** Apps that a web server starts (`apps/remote.js`) are told by `path` where this is. */
  async listenToSpawned(path: string): Promise<void> {
    if (this.#door !== null) return;
    this.#door = createServer((socket) => {
      this.#spawned.add(socket);
      socket.once("close", () => this.#spawned.delete(socket));
      // Its web server has ended it.
      socket.on("error", () => {});
      createInterface({ input: socket }).on("line", (line) => this.#hear(JSON.parse(line) as Reported));
    });
    this.#door.listen({ path, writableAll: true });
    await once(this.#door, "listening");
  }

  /** Lets the request with this id go on. */
  go(id: string): void {
    this.#child.send({ type: "go", id });
    for (const socket of this.#spawned) socket.write(`${id}\n`);
  }

  async stop(): Promise<void> {
    this.#door?.close();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
  }
}
