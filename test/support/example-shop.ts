/** Runs the code examples for real: each page in a directory of its own, from which the built package is found. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type IncomingMessage, get } from "node:http";
import { createRequire } from "node:module";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";

import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { type Example, type Page, ROOT, shellLines, words } from "./examples.ts";
import { freePort } from "./front.ts";
import { until } from "./supervised.ts";

/** Is there once the program hears signals, as `NOTE` sees to. */
const HEARS = "run/hears-sigterm";
const NOTE = `process.on("newListener", (name) => {
  if (name === "SIGTERM") process.getBuiltinModule("node:fs").writeFileSync("${HEARS}", "");
});`;
const BIN = join(ROOT, "bin/propylon.js");
/** `// GET /page as ada: the answer`. */
const ASKED = /^\/\/ GET (\S+)(?: as (\w+))?: (.+)$/gm;
/** `console.log(…); // what it prints`. */
const PRINTED = /console\.log\(.*\).* \/\/ (.+)$/gm;
/** `log.warning(…); // the line on standard error`. */
const LOGGED = /^log\.\w+\(.*\); \/\/ (.+)$/gm;

/** Commands that are not run, each with the reason. */
const NOT_RUN: readonly { readonly command: RegExp; readonly reason: string }[] = [
  { command: /^npm (?:ci|run build)$/, reason: "whoever runs this test has done it" },
  { command: /^npm test$/, reason: "this is a part of it, and create.test.ts runs that of a new app" },
  { command: /^npm run demo$/, reason: "demo.test.ts runs it" },
  { command: /^npm run docs$/, reason: "site.test.ts and create.test.ts do" },
  { command: /^npm install$|^npm pack$/, reason: "create.test.ts does it" },
  { command: /^npm install \S+$/, reason: "it asks a registry; five-wikis.test.ts does it with the packed packages" },
];

/** Why a command is not run; null for one that is. */
export function whyNotRun(command: string): string | null {
  return NOT_RUN.find((each) => each.command.test(command))?.reason ?? null;
}

export interface Outcome {
  readonly output: string;
  readonly expected: string;
}

/** White space makes no difference. */
const plain = (lines: readonly string[]): string => lines.join(" ").replaceAll(/\s+/g, " ").trim();

export class Shop {
  readonly root: string = realpathSync(mkdtempSync(join(tmpdir(), "propylon-examples-")));
  readonly #directories = new Map<string, string>();
  readonly #servers: { readonly child: ChildProcess; readonly output: Output }[] = [];
  readonly #ports = new Map<string, Readonly<Record<string, number>>>();
  /** What the compiler found wrong: a line for each fault, which begins with the file. */
  #faults = "";

