import { cpSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { appConfig, loadApp, loadFilter, loadServer } from "../../../src/deploy/load.ts";
import type { DescribeOptions } from "../../../src/deploy/loader.ts";
import { ConfigError } from "../../../src/errors.ts";

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
  RecursionError: ["CONFIG_LOOP"],
  AttributeError: ["APP_WRONG_EXPORT"],
  ModuleNotFoundError: ["APP_LOAD_FAILED"],
  TypeError: ["APP_LOAD_FAILED"],
};

/** Where we differ from PasteDeploy on purpose. Key: case and number of the operation. */
const DIFFERENCES: Record<string, { readonly reason: string; readonly expect: unknown }> = {
  "12-global-conf-arg/1": {
    reason: "the caller wins over [DEFAULT] in %(name)s as it does in globalConf",
    expect: { local_conf: { a: "8080", b: "from-call" } },
  },
  "13-global-conf-hides-local/1": {
    reason: "a variable of the caller takes no option away from a section",
    expect: { tree: { local_conf: { host: "0.0.0.0", port: "5000" } } },
  },
  "31-filter-with-through-use/0": {
    reason: "options over a section with filter-with reach what the filter wraps",
    expect: { tree: { factory: "f1", app: { factory: "main", local_conf: { x: "outer" } } } },
  },
  "31-filter-with-through-use/2": {
    reason: "filter-with over filter-with gives an app",
    expect: { order: ["filter:f2", "filter:f1", "app:main"] },
  },
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

async function perform(operation: Operation, uri: string): Promise<unknown> {
  const options: DescribeOptions = {
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
      const difference = DIFFERENCES[`${name}/${number}`];
      const variables = operation.global_conf === undefined ? "" : ` with ${JSON.stringify(operation.global_conf)}`;
      const what = `${operation.call} ${uri}${operation.name === undefined ? "" : ` as ${operation.name}`}${variables}`;
      it(difference === undefined ? `${what} is the same` : `${what} differs: ${difference.reason}`, async () => {
        if (difference !== undefined) {
          expect(await perform(operation, uri)).toMatchObject(difference.expect as object);
          return;
        }
        const wanted: unknown = JSON.parse(JSON.stringify(operation.expect).replaceAll("{CASES}", directory));
        const { error } = wanted as { error?: { class: string } };
        if (error === undefined) {
          expect(await perform(operation, uri)).toEqual(wanted);
          return;
        }
        const thrown = await perform(operation, uri).catch((reason: unknown) => reason);
        expect(thrown).toBeInstanceOf(ConfigError);
        expect(CODES[error.class]).toContain((thrown as ConfigError).code);
      });
    }
  });
}
