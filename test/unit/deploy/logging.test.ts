import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { type RunningLogging, readLogging, startLogging } from "../../../src/deploy/logging.ts";
import { silentLogger } from "../../../src/log.ts";
import { getLogger } from "../../../src/logging/loggers.ts";
import { collectingLog } from "../../support/collecting-log.ts";

/** The logging sections of Pylons' template, its stream changed for a file. */
const PYLONS = `
[loggers]
keys = root, routes, wiki, sqlalchemy

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = INFO
handlers = console

[logger_routes]
level = INFO
handlers =
qualname = routes.middleware
# "level = DEBUG" logs the route matched and routing variables.

[logger_wiki]
level = DEBUG
handlers =
qualname = wiki

[logger_sqlalchemy]
level = WARN
handlers =
qualname = sqlalchemy.engine

[handler_console]
class = FileHandler
args = ('%(here)s/app.log', 'a')
level = NOTSET
formatter = generic

[formatter_generic]
format = %(asctime)s,%(msecs)03d %(levelname)-5.5s [%(name)s] [%(threadName)s] %(message)s
datefmt = %H:%M:%S
`;

/** Node cannot bind a socket of datagrams. */
const LISTENER = `
  socket(my $socket, PF_UNIX, SOCK_DGRAM, 0) or die;
  bind($socket, pack_sockaddr_un($ARGV[0])) or die;
  $| = 1;
  print "bound\\n";
  while (defined recv($socket, my $message, 65536, 0)) { print "$message\\n" }
`;
const hasTools =
  spawnSync("perl", ["-MSocket", "-e", "1"]).status === 0 && spawnSync("logger", ["--version"]).status === 0;

let directory = "";
let running: RunningLogging | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "propylon-logging-"));
});
afterEach(async () => {
  await running?.close();
  running = undefined;
  rmSync(directory, { recursive: true });
});

/** Gives what it says of itself. */
function begin(text: string, worker = 0): string[] {
  const path = join(directory, "app.ini");
  const said: string[] = [];
  writeFileSync(path, text);
  running = startLogging(readLogging(path, { files: new Map(), log: silentLogger }), worker, collectingLog(said));
  return said;
}

/** Of a file that is written by and by, after the loggers are closed. */
async function written(name = "app.log"): Promise<string[]> {
  await running!.close();
  running = undefined;
  return readFileSync(join(directory, name), "utf8").split("\n").slice(0, -1);
}

function refusal(text: string): string {
  try {
    begin(text);
    return "";
  } catch (error) {
    return String(error);
  }
}

describe("the logging sections of Pylons' template", () => {
  it("let pass what their levels say, by the nearest logger that has one", async () => {
    begin(PYLONS, 3);
    getLogger("wiki.pages").debug("saved %s", "Home");
    getLogger("wikipedia").debug("not ours");
    getLogger("sqlalchemy.engine.base").info("SELECT");
    getLogger("sqlalchemy.engine.base").warning("slow");
    getLogger().info("root", { a: 1 });
    getLogger().debug("no");
    const lines = await written();
    const bare = lines.map((line) => line.replace(/^\d\d:\d\d:\d\d,\d{3} /, ""));
    expect(bare).toEqual([
      "DEBUG [wiki.pages] [worker-3] saved Home",
      "WARNI [sqlalchemy.engine.base] [worker-3] slow",
      "INFO  [root] [worker-3] root { a: 1 }",
    ]);
  });

  it("take console as a logger, as long as they hold", async () => {
    begin(PYLONS);
    // oxlint-disable-next-line no-console
    console.warn("from %s", "console");
    // oxlint-disable-next-line no-console
    console.debug("below the root's level");
    expect((await written()).map((line) => line.slice(13))).toEqual(["WARNI [console] [MainThread] from console"]);
    // oxlint-disable-next-line no-console
    expect(console.warn).not.toThrow();
  });

  it("go on in a new file after a rename", async () => {
    begin(PYLONS);
    getLogger("wiki").info("before");
    await new Promise((resolve) => setTimeout(resolve, 50));
    renameSync(join(directory, "app.log"), join(directory, "app.log.1"));
    running!.reopen();
    getLogger("wiki").info("after");
    expect((await written())[0]).toContain("after");
    expect(readFileSync(join(directory, "app.log.1"), "utf8")).toContain("before");
  });

  it("write at once: a process that dies or hangs has said what it did last", () => {
    begin(PYLONS);
    getLogger("wiki").error("the last");
    expect(readFileSync(join(directory, "app.log"), "utf8")).toContain("the last");
  });

  it("tell whether a record would be made", () => {
    begin(PYLONS);
    expect(getLogger("wiki").isEnabledFor("DEBUG")).toBe(true);
    expect(getLogger("other").isEnabledFor("debug")).toBe(false);
    expect(getLogger("other").isEnabledFor(20)).toBe(true);
  });
});

