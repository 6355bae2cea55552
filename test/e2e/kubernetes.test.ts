/** What the manifest in examples/kubernetes says is done here by hand, on a host of its own: no cluster is needed for it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

const manifests = parseAllDocuments(readFileSync(join(ROOT, "examples/kubernetes/wiki.yaml"), "utf8")).map(
  (document) => document.toJS() as Manifest,
);
const find = (kind: string, name: string): Manifest =>
  manifests.find((each) => each.kind === kind && each.metadata.name === name)!;
const pod = find("Deployment", "wiki").spec!.template!.spec;
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

  beforeAll(async () => {
    chmodSync(directory, 0o755);
    network = Network.create(1);
    const { address, name } = network.hosts[0]!;
    execFileSync("cp", [join(ROOT, "test/support/apps/faulty.js"), join(directory, "app.js")]);
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
    const ini = find("ConfigMap", "wiki").data!["wiki.ini"]!;
    // A pod has files of its own, and may start when it likes.
    const put = { "/app/": `${directory}/`, "/tmp/wiki.status": join(directory, "wiki.status") };
    const configured = Object.entries(put).reduce((text, [from, to]) => text.replaceAll(from, to), ini);
    writeFileSync(join(directory, "wiki.ini"), configured.replace(":makeApp", ":makeApp\nslow = 1000"));
    const [npx, program, command, file] = container.command as [string, string, string, string];
    expect([npx, program, file]).toEqual(["npx", "propylon", "/etc/propylon/wiki.ini"]);
    const args = [join(ROOT, "bin/propylon.js"), command, join(directory, "wiki.ini")];
    server = spawn("ip", ["netns", "exec", name, process.execPath, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [server.stdout!, server.stderr!]) {
      stream.on("data", (chunk: Buffer) => void (output += String(chunk)));
    }

    const nginx = join(directory, "default.conf");
    const text = find("ConfigMap", "wiki-nginx").data!["default.conf"]!;
    writeFileSync(
      nginx,
      text.replace("wiki-fastcgi:6500", `${address}:6500`).replace("listen 8080", "listen 127.0.0.1:8080"),
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
      body: "hello GET /a%20b?c=1\n",
    });
  });

  it("is not ready any more after TERM, and ends when what it has in hand is answered", async () => {
    const slow = fetch(`${front.url}/wait?n=2000`);
    await sleep(500);
    server.kill("SIGTERM");
    await sleep(300);
    expect(await probe(container.readinessProbe)).not.toBe(200);
    expect((await slow).status).toBe(200);
    const [code] = await once(server, "exit");
    expect(code).toBe(0);
  });

  it("has the time for that", () => {
    const [, seconds] = container.lifecycle.preStop.exec.command;
    const graceful = /^graceful_timeout = (\d+)s$/m.exec(find("ConfigMap", "wiki").data!["wiki.ini"]!)![1];
    expect(Number(seconds) + Number(graceful)).toBeLessThan(pod.terminationGracePeriodSeconds);
  });
});
