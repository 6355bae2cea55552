/** What the manifest in examples/kubernetes says is done here by hand, on a host of its own: no cluster is needed for it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";

import { type Front, INSTALLED, startWebServer } from "../support/front.ts";
import { HAS_NETWORK, Network } from "../support/network.ts";
import { sleep, until } from "../support/supervised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Container {
  readonly command: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: {
      readonly spec: { readonly terminationGracePeriodSeconds: number; readonly containers: readonly Container[] };
    };
  };
}

const manifests = parseAllDocuments(readFileSync(join(ROOT, "examples/kubernetes/hello.yaml"), "utf8")).map(
  (document) => document.toJS() as Manifest,
);
const find = (kind: string, name: string): Manifest =>
  manifests.find((each) => each.kind === kind && each.metadata.name === name)!;
const pod = find("Deployment", "hello").spec!.template!.spec;
const container = pod.containers[0]!;

const runnable = HAS_NETWORK && INSTALLED.has("nginx");
if (!runnable) console.warn("SKIPPED: the pods of examples/kubernetes; that needs root, network namespaces and nginx");

describe.skipIf(!runnable)("the pod of examples/kubernetes", () => {
  const directory = mkdtempSync(join(tmpdir(), "propylon-pod-"));
  let network: Network;
  let server: ChildProcess;
  let front: Front;
  let output = "";

  const probe = async ({ httpGet: { path, port } }: Probe): Promise<number | null> => {
    const { containerPort } = container.ports.find(({ name }) => name === port)!;
    const answer = await fetch(`http://${network.hosts[0]!.address}:${containerPort}${path}`).catch(() => null);
    return answer?.status ?? null;
  };

  /** What the processes below the supervisor do not see: they stand still. */
  const whileStuck = async (done: () => Promise<void>): Promise<void> => {
    const list = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8");
    const pids = list.trim().split(" ").map(Number);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    try {
      await done();
    } finally {
      for (const pid of pids) process.kill(pid, "SIGCONT");
    }
  };

  beforeAll(async () => {
    chmodSync(directory, 0o755);
    network = Network.create(1);
    const { address, name } = network.hosts[0]!;
    cpSync(join(ROOT, "examples/hello/app.js"), join(directory, "app.js"));
    mkdirSync(join(directory, "node_modules"));
    symlinkSync(ROOT, join(directory, "node_modules/propylon"));
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
    // A pod has files of its own.
    const here = (text: string): string => text.replaceAll(/\/(?:app|tmp|etc\/propylon)\//g, `${directory}/`);
    writeFileSync(join(directory, "hello.ini"), here(find("ConfigMap", "hello").data!["hello.ini"]!));
    // An app takes its time to load; this one would be ready before anybody looks.
    const load = join(directory, "load.cjs");
    const sleep = 'require("node:child_process").execSync("sleep 0.3")';
    writeFileSync(load, `require("node:worker_threads").isMainThread || ${sleep};\n`);
    const [node, ...args] = container.command.map(here);
    expect(node).toBe("node");
    server = spawn("ip", ["netns", "exec", name, process.execPath, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_OPTIONS: `--require ${load}` },
    });
    for (const stream of [server.stdout!, server.stderr!]) {
      stream.on("data", (chunk: Buffer) => void (output += String(chunk)));
    }

    const nginx = join(directory, "default.conf");
    const text = find("ConfigMap", "hello-nginx").data!["default.conf"]!;
    writeFileSync(
      nginx,
      text.replace("hello-fastcgi:6500", `${address}:6500`).replace("listen 8080", "listen 127.0.0.1:8080"),
    );
    front = await startWebServer({ name: "nginx", config: nginx });
  });

  afterAll(async () => {
    if (server.exitCode === null) server.kill("SIGKILL");
    await front?.stop();
    network.remove();
    rmSync(directory, { recursive: true });
  });

  it("is alive at once, and ready when the app is loaded", async () => {
    await until(
      async () => (await probe(container.livenessProbe)) === 200,
      () => `life\n${output}`,
    );
    expect(await probe(container.readinessProbe)).toBe(503);
    await until(
      async () => (await probe(container.readinessProbe)) === 200,
      () => `readiness\n${output}`,
    );
  });

  it("answers nginx", async () => {
    const answer = await fetch(`${front.url}/a%20b?c=1`);
    expect({ status: answer.status, body: await answer.text() }).toEqual({
      status: 200,
      body: "Hello from /a%20b?c=1, mounted at /\n",
    });
  });

  it("is alive but not ready while its workers are stuck", async () => {
    await whileStuck(async () => {
      await until(
        async () => (await probe(container.readinessProbe)) === 503,
        () => "a pod that is not ready",
      );
      expect(await probe(container.livenessProbe)).toBe(200);
    });
    await until(
      async () => (await probe(container.readinessProbe)) === 200,
      () => `readiness\n${output}`,
    );
  });

  it("is not ready any more after TERM, and ends when what it has in hand is answered", async () => {
    let slow: Promise<Response> | undefined;
    await whileStuck(async () => {
      slow = fetch(`${front.url}/slow`);
      await sleep(300);
      server.kill("SIGTERM");
      await sleep(300);
      expect(await probe(container.readinessProbe)).not.toBe(200);
      expect(server.exitCode).toBe(null);
    });
    expect((await slow!).status).toBe(200);
    const [code] = await once(server, "exit");
    expect(code).toBe(0);
  });

  it("has the time for that", () => {
    const [, seconds] = container.lifecycle.preStop.exec.command;
    const graceful = /^graceful_timeout = (\d+)s$/m.exec(find("ConfigMap", "hello").data!["hello.ini"]!)![1];
    expect(Number(seconds) + Number(graceful)).toBeLessThan(pod.terminationGracePeriodSeconds);
  });
});