describe("propagate = 0", () => {
  it("ends the way upwards", async () => {
    const own = PYLONS.replace("keys = console", "keys = console, own").replace(
      "handlers =\nqualname = wiki",
      "handlers = own\npropagate = 0\nqualname = wiki",
    );
    begin(`${own}\n[handler_own]\nclass = logging.FileHandler\nargs = ('own.log',)\nlevel = ERROR\n`);
    getLogger("wiki").error("own %d", 1);
    getLogger("wiki").info("too low for the handler");
    getLogger("wiki").critical(new Error("shown"));
    expect(await written()).toEqual([]);
    const lines = readFileSync(join(directory, "own.log"), "utf8");
    expect(lines).toMatch(/^own 1\nError: shown\n +at /);
    expect(lines).not.toContain("too low");
  });
});

describe("handlers", () => {
  const withHandler = (lines: string): string =>
    PYLONS.replace(/class = FileHandler\nargs = .*\n/, `${lines}\n`).replace("formatter = generic", "");

  it("rotate by size", async () => {
    begin(withHandler("class = handlers.RotatingFileHandler\nargs = ('app.log', 'a', 200, 2)"));
    for (let i = 0; i < 40; i++) getLogger("wiki").info("line %d ..................", i);
    expect(await written()).toContain("line 39 ..................");
    const files = readdirSync(directory).filter((name) => name.startsWith("app.log"));
    expect(files.toSorted()).toEqual(["app.log", "app.log.1", "app.log.2"]);
    expect(readFileSync(join(directory, "app.log.1"), "utf8").length).toBeLessThanOrEqual(200);
  });

  it("rotate by time", async () => {
    begin(
      withHandler("class = handlers.TimedRotatingFileHandler\nargs = ('app.log', 's', 1, 3)\nkwargs = {'utc': True}"),
    );
    getLogger("wiki").info("first");
    await new Promise((resolve) => setTimeout(resolve, 1100));
    getLogger("wiki").info("second");
    expect(await written()).toEqual(["second"]);
    const names = readdirSync(directory).filter((name) => /^app\.log\.\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d$/.test(name));
    expect(names.map((name) => readFileSync(join(directory, name), "utf8"))).toEqual(["first\n"]);
  });

  it("send to syslog", async () => {
    const server = createSocket("udp4").bind(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    begin(withHandler(`class = handlers.SysLogHandler\nargs = (('127.0.0.1', ${port}), 'local3')`));
    const heard = once(server, "message");
    getLogger("wiki").error("lost");
    const [message] = (await heard) as [Buffer];
    expect(String(message)).toBe("<155>lost");
    const closing = running!.close();
    expect(() => getLogger("wiki").error("too late")).not.toThrow();
    await closing;
    running = undefined;
    server.close();
  });

  it("send to syslog's socket on this machine", { skip: !hasTools }, async () => {
    const path = join(directory, "log");
    const listener = spawn("perl", ["-MSocket", "-e", LISTENER, path], { stdio: ["ignore", "pipe", "inherit"] });
    let heard = "";
    listener.stdout.on("data", (chunk: Buffer) => (heard += String(chunk)));
    await vi.waitUntil(() => heard.includes("bound"), { timeout: 10_000 });
    begin(withHandler(`class = handlers.SysLogHandler\nargs = ('${path}', 'local3')`));
    getLogger("wiki").error("lost");
    getLogger("wiki").warning(`two\nlines ${"x".repeat(3000)}`);
    await running!.close();
    running = undefined;
    await vi.waitUntil(() => heard.includes("xxx\n"), { timeout: 10_000 });
    const lines = heard.split("\n").slice(1, -1);
    expect(lines.map((line) => line.replace(/>.* propylon: /, ">"))).toEqual([
      ...["<155>lost", "<156>two", `<156>    lines ${"x".repeat(3000)}`],
    ]);
    listener.kill();
    await once(listener, "exit");
  });

  it("say once that syslog's socket is not there", { skip: !hasTools }, async () => {
    const said = begin(withHandler(`class = handlers.SysLogHandler\nargs = ('${join(directory, "none")}',)`));
    getLogger("wiki").error("lost");
    await vi.waitUntil(() => said.length > 0, { timeout: 10_000 });
    expect(said).toEqual([expect.stringMatching(/^cannot write to syslog at .*none: /)]);
  });

  it("say nothing at all, or JSON", async () => {
    begin(withHandler("class = NullHandler"));
    getLogger("wiki").error("nobody hears it");
    await running!.close();
    begin(PYLONS.replace(/format = .*\ndatefmt.*\n/, "class = propylon.JSONFormatter\n"));
    getLogger("wiki").error("heard");
    expect(JSON.parse((await written())[0]!)).toMatchObject({ level: "ERROR", logger: "wiki", message: "heard" });
  });
});

it("warns of a key that is nearly one of a logging section", () => {
  const warnings: string[] = [];
  const file = join(directory, "near.ini");
  writeFileSync(file, PYLONS.replace("qualname = wiki", "qualname = wiki\npropagat = 0\nnote = mine"));
  readLogging(file, { files: new Map(), log: collectingLog(warnings) });
  expect(warnings).toEqual([
    expect.stringMatching(/\[logger_wiki\] propagat: has no effect, did you mean "propagate"\?$/),
  ]);
});

describe("a fault in the logging sections", () => {
  it.for([
    ["a missing root", PYLONS.replace("root, routes", "routes"), /\[loggers\] keys: .*must contain root/],
    [
      "a missing section",
      PYLONS.replace("[logger_wiki]", "[logger_viki]"),
      /no \[logger_wiki\], did you mean \[logger_viki\]/,
    ],
    [
      "a misspelt list of handlers",
      PYLONS.replace("[handlers]", "[handler]"),
      /there is no handler "console": there is no section \[handlers\]/,
    ],
    ["a format without fields", PYLONS.replace(/format = .*/, "format = {message}"), /no field such as %\(message\)s/],
    [
      "a bad level",
      PYLONS.replace("level = DEBUG\n", "level = DEBG\n"),
      /\[logger_wiki\] level: .*did you mean "DEBUG"/,
    ],
    ["an unknown handler", PYLONS.replace("handlers = console", "handlers = consol"), /did you mean "console"/],
    ["an unknown formatter", PYLONS.replace("formatter = generic", "formatter = generc"), /did you mean "generic"/],
    [
      "an unknown class",
      PYLONS.replace("class = FileHandler", "class = FileHandlr"),
      /CONFIG_NOT_SUPPORTED.*FileHandlr, did you mean "FileHandler"\? \(there are StreamHandler/,
    ],
    [
      "code",
      PYLONS.replace("('%(here)s/app.log', 'a')", "(open('x'),)"),
      /\[handler_console\] args: open is no literal/,
    ],
    ["a mode that truncates", PYLONS.replace("'a')", "'w')"), /only the mode 'a'/],
    [
      "a format",
      PYLONS.replace("%(message)s", "%(massage)s"),
      /\[formatter_generic\] format: %\(massage\)s is no field/,
    ],
    ["a datefmt", PYLONS.replace("%H:%M:%S", "%Q"), /\[formatter_generic\] datefmt: %Q/],
    ["another style", `${PYLONS}style = {\n`, /CONFIG_NOT_SUPPORTED.*\[formatter_generic\] style/],
    ["a missing qualname", PYLONS.replace("qualname = wiki", ""), /"qualname" is missing/],
    [
      "a time to rotate",
      PYLONS.replace("FileHandler", "handlers.TimedRotatingFileHandler").replace("'a')", "'W0')"),
      /when is "W0"; there are S, M, H, D, MIDNIGHT/,
    ],
    ["too many arguments", PYLONS.replace("'a')", "'a', 'b', 'c', 'd')"), /there are 4 at most/],
    ["a class that is none", PYLONS.replace("FileHandler", "constructor"), /there is no handler class constructor/],
    ...["('localhost', 70000)", "('localhost', 0)", "('localhost', 5.5)"].map(
      (address) =>
        [
          `the address ${address}`,
          PYLONS.replace("FileHandler", "SysLogHandler").replace(/args = .*/, `args = (${address},)`),
          /CONFIG_BAD_VALUE.*the address is a host and a port/,
        ] as const,
    ),
    ...["24", "-1", "1.5", "'main'"].map(
      (facility) =>
        [
          `the facility ${facility}`,
          PYLONS.replace("FileHandler", "SysLogHandler").replace(
            /args = .*/,
            `args = (('localhost', 514), ${facility})`,
          ),
          /the facility is none/,
        ] as const,
    ),
    [
      "a socket of syslog by a path that is relative",
      PYLONS.replace("FileHandler", "SysLogHandler").replace(/args = .*/, "args = ('dev/log',)"),
      /'localhost', 514/,
    ],
  ] as const)("%s is told with its place", ([, text, message]) => {
    expect(refusal(text).replaceAll(directory, "")).toMatch(message);
    expect(refusal(text)).toMatch(/app\.ini:\d+/);
    expect(existsSync(join(directory, "app.log"))).toBe(false);
  });

  it("of a file that cannot be opened says where its handler stands", () => {
    expect(refusal(PYLONS.replace("%(here)s/app.log", "%(here)s/none/app.log"))).toMatch(
      /CONFIG_BAD_VALUE: .*app\.ini:\d+ \[handler_console\] args: its file cannot be opened: ENOENT/,
    );
  });

  it("is none where there are no loggers", () => {
    expect(refusal("[app:main]\nuse = egg:x\n")).toBe("");
  });
});
