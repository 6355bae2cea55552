import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Backends } from "../support/backends.ts";
import { type Front, isRunnable, type ServerName } from "../support/front.ts";
import { type Answer, call } from "../support/http-client.ts";
import { type Configuration, CONFIGURATIONS, SPAWNED, VARIANTS } from "./configurations.ts";
import { type App, APPS, type Row, ROWS } from "./request-table.ts";

type Headers = Record<string, string>;

/** How the bytes travel, when, and what a front says of itself. */
const NOT_COMPARED = new Set([
  ...["date", "connection", "keep-alive", "transfer-encoding", "content-length"],
  ...["server", "via"],
]);

/** What a front does to the headers of any answer, done to the expected ones. */
const FRONT_CHANGES: Record<ServerName, (expected: Headers, got: Headers, status: number) => void> = {
  // No type where there is no body, but behind mod_proxy_ajp.
  apache: (expected, got, status) => {
    const bodiless = status === 204 || status === 304;
    if (bodiless && got["content-type"] === undefined) delete expected["content-type"];
  },
  // It cuts ranges out of an answer by itself, and leaves out a header without a value.
  lighttpd: (expected, got) => {
    if (got["accept-ranges"] === "bytes") expected["accept-ranges"] = "bytes";
    for (const name of Object.keys(expected)) if (expected[name] === "") delete expected[name];
  },
  nginx: () => {},
  // It guesses a type where there is none, and leaves out the one of a 304.
  caddy: (expected, got, status) => {
    if (expected["content-type"] === undefined) delete got["content-type"];
    if (status === 304) delete expected["content-type"];
  },
  h2o: () => {},
  haproxy: () => {},
};

const PREFIXES = ["", "/james", "/app.fcgi"] as const;

const backends = new Backends();
const nodeHttp = new Map<string, string>();

beforeAll(async () => {
  // The pools of workers one after the other.
  await backends.start(IN_ONE_THREAD);
  const ports = await backends.apps.listen(PREFIXES.map((mount) => ({ protocol: "http", mount })));
  PREFIXES.forEach((prefix, i) => nodeHttp.set(prefix, `http://127.0.0.1:${ports[i]}`));
});

afterAll(() => backends.stop());

interface Asked extends Configuration {
  readonly mode?: "thread" | "fork";
  readonly apps: readonly App[];
}

const IN_ONE_THREAD: readonly Asked[] = [
  // All apps behind each web server over each protocol and transport, at the root over one and below a path over the other.
  ...CONFIGURATIONS.map((each, i) => {
    const whole = (each.transport === "unix") === (each.prefix === "");
    return { ...each, apps: whole ? APPS : [APPS[i % APPS.length]!] };
  }),
  // What another way or place changes does not depend on the app: one each, in turn. Without that of HAProxy's issue 2568: a few
  // POSTs in a hundred are answered 500.
  ...[...VARIANTS, ...SPAWNED]
    .filter(({ multiplexed }) => multiplexed === undefined)
    .map((each, i) => ({ ...each, apps: each.connector === "mod_jk" ? APPS : [APPS[i % APPS.length]!] })),
];
/** With workers: each protocol over both transports, behind one web server or another. */
const WITH_WORKERS: ReadonlySet<string> = new Set([
  "nginx fastcgi unix /",
  "apache fastcgi tcp /james",
  "lighttpd scgi tcp /james",
  "nginx scgi unix /",
  "apache ajp tcp /james",
  "lighttpd ajp unix /",
]);
const ASKED: readonly Asked[] = [
  ...IN_ONE_THREAD,
  ...(["thread", "fork"] as const).flatMap((mode) =>
    IN_ONE_THREAD.filter(({ title }) => WITH_WORKERS.has(title)).map((each) => ({
      ...each,
      mode,
      title: `${each.title}, ${mode} mode`,
    })),
  ),
];

describe.each(ASKED.map((each) => [each.title, each] as const))("%s", (_title, configuration) => {
  let front: Front;

  describe.skipIf(!isRunnable(configuration))("answers as node http does", () => {
    beforeAll(async () => {
      front = await backends.front(configuration);
    });
    afterAll(() => front?.stop());

    // mod_fcgid starts a process for each request that comes while the others are busy.
    const lanes = configuration.connector === "mod_fcgid" ? 1 : 6;
    it.each(configuration.apps)("to the whole table, in %s", async (app) => {
      const differences: string[] = [];
      await eachOf(ROWS, lanes, async (row) => {
        if (row.not?.includes(app) === true || row.frontDiffers?.(configuration) !== undefined) return;
        const difference = await Promise.all([
          askNode(configuration.prefix, app, row),
          ask(front.url, configuration.prefix, app, row),
        ]).then(([expected, got]) => compare(expected, got, configuration), String);
        if (difference !== undefined) differences.push(`${row.title}: ${difference}`);
      });
      expect(differences).toEqual([]);
    });
  });
});

it("has at least sixty requests for each app", () => {
  for (const app of APPS) {
    expect(ROWS.filter((row) => row.not?.includes(app) !== true).length).toBeGreaterThanOrEqual(60);
  }
});

/** Runs `task` for each item, so many at a time. */
async function eachOf<T>(items: readonly T[], lanes: number, task: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const lane = async (): Promise<void> => {
    for (const item of left) await task(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** Node http is asked once for each row; its answers do not change. */
const known = new Map<string, Promise<Answer>>();

function askNode(prefix: string, app: App, row: Row): Promise<Answer> {
  const key = `${prefix} ${app} ${row.title}`;
  let answer = known.get(key);
  if (answer === undefined) known.set(key, (answer = ask(nodeHttp.get(prefix)!, prefix, app, row)));
  return answer;
}

function ask(origin: string, prefix: string, app: App, row: Row): Promise<Answer> {
  return call(origin, { ...row, path: prefix + row.path, headers: ["X-App", app, ...(row.headers ?? [])] });
}

function compare(expected: Answer, got: Answer, { server }: Configuration): string | undefined {
  if (got.status !== expected.status) {
    return `status ${got.status}, expected ${expected.status}; body ${JSON.stringify(String(got.body.subarray(0, 200)))}`;
  }
  if (got.complete !== expected.complete) return `complete: ${got.complete}, expected ${expected.complete}`;
  const [a, b] = [comparable(expected), comparable(got)];
  FRONT_CHANGES[server](a, b, got.status);
  const wrong = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => a[name] !== b[name]);
  if (wrong.length > 0) {
    return wrong.map((name) => `${name} is ${show(b[name])}, expected ${show(a[name])}`).join("; ");
  }
  if (!got.body.equals(expected.body)) {
    return `body ${show(String(got.body.subarray(0, 300)))}, expected ${show(String(expected.body.subarray(0, 300)))}`;
  }
  return undefined;
}

/** Repeats are joined, but for Set-Cookie, which may not be: some fronts do the same. */
function comparable({ headers }: Answer): Headers {
  const all: Headers = {};
  for (const [name, value] of headers) {
    if (NOT_COMPARED.has(name)) continue;
    const separator = name === "set-cookie" ? "\n" : ", ";
    all[name] = name in all ? all[name] + separator + value : value;
  }
  return all;
}

function show(value: string | undefined): string {
  return JSON.stringify(value) ?? "absent";
}
