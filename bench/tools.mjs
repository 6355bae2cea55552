/** The parts that the benchmarks share: the load generator, servers in processes of their own, scratch space. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const MIB = 1024 * 1024;
/** Milliseconds that a server has to stop before it is killed. */
const STOP_LIMIT = 5000;

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

/** A fresh address, as the load generator takes it: a path in the scratch directory or 127.0.0.1:PORT. */
export async function freshAddress({ unix = false } = {}) {
  return unix ? join(scratch, `${(sockets += 1)}.sock`) : `127.0.0.1:${await freePort()}`;
}

/** An address as the clients take it. */
export function targetOf(address) {
  return address.startsWith("/") ? { path: address } : { port: Number(address.split(":")[1]) };
}

/**
 * Starts node; `ready` resolves with the first thing it says and fails if it ends before. Its errors are shown until it
 * is to stop.
 * @returns {{ pid: number, ready: Promise<void>, stop(signal?: NodeJS.Signals): Promise<void> }}
 */
export function launch(args) {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr.pipe(process.stderr, { end: false });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const exited = once(child, "exit");
  const failed = exited.then(([code]) => {
    throw new Error(`${args.join(" ")} ended with ${code} before it listened`);
  });
  failed.catch(() => {});
  return {
    pid: child.pid,
    ready: Promise.race([once(child.stdout, "data"), failed]),
    async stop(signal = "SIGKILL") {
      process.off("exit", kill);
      child.stderr.unpipe().resume();
      child.kill(signal);
      const late = setTimeout(kill, STOP_LIMIT);
      await exited;
      clearTimeout(late);
    },
  };
}

/**
 * Starts `servers/NAME.mjs` and resolves once it listens.
 * @returns {Promise<{ address: string, pid: number, stop(): Promise<void> }>}
 */
export async function startServer(name, handler, { unix = false, flags = [] } = {}) {
  const address = await freshAddress({ unix });
  const { path, port } = targetOf(address);
  const { pid, ready, stop } = launch([here(`servers/${name}.mjs`), handler, path ?? String(port), ...flags]);
  await ready;
  return { address, pid, stop: () => stop() };
}

/**
 * One run of the load generator: its JSON, or null if it could not even start. CPU and memory are those of `pid` and all
 * processes below it. With `spin` it does not sleep, which takes a processor that the server might use.
 */
export async function load(address, { protocol, pid, args, spin = availableParallelism() > 1 }) {
  const all = ["-P", protocol, "--pid", String(pid), ...(spin ? ["--spin"] : []), ...args, address];
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

/** Variables of a FastCGI request. */
export function params(method = "GET", length) {
  return [
    ["REQUEST_METHOD", method],
    ["REQUEST_URI", "/"],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", "/"],
    ["SERVER_PROTOCOL", "HTTP/1.1"],
    ...(length === undefined ? [] : [["CONTENT_LENGTH", String(length)]]),
  ];
}

/** Bytes of a field of /proc/PID/status. */
export function memory(pid, field) {
  const line = readFileSync(`/proc/${pid}/status`, "utf8")
    .split("\n")
    .find((each) => each.startsWith(field));
  return Number(/\d+/.exec(line)[0]) * 1024;
}

export function inMib(bytes) {
  return (bytes / MIB).toFixed(0);
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
