import { cpSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { appConfig, loadApp, loadFilter, loadServer } from "../../../src/deploy/load.ts";
import type { DescribeOptions } from "../../../src/deploy/loader.ts";
import { ConfigError } from "../../../src/errors.ts";
import { silentLogger } from "../../../src/log.ts";

interface Operation {
  readonly call: "loadapp" | "loadserver" | "loadfilter" | "appconfig";
  readonly uri?: string;
  readonly name?: string;
  readonly global_conf?: Record<string, string>;
  readonly relative_to?: false;
  readonly quirk?: string;
  readonly expect: Record<string, unknown>;
}

/** What PasteDeploy's exceptions are in our codes. */
const CODES: Record<string, readonly string[]> = {
  LookupError: [
    "CONFIG_NO_SECTION",
    "CONFIG_AMBIGUOUS_SECTION",
    "CONFIG_NO_LOADER",
    "CONFIG_UNKNOWN_SCHEME",
    "CONFIG_NO_ENTRY_POINT",
    "CONFIG_AMBIGUOUS_ENTRY_POINT",
    "CONFIG_BAD_VALUE",
  ],
  ValueError: ["CONFIG_BAD_VALUE"],
  PackageNotFoundError: ["CONFIG_NO_PACKAGE"],
  FileNotFoundError: ["CONFIG_NOT_FOUND"],
  InterpolationMissingOptionError: ["CONFIG_INTERPOLATION"],
  InterpolationSyntaxError: ["CONFIG_INTERPOLATION"],
  DuplicateOptionError: ["CONFIG_DUPLICATE"],
  MissingSectionHeaderError: ["CONFIG_SYNTAX"],
  ParsingError: ["CONFIG_SYNTAX"],
  AttributeError: ["APP_WRONG_EXPORT"],
  ModuleNotFoundError: ["APP_LOAD_FAILED"],
  TypeError: ["APP_LOAD_FAILED"],
};

/** One row of the table in docs/paste.md: how propylon differs from PasteDeploy in an operation, and why. */
interface Difference {
  readonly here: string;
  readonly why: string;
}

/** By case and number of the operation. */
const DOCUMENTED: ReadonlyMap<string, Difference> = new Map(
  readFileSync(new URL("../../../docs/paste.md", import.meta.url), "utf8")
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .flatMap(([, , , here = "", why = "", operations = ""]) =>
      Array.from(operations.matchAll(/`(\d\d-[\w-]+\/\d+)`/g), ([, name]): [string, Difference] => [
        name!,
        { here, why },
      ]),
    ),
);

/** What comes of these operations instead: another result, another error, or the same with a warning. */
const DIFFERENCES: Readonly<Record<string, { result?: object; code?: string; warning?: RegExp }>> = {
  "03-local-shadowed-by-default/0": { warning: /\.ini:\d+ \[app:main\] debug: has no effect.*write "set debug = …"/ },
  "12-global-conf-arg/1": { result: { local_conf: { a: "8080", b: "from-call" } } },
  "13-global-conf-hides-local/1": { result: { tree: { local_conf: { host: "0.0.0.0", port: "5000" } } } },
  "31-filter-with-through-use/0": {
    result: { tree: { factory: "f1", app: { factory: "main", local_conf: { x: "outer" } } } },
  },
  "31-filter-with-through-use/2": { result: { order: ["filter:f2", "filter:f1", "app:main"] } },
  "43-loop/0": { code: "CONFIG_LOOP" },
  "51-use-a-pipeline/0": { warning: /\.ini:\d+ \[app:\w+\] \w+: has no effect on a used pipeline/ },
  "51-use-a-pipeline/1": { warning: /\.ini:\d+ \[app:\w+\] \w+: has no effect on a used filter-app/ },
};

const source = new URL("../../vectors/oracle/cases/", import.meta.url);
const files = readdirSync(source).filter((file) => file.endsWith(".json"));
let directory = "";

beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "propylon-oracle-")));
  cpSync(source, directory, { recursive: true });
  cpSync(new URL("../../support/oracleapp/", import.meta.url), join(directory, "node_modules", "oracleapp"), {
    recursive: true,
  });
});
afterAll(() => rmSync(directory, { recursive: true }));

async function perform(operation: Operation, uri: string, warnings: string[] = []): Promise<unknown> {
  const options: DescribeOptions = {
    log: { ...silentLogger, warn: (message) => void warnings.push(message) },
    name: operation.name,
    relativeTo: operation.relative_to === false ? undefined : directory,
    globalConf: operation.global_conf,
  };
  switch (operation.call) {
    case "loadapp":
      return treeOf(await loadApp(uri, options));
    case "loadserver":
      return treeOf(await (await loadServer(uri, options))({ type: "sentinel" }));
    case "loadfilter":
      return treeOf(await (await loadFilter(uri, options))({ type: "sentinel" }));
    case "appconfig": {
      const { globalConf, localConf, merged } = await appConfig(uri, options);
      return { global_conf: globalConf, local_conf: localConf, merged };
    }
  }
}

interface Tree {
  readonly type: string;
  readonly factory: string;
  readonly app?: Tree;
}

function treeOf(value: unknown): unknown {
  const order: string[] = [];
  for (let node = value as Tree | undefined; node !== undefined && node.type !== "sentinel"; node = node.app) {
    order.push(`${node.type}:${node.factory}`);
  }
  return { order, tree: value };
}

for (const file of files) {
  const { name, about, ops } = JSON.parse(readFileSync(new URL(file, source), "utf8")) as {
    name: string;
    about: string;
    ops: readonly Operation[];
  };
  describe(`PasteDeploy ${name}: ${about}`, () => {
    for (const [number, operation] of ops.entries()) {
      const uri = operation.uri ?? `config:${name}.ini`;
      const key = `${name}/${number}`;
      const difference = DIFFERENCES[key];
      const variables = operation.global_conf === undefined ? "" : ` with ${JSON.stringify(operation.global_conf)}`;
      const what = `${operation.call} ${uri}${operation.name === undefined ? "" : ` as ${operation.name}`}${variables}`;
      it(
        difference === undefined ? `${what} is the same` : `${what} differs: ${DOCUMENTED.get(key)?.here}`,
        async () => {
          const warnings: string[] = [];
          const outcome = await perform(operation, uri, warnings).catch((reason: unknown) => reason);
          const { warning, result, code } = difference ?? {};
          expect(warnings).toEqual(warning === undefined ? [] : [expect.stringMatching(warning)]);
          if (result !== undefined) {
            expect(outcome).toMatchObject(result);
            return;
          }
          const wanted: unknown = JSON.parse(JSON.stringify(operation.expect).replaceAll("{CASES}", directory));
          const { error } = wanted as { error?: { class: string } };
          if (error === undefined) {
            expect(outcome).toEqual(wanted);
            return;
          }
          expect(outcome).toBeInstanceOf(ConfigError);
          expect(code === undefined ? CODES[error.class] : [code]).toContain((outcome as ConfigError).code);
        },
      );
    }
  });
}

describe("docs/paste.md", () => {
  it("has each operation that differs in its table, with a reason, and no other", () => {
    expect([...DOCUMENTED.keys()].toSorted()).toEqual(Object.keys(DIFFERENCES).toSorted());
    for (const { here, why } of DOCUMENTED.values()) expect(here !== "" && why !== "").toBe(true);
  });
});