  /** Writes all examples down and compiles those in TypeScript. */
  async open(pages: readonly Page[]): Promise<void> {
    const modules = join(this.root, "node_modules");
    mkdirSync(modules);
    symlinkSync(ROOT, join(modules, "propylon"));
    for (const used of ["@types", "ws"]) symlinkSync(join(ROOT, "node_modules", used), join(modules, used));
    cpSync(join(ROOT, "examples/wiki"), join(modules, "wiki"), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(modules, "wiki/node_modules"));
    writeFileSync(join(this.root, "package.json"), '{ "type": "module" }\n');
    for (const [number, page] of pages.entries()) await this.#lay(page, join(this.root, String(number)));
    const compilerOptions = {
      noEmit: false,
      allowImportingTsExtensions: false,
      rootDir: ".",
      typeRoots: ["node_modules/@types"],
    };
    const project = { extends: join(ROOT, "tsconfig.json"), compilerOptions, include: ["*/*.ts"] };
    writeFileSync(join(this.root, "tsconfig.json"), JSON.stringify(project));
    const tsc = createRequire(import.meta.url).resolve("typescript/package.json");
    // It names files as they are seen from where it is started.
    const options = { cwd: this.root };
    this.#faults = await promisify(execFile)(
      process.execPath,
      [join(dirname(tsc), "bin/tsc"), "-p", "."],
      options,
    ).then(
      () => "",
      ({ stdout }: { stdout: string }) => stdout,
    );
  }

  close(): void {
    for (const { child } of this.#servers) child.kill("SIGKILL");
    rmSync(this.root, { recursive: true, force: true });
  }

  /** What the compiler says of an example. */
  faultsOf(page: Page, example: Example): string {
    const name = this.#fileOf(page, example, "ts").slice(this.root.length + 1);
    return this.#faults
      .split("\n")
      .filter((line) => line.startsWith(name))
      .join("\n");
  }

  /** Runs a module to its end, or asks the server that it starts and ends it by SIGTERM. */
  async run(page: Page, example: Example): Promise<Outcome> {
    const code = this.#fill(page, example.code);
    const requests = Array.from(code.matchAll(ASKED), ([, url, user, body]) => ({ url: url!, user, body: body! }));
    const printed = Array.from(code.matchAll(PRINTED), ([, line]) => line!);
    const logged = Array.from(code.matchAll(LOGGED), ([, line]) => line!);
    if (requests.length + printed.length + logged.length === 0) throw new Error("nothing that could be checked");
    const directory = this.directoryOf(page);
    rmSync(join(directory, HEARS), { force: true });
    const child = this.#spawn(directory, process.execPath, [
      "--import",
      `data:text/javascript,${encodeURIComponent(NOTE)}`,
      this.#fileOf(page, example, "js"),
    ]);
    const output = collect(child);
    const closesItself = requests.length === 0 || code.includes("SIGTERM");
    try {
      const bodies: string[] = [];
      for (const { url, user } of requests) {
        const path = join(directory, "run/app.sock");
        await until(
          async () => child.exitCode !== null || (await connects(path)),
          () => output.text,
        );
        if (child.exitCode !== null) break;
        bodies.push(await ask(path, url, user));
      }
      if (requests.length > 0) {
        // The server may answer before its program has come so far.
        if (closesItself)
          await until(
            () => existsSync(join(directory, HEARS)),
            () => output.text,
          );
        child.kill("SIGTERM");
      }
      const [status, signal] = await output.closed;
      if (closesItself ? status !== 0 : signal !== "SIGTERM") {
        throw new Error(`ended with ${status ?? signal}: ${output.text}`);
      }
      const errors = logged.length === 0 ? [] : [output.err];
      return {
        output: plain([...bodies, output.out, ...errors]),
        expected: plain([...requests.map(({ body }) => body), ...printed, ...logged]),
      };
    } finally {
      child.kill("SIGKILL");
    }
  }

  /** Runs the lines of a shell example. Servers go on beside what follows, until `stopServers`. */
  async shell(page: Page, example: Example): Promise<Outcome> {
    const result = { output: [] as string[], expected: [] as string[] };
    let directory = this.directoryOf(page);
    for (const { command: line, note } of shellLines(this.#fill(page, example.code))) {
      for (const command of line.split(" && ")) {
        if (command.startsWith("cd ")) {
          directory = resolve(directory, command.slice("cd ".length));
          if (!existsSync(directory)) throw new Error(`there is no directory ${directory}`);
        } else if (command.startsWith("curl ")) {
          result.output.push(await curl(words(command)));
          result.expected.push(note);
        } else if (whyNotRun(command) === null) {
          await this.#command(directory, command);
        }
      }
    }
    return { output: plain(result.output), expected: plain(result.expected) };
  }

  /** Ends the servers of shell examples by SIGTERM. */
  async stopServers(): Promise<void> {
    for (const { child, output } of this.#servers.splice(0)) {
      child.kill("SIGTERM");
      const [code] = await output.closed;
      if (code !== 0) throw new Error(`a server ended with ${code}: ${output.text}`);
    }
  }

  /** What a command of npm needs in its directory, and does not find; null for nothing. */
  lacks(page: Page, command: string, folder: string): string | null {
    const [, verb = "", what = verb] = words(this.#fill(page, command)).filter((word) => word !== "run");
    const own = resolve(this.directoryOf(page), this.#fill(page, folder));
    const directory = existsSync(join(own, "package.json")) ? own : ROOT;
    const { scripts } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as { scripts: object };
    if (verb === "ci") return existsSync(join(directory, "package-lock.json")) ? null : "package-lock.json";
    if (verb === "pack" || what === "install") return null;
    if (verb !== "install") return what in scripts ? null : `the script ${what}`;
    return existsSync(resolve(this.root, "node_modules", what)) ? null : what;
  }

  directoryOf(page: Page): string {
    return this.#directories.get(page.name)!;
  }

  /** The page's files, those of examples/hello, and every other module under a name of its own. */
  async #lay(page: Page, directory: string): Promise<void> {
    mkdirSync(join(directory, "run"), { recursive: true });
    this.#directories.set(page.name, directory);
    this.#ports.set(page.name, { 8080: await freePort(), 6500: await freePort(), 4000: await freePort() });
    for (const name of ["app.js", "hello.ini"]) {
      const text = this.#fill(page, readFileSync(join(ROOT, "examples/hello", name), "utf8"));
      mkdirSync(join(directory, "examples/hello"), { recursive: true });
      writeFileSync(join(directory, "examples/hello", name), text);
      if (page.name.startsWith("src/")) writeFileSync(join(directory, name), text);
    }
    for (const example of page.examples) {
      const code = this.#fill(page, example.code);
      if (example.file !== null) {
        if (!/^(?:apache-)?examples\//.test(example.file)) writeFileSync(join(directory, example.file), code);
      } else if (example.language === "ts" || example.language === "js") {
        writeFileSync(this.#fileOf(page, example, example.language), code);
      }
    }
  }

  #fileOf(page: Page, example: Example, extension: "js" | "ts"): string {
    const name = example.code.includes("require(") ? "cjs" : extension;
    return join(this.directoryOf(page), `example-${page.examples.indexOf(example)}.${name}`);
  }

  /** What stands in the examples for something of the reader's. */
  #fill(page: Page, code: string): string {
    const directory = this.directoryOf(page);
    const ports = this.#ports.get(page.name)!;
    return code
      .replaceAll("/run/propylon", join(directory, "run"))
      .replaceAll("/path/to/your/project", directory)
      .replaceAll("/path/to/propylon", ROOT)
      .replaceAll("www-data", String(process.getgid?.()))
      .replaceAll(/\b(?:8080|6500|4000)\b/g, (port) => String(ports[port]));
  }

  /** Resolves when it has ended well, or serves. */
  async #command(directory: string, command: string): Promise<void> {
    const [, call] = /^(?:npx )?propylon (.*)$/.exec(command) ?? [];
    const child =
      call === undefined
        ? this.#spawn(directory, "sh", ["-ec", `sudo() { "$@"; }; ${command}`])
        : this.#spawn(directory, process.execPath, [BIN, ...words(call)]);
    const output = collect(child);
    await until(
      () => child.exitCode !== null || /^Serving /m.test(output.text),
      () => `${command}: ${output.text}`,
    );
    if (child.exitCode === null) {
      const [, path] = /^Serving FastCGI on (\/\S+)/m.exec(output.text) ?? [];
      this.#servers.push({ child, output });
      if (path !== undefined) await ask(path, "/");
      return;
    }
    await output.closed;
    if (child.exitCode !== 0) throw new Error(`${command} ended with ${child.exitCode}: ${output.text}`);
  }

  #spawn(cwd: string, command: string, args: readonly string[]): ChildProcess {
    const PATH = [dirname(process.execPath), process.env["PATH"]].join(delimiter);
    const env = {
      ...process.env,
      PATH,
      USER: String(process.getuid?.()),
      NODE_OPTIONS: "",
      npm_config_cache: join(this.root, ".npm"),
    };
    return spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  }
}

