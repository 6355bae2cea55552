/** The parts that the benchmarks share: the load generator, servers in processes of their own, scratch space. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const GWLOAD = here("gwload");

export const scratch = mkdtempSync(join(tmpdir(), "propylon-bench-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

/** Compiles the load generator, if its source is newer than what is there. */
export function compileLoadGenerator() {
  const source = here("gwload.c");
  if (existsSync(GWLOAD) && statSync(GWLOAD).mtimeMs >= statSync(source).mtimeMs) return;
  const { status, error } = spawnSync("cc", ["-O2", "-o", GWLOAD, source], { stdio: "inherit" });
  if (status !== 0) throw new Error(`the load generator needs a C compiler: ${error?.message ?? "cc failed"}`);
}

/** Builds the package if that has not been done. */
export function needBuild() {
  if (!existsSync(here("../dist/index.js"))) throw new Error("the package is not built: npm run build");
}

let sockets = 0;

/**
 * Starts `servers/NAME.mjs` and resolves once it listens.
 * @returns {Promise<{ address: string, pid: number, stop(): Promise<void> }>}
 */
export async function startServer(name, handler, { unix = false, flags = [] } = {}) {
  const address = unix ? join(scratch, `${(sockets += 1)}.sock`) : String(await freePort());
  const child = spawn(process.execPath, [here(`servers/${name}.mjs`), handler, address, ...flags], {
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`${name} ended with ${code} before it listened`);
  });
  await Promise.race([once(child.stdout, "data"), failed]);
  failed.catch(() => {});
  return {
    address: unix ? address : `127.0.0.1:${address}`,
    pid: child.pid,
    async stop() {
      process.off("exit", kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      kill();
      await exited;
    },
  };
}

/** One run of the load generator: its JSON, or null if it could not even start. */
export async function load(address, { protocol, pid, args }) {
  const spin = availableParallelism() > 1 ? ["--spin"] : [];
  const all = ["-P", protocol, "--pid", String(pid), ...spin, ...args, address];
  const child = spawn(GWLOAD, all, { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  await once(child, "close");
  try {
    return JSON.parse(output);
  } catch {
    return null;
  }
}

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : sorted[Math.floor(sorted.length / 2)];
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
