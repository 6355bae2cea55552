/** A steady load of HTTP requests through a web server, and what failed of it. */
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds between an answer and the next request of a loop: the machine has other things to do for a test. */
const PAUSE = 25;

/** Each request is told from the others by `id` in its query, so that one that a web server sends twice is known. */
export class HttpLoad {
  answered = 0;
  #asked = 0;
  readonly failures: { readonly path: string; readonly what: number | string }[] = [];
  readonly #origin: URL;
  readonly #name: string;
  readonly #agent: Agent;
  readonly #loops: Promise<void>[] = [];
  #running = true;

  constructor(
    origin: string,
    { count = 8, paths, name = "load" }: { count?: number; paths: readonly string[]; name?: string },
  ) {
    this.#name = name;
    this.#origin = new URL(origin);
    this.#agent = new Agent({ keepAlive: true, maxSockets: count });
    for (let i = 0; i < count; i++) this.#loops.push(this.#loop(i, paths));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }

  async #loop(first: number, paths: readonly string[]): Promise<void> {
    for (let turn = first; ; turn++) {
      if (!this.#running) return;
      const path = paths[turn % paths.length]!;
      const what = await this.#once(path);
      if (what === 200) this.answered++;
      else this.failures.push({ path, what });
      await sleep(PAUSE);
    }
  }

  async #once(path: string): Promise<number | string> {
    const upload = path.startsWith("/upload");
    const { hostname, port } = this.#origin;
    return await new Promise((resolve) => {
      const outgoing = request({
        ...{ hostname, port, agent: this.#agent, method: upload ? "POST" : "GET", timeout: 20_000 },
        path: `${path}${path.includes("?") ? "&" : "?"}id=${this.#name}-${++this.#asked}`,
      });
      outgoing.on("response", (response) => {
        response.resume();
        response.on("end", () => resolve(response.complete ? response.statusCode! : "incomplete"));
        response.on("error", (error) => resolve(String(error)));
      });
      outgoing.on("timeout", () => outgoing.destroy(new Error("timeout")));
      outgoing.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      outgoing.end(upload ? Buffer.alloc(10_000, "u") : undefined);
    });
  }
}