interface Output {
  out: string;
  err: string;
  /** Both, as they came. */
  text: string;
  /** Resolves when all of it has come. */
  readonly closed: Promise<[code: number | null, signal: string | null]>;
}

function collect(child: ChildProcess): Output {
  const closed = once(child, "close") as Output["closed"];
  const output: Output = { out: "", err: "", text: "", closed };
  for (const name of ["out", "err"] as const) {
    child[`std${name}`]!.on("data", (chunk: Buffer) => {
      output[name] += String(chunk);
      output.text += String(chunk);
    });
  }
  return output;
}

async function connects(path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  const socket = createConnection(path);
  return await new Promise((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** The body of a good answer. */
async function ask(path: string, url: string, user?: string): Promise<string> {
  const variables = {
    ...{ REQUEST_METHOD: "GET", REQUEST_URI: url, SCRIPT_NAME: "", PATH_INFO: url.split("?", 1)[0]!, QUERY_STRING: "" },
    ...{ SERVER_PROTOCOL: "HTTP/1.1", HTTP_HOST: "www.example.org", REMOTE_ADDR: "127.0.0.1" },
    ...(user === undefined ? {} : { REMOTE_USER: user }),
  };
  const answer = await fastCgiRequest({ path }, { params: Object.entries(variables) });
  const body = await text(answer.body);
  if (answer.status >= 400) throw new Error(`GET ${url} was answered ${answer.status}: ${body}`);
  return body;
}

/** `curl [-H "Name: value"] URL`. */
async function curl(args: readonly string[]): Promise<string> {
  const header = args.includes("-H") ? args[args.indexOf("-H") + 1]!.split(": ", 2) : [];
  const headers = header.length === 2 ? { [header[0]!]: header[1]! } : {};
  const [answer] = (await once(get(args.at(-1)!, { headers, agent: false }), "response")) as [IncomingMessage];
  return await text(answer);
}
