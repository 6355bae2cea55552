/** `npm run demo` as a stranger runs it: it prints an address, the wiki works there, Ctrl-C leaves nothing behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { INSTALLED, type ServerName } from "../support/front.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const READY = "The wiki is running. Ctrl-C ends it.";
/** Milliseconds; it may have to build first. */
const START_TIMEOUT = 40_000;
/** "Within a few seconds", a machine that is busy with other things included. */
const STOP_TIMEOUT = 5_000;

const FRONTS: ServerName[] = ["apache", "lighttpd", "nginx", "caddy", "h2o", "haproxy"];
const missing = FRONTS.filter((name) => !INSTALLED.has(name));
if (missing.length > 0) console.warn(`SKIPPED: the demo behind ${missing.join(", ")}, not installed here`);

/** The demo's temporary directory, so that what it leaves there shows. */
let temporary: string;
let demo: ChildProcess | undefined;
let output: string;

beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), "propylon-"));
  await chmod(temporary, 0o755);
  output = "";
});

afterEach(async () => {
  if (demo !== undefined) signalGroup(demo, "SIGKILL");
  demo = undefined;
  await rm(temporary, { recursive: true, force: true });
});

describe("npm run demo", () => {
  it("shows the wiki, lets it be edited, and is gone after Ctrl-C", async () => {
    demo = start("npm", "run", "demo");
    const url = await address();
    await expectWiki(url, "/");
    await expectToEnd(demo, url);
  });

  it.for(FRONTS)("does so below /james with %s in front", async (front, { skip }) => {
    skip(!INSTALLED.has(front), `${front} is not installed`);
    demo = start("node", "examples/demo.mjs", "--front", front, "--mount", "/james");
    const url = await address();
    await expectWiki(url, "/james/");
    await expectToEnd(demo, url);
  });

  it("ends while somebody listens to the stream of edits", async () => {
    demo = start("node", "examples/demo.mjs");
    const url = await address();
    const stream = await fetch(`${url}events`);
    const reader = stream.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toContain("retry:");
    const rest = reader.read().catch(() => {});
    await expectToEnd(demo, url);
    await rest;
  });

  it("is gone after a Ctrl-C that comes while it starts", async () => {
    demo = start("node", "examples/demo.mjs");
    await vi.waitFor(async () => expect(await readdir(temporary)).toHaveLength(1), within(START_TIMEOUT, 5));
    await expectToEnd(demo);
    expect(output).not.toContain(READY);
  });

  it("says which web servers it knows, and starts nothing", async () => {
    demo = start("node", "examples/demo.mjs", "--front", "iis");
    expect(await once(demo, "exit")).toEqual([1, null]);
    expect(output).toBe("--front is own, apache, lighttpd, nginx, caddy, h2o, haproxy; not iis\n");
    expect(await readdir(temporary)).toEqual([]);
  });
});

/** In a process group of its own, as a shell starts it: that is what Ctrl-C reaches. */
function start(command: string, ...args: string[]): ChildProcess {
  const child = spawn(command === "node" ? process.execPath : command, args, {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const keep = (chunk: Buffer): void => void (output += String(chunk));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  return child;
}

/** The last line that the demo prints once it is ready. */
async function address(): Promise<string> {
  await vi.waitFor(() => expect(output).toMatch(/^http:\S+\n$/m), within(START_TIMEOUT, 50));
  const lines = output.trimEnd().split("\n");
  expect(lines.at(-2)).toBe(READY);
  return lines.at(-1) ?? "";
}

async function expectWiki(url: string, path: string): Promise<void> {
  expect(new URL(url)).toMatchObject({ hostname: "127.0.0.1", pathname: path });
  const page = await fetch(url);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain("<title>Welcome · Gatehouse</title>");

  const form = await fetch(`${url}p/Sandpit/edit`);
  const cookie = form.headers.getSetCookie().map((line) => line.split(";")[0]);
  const hidden = (await form.text()).matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g);
  const fields = Object.fromEntries([...hidden].map(([, name, value]) => [name, value]));
  const body = new URLSearchParams({ ...fields, text: "A hole in the sand.", author: "Ada" });
  const saved = await fetch(`${url}p/Sandpit/edit`, { method: "POST", headers: { cookie: cookie.join("; ") }, body });
  // Sent on to the page itself.
  expect([saved.status, saved.redirected, saved.url]).toEqual([200, true, `${url}p/Sandpit`]);
  expect(await saved.text()).toContain("A hole in the sand.");
}

/** Ctrl-C: the signal goes to the whole group. */
async function expectToEnd(child: ChildProcess, url?: string): Promise<void> {
  const pid = child.pid!;
  expect(await processesOf(pid)).not.toEqual([]);
  signalGroup(child, "SIGINT");
  await vi.waitFor(async () => expect(await processesOf(pid), output).toEqual([]), within(STOP_TIMEOUT, 50));
  expect(await readdir(temporary)).toEqual([]);
  if (url !== undefined) await expect(fetch(url)).rejects.toThrow();
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch (error) {
    // Nobody is left of the group.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The commands that run in a process group, as Linux tells; those that wait to be buried do not count. */
async function processesOf(group: number): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, "latin1").catch(() => "")));
  return stats.flatMap((stat) => {
    // pid (command) state parent group; the command may hold blanks and brackets.
    const [, command, state, , processGroup] = /^\d+ \((.*)\) (\S) (\d+) (\d+) /s.exec(stat) ?? [];
    return Number(processGroup) === group && state !== "Z" ? [command ?? ""] : [];
  });
}

function within(timeout: number, interval: number): { timeout: number; interval: number } {
  return { timeout, interval };
}
