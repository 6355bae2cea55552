/**
 * The wiki behind FastCGI, in one command:
 *
 *     npm run demo                                   propylon's own small front
 *     npm run demo -- --front apache                 a real web server, from the example files: apache, lighttpd, nginx,
 *                                                    caddy, h2o or haproxy
 *     npm run demo -- --mount /james                 the wiki below a path
 *
 * Installs and builds what is missing, works in a temporary directory, prints the address, ends with Ctrl-C.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const FIRST_PORT = 8080;
const START_TIMEOUT = 15_000;
const STOP_TIMEOUT = 5_000;

/** With FastCGI over a Unix socket; `*` is the mount. */
const EXAMPLES = {
  apache: "apache-examples/mod_proxy_fcgi-unix*.conf",
  lighttpd: "examples/lighttpd/fastcgi-unix*.conf",
  nginx: "examples/nginx/fastcgi-unix*.conf",
  caddy: "examples/caddy/fastcgi-unix*.Caddyfile",
  h2o: "examples/h2o/fastcgi-unix*.yaml",
  haproxy: "examples/haproxy/fastcgi-unix*.cfg",
};

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: options } = parseArgs({
  options: { front: { type: "string", default: "own" }, mount: { type: "string", default: "/" } },
});

/** Ends what has been started, each on its own. */
const running = [];
let directory;
let ending;

async function main() {
  const example = options.front === "own" ? null : exampleFile();
  await prepare();
  directory = await mkdtemp(join(tmpdir(), "propylon-demo-"));
  // A real web server's own user must reach the socket.
  await chmod(directory, 0o755);
  const socket = join(directory, "app.sock");
  await startGateway(socket);
  const url = await startFront(socket, example);
  await untilTrue(async () => (await fetch(url)).status === 200, `${url} does not answer`);
  if (ending === undefined) console.log(`The wiki is running. Ctrl-C ends it.\n${url}`);
}

async function prepare() {
  if ((await changed(join(root, "node_modules"))) === 0) await run("npm", ["ci"]);
  const built = await changed(join(root, "dist/commands/main.js"));
  if (built < (await newest(join(root, "src")))) await run("npm", ["run", "build"]);
}

/** `propylon serve`, with the wiki's own .ini file and a new database. */
async function startGateway(socket) {
  const file = join(directory, "demo.ini");
  await writeFile(
    file,
    `[server:main]
use = package:propylon#fcgi
socket = ${socket}
socket_mode = 0666
mount = ${options.mount}

[app:main]
use = config:${join(root, "examples/wiki/wiki.ini")}
database = ${join(directory, "wiki.db")}
pictures = ${join(directory, "pictures")}
`,
  );
  const child = spawn(process.execPath, [join(root, "bin/propylon.js"), "serve", file], { stdio: "inherit" });
  const exited = once(child, "exit");
  running.push(async () => {
    // Ctrl-C has reached it already; a second signal cuts off what it is finishing, such as a stream without an end.
    const terms = [500, 1500].map((after) => setTimeout(() => child.kill("SIGTERM"), after));
    const kill = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT);
    await exited;
    for (const timer of [...terms, kill]) clearTimeout(timer);
  });
  void exited.then(([code]) => {
    if (ending !== undefined) return;
    console.error(`propylon has ended (${code})`);
    end(1);
  });
  await untilTrue(() => connects({ path: socket }), "propylon did not start");
}

/** Resolves with the address of the wiki. */
async function startFront(socket, example) {
  const port = await freePort();
  const path = options.mount === "/" ? "/" : `${options.mount}/`;
  if (example !== null) {
    const { startWebServer } = await import("./web-server.mjs");
    const server = await startWebServer({
      name: options.front,
      config: example,
      values: { PORT: port, SOCKET: socket },
    });
    running.push(server.stop);
    return server.url + path;
  }
  const { createFront } = await import(pathToFileURL(join(root, "dist/front/front.js")).href);
  const hint = "npx propylon serve examples/wiki/wiki.ini";
  const front = createFront({ target: { path: socket }, mount: options.mount, hint, log: console.error });
  front.listen(port, "127.0.0.1");
  await once(front, "listening");
  running.push(async () => {
    front.close();
    front.closeAllConnections();
  });
  return `http://127.0.0.1:${port}${path}`;
}

/** The example file of a real web server for this mount. */
function exampleFile() {
  const file = EXAMPLES[options.front];
  if (file === undefined) throw new Error(`--front is own, ${Object.keys(EXAMPLES).join(", ")}; not ${options.front}`);
  if (options.mount !== "/" && options.mount !== "/james") throw new Error("the example files know / and /james");
  return join(root, file.replace("*", options.mount === "/" ? "" : "-james"));
}

/** Ends everything, at once: Apache waits for the gateway's answers, and the gateway for Apache to take them. */
function end(code) {
  ending ??= (async () => {
    await stopAll();
    // What was just being started has seen `ending` by now, or been started.
    await started.catch(() => {});
    await stopAll();
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    process.exit(code);
  })();
}

function stopAll() {
  return Promise.all(running.splice(0).map((stop) => stop()));
}

async function run(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} failed`);
}

/** When a file or directory was last changed; 0 if it is not there. */
function changed(path) {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

async function newest(directory) {
  const entries = await readdir(directory, { recursive: true });
  return Math.max(...(await Promise.all(entries.map((entry) => changed(join(directory, entry))))));
}

async function untilTrue(condition, otherwise) {
  const deadline = Date.now() + START_TIMEOUT;
  while (!(await condition())) {
    if (ending !== undefined || Date.now() > deadline) throw new Error(otherwise);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function connects(address) {
  return new Promise((resolve) => {
    const socket = createConnection(address, () => resolve(true)).on("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

async function freePort() {
  let port = FIRST_PORT;
  while (await connects({ host: "127.0.0.1", port })) port += 1;
  return port;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => end(0));
const started = main();
started.catch((error) => {
  if (ending === undefined) console.error(error.message);
  end(1);
});
