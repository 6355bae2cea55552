/** What npm would get: `npm pack`, and `npm publish` as far as it goes without publishing. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, posix, relative } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { CONFIGURATION_FOLDERS, ROOT } from "../support/examples.ts";

const run = promisify(execFile);

interface Packed {
  readonly name: string;
  readonly version: string;
  readonly files: readonly { readonly path: string }[];
}

let directory = "";
let registry: Server;
/** What the registry was asked for. */
const asked: string[] = [];
let paths: string[] = [];

function below(folder: string, end: string): string[] {
  const entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(end));
  return files.map((entry) => posix.join(relative(ROOT, entry.parentPath), entry.name));
}

/** With a registry that has nothing, and with nobody's credentials. */
async function npm(...args: string[]): Promise<string> {
  const { port } = registry.address() as AddressInfo;
  const own = [
    "--registry",
    `http://127.0.0.1:${port}/`,
    "--fetch-retries",
    "0",
    "--userconfig",
    join(directory, "npmrc"),
  ];
  const { stdout } = await run("npm", [...args, "--json", ...own], { cwd: ROOT, maxBuffer: 16 * 1024 ** 2 });
  return stdout;
}

/** What npm prints as JSON: one package, in a list, or by its name. */
function packedOf(stdout: string): Packed {
  const printed = JSON.parse(stdout.slice(stdout.search(/^[[{]/m))) as Packed | Packed[] | Record<string, Packed>;
  if (Array.isArray(printed)) return printed[0]!;
  return "files" in printed ? (printed as Packed) : Object.values(printed)[0]!;
}

function inTarball(path: string): string {
  return readFileSync(join(directory, "package", path), "utf8");
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "propylon-package-"));
  registry = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(404, { "Content-Type": "application/json" }).end("{}");
  }).listen(0, "127.0.0.1");
  await once(registry, "listening");
  const packed = packedOf(await npm("pack", "--pack-destination", directory));
  paths = packed.files.map(({ path }) => path);
  await run("tar", ["-xzf", join(directory, `${packed.name}-${packed.version}.tgz`), "-C", directory]);
});

afterAll(() => {
  registry.close();
  rmSync(directory, { recursive: true, force: true });
});

describe("npm pack", () => {
  it("has of dist what was made from src, and nothing that is left of something older", () => {
    const made = below("src", ".ts").flatMap((path) => {
      const name = path.replace(/^src\//, "dist/").slice(0, -".ts".length);
      return [`${name}.d.ts`, `${name}.js`, `${name}.js.map`];
    });
    expect(paths.filter((path) => path.startsWith("dist/")).toSorted()).toEqual(made.toSorted());
  });

  it("has the executable, the licence, the documentation and the configurations to copy, and nothing else", () => {
    const rest = paths.filter((path) => !path.startsWith("dist/"));
    expect(rest.toSorted()).toEqual(
      [
        ...["CHANGELOG.md", "LICENSE", "README.md", "bin/propylon.js", "package.json"],
        ...below("docs", ".md").filter((path) => !path.includes("node_modules") && !path.includes("html")),
        ...[
          "examples/files",
          "examples/hello",
          "examples/login",
          "examples/new-app",
          "examples/roles",
          "examples/spawned",
          "examples/systemd",
        ].flatMap((folder) => below(folder, "")),
        ...CONFIGURATION_FOLDERS.flatMap((folder) => below(folder, "")),
      ].toSorted(),
    );
  });

  it("has the source in each source map, since there is no src to point to", () => {
    for (const path of paths.filter((each) => each.endsWith(".map"))) {
      const { sources, sourcesContent } = JSON.parse(inTarball(path)) as {
        sources: string[];
        sourcesContent: string[];
      };
      expect(sourcesContent, path).toHaveLength(sources.length);
    }
  });

  it("points to no file that is missing", () => {
    for (const path of paths.filter((each) => /\.(?:js|d\.ts)$/.test(each))) {
      const code = inTarball(path);
      // Declarations name the others as the sources do: TypeScript takes x.d.ts for x.ts.
      const imports = Array.from(code.matchAll(/^(?:import|export) .*from "(\.[^"]+)"/gm), ([, target]) =>
        path.endsWith(".d.ts") ? target!.replace(/\.ts$/, ".d.ts") : target!,
      );
      const maps = Array.from(code.matchAll(/^\/\/# sourceMappingURL=(\S+)$/gm), ([, target]) => target!);
      for (const target of [...imports, ...maps]) expect(paths).toContain(posix.join(posix.dirname(path), target));
    }
  });

  it("has what exports and bin of package.json name", () => {
    const { bin, exports } = JSON.parse(inTarball("package.json")) as {
      bin: Record<string, string>;
      exports: Record<string, string | Record<string, string>>;
    };
    const targets = [bin, ...Object.values(exports)].flatMap((each) =>
      typeof each === "string" ? each : Object.values(each),
    );
    expect(targets.length).toBeGreaterThan(3);
    for (const target of targets) expect(paths).toContain(posix.normalize(target));
  });

  it("leaves publint nothing to say", async () => {
    const { stdout } = await run(process.execPath, [join(ROOT, "node_modules/publint/src/cli.js"), "--strict"], {
      cwd: ROOT,
    });
    expect(stdout).toContain("All good!");
  });
});

describe("npm publish --dry-run", () => {
  it("would publish the same files, and sends nothing", async () => {
    const published = packedOf(await npm("publish", "--dry-run"));
    expect(published.files.map(({ path }) => path)).toEqual(paths);
    expect(`${published.name}@${published.version}`).toMatch(/^propylon@\d+\.\d+\.\d+$/);
    expect(asked.filter((request) => !request.startsWith("GET "))).toEqual([]);
  });
});
