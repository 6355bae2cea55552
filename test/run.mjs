/**
 * Everything from a fresh clone: installs what is missing, builds, runs the core tests (units, properties, interop, one
 * fault in each mode) and the ones with real web servers; the last line counts.
 *
 *     npm test             on this Node
 *     npm run test:all     the core tests on all newer Nodes too, as with CI=true
 *     npm run test:node    the core tests alone, on whatever Node runs it
 */
import { spawn, spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { delimiter, isAbsolute, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);

const { CI } = process.env;
const allNodes = (CI !== undefined && CI !== "" && CI !== "false") || process.argv.includes("--all-nodes");
const coreOnly = process.argv.includes("--core");

/** Debian package, and the program or the file by which it shows. */
const PACKAGES = {
  ...{ apache2: "apache2", lighttpd: "lighttpd", nginx: "nginx", caddy: "caddy", h2o: "h2o", haproxy: "haproxy" },
  chromium: "chromium",
  iproute2: "ip",
  ...{ "spawn-fcgi": "spawn-fcgi", systemd: "systemd-notify" },
  "libapache2-mod-auth-openidc": "/usr/lib/apache2/modules/mod_auth_openidc.so",
  "libapache2-mod-fcgid": "/usr/lib/apache2/modules/mod_fcgid.so",
  "libapache2-mod-jk": "/usr/lib/apache2/modules/mod_jk.so",
  "libapache2-mod-xsendfile": "/usr/lib/apache2/modules/mod_xsendfile.so",
  "lighttpd-mod-openssl": "/usr/lib/lighttpd/mod_openssl.so",
};
/** Majors beside the one that runs this file, as the npm package `node` has them. */
const OTHER_NODES = [22, 24, 26].filter((major) => major !== Number(process.versions.node.split(".")[0]));
/** A Node that hangs is a failure, not a pause. */
const CORE_TIMEOUT = 8 * 60_000;
const E2E_TIMEOUT = 15 * 60_000;

const total = { passed: 0, failed: 0, skipped: 0 };
let reports;
try {
  if (!existsSync(join("node_modules", "vitest"))) must("npm", ["ci"]);
  reports = mkdtempSync(join("node_modules", ".tests-"));
  const complete = !coreOnly && installWebServers();
  must("npm", ["run", "build"]);
  await inLanes(3, [
    ...(coreOnly ? [] : [async () => await vitest("waiting", process.execPath, "waiting", E2E_TIMEOUT)]),
    async () => await vitest("core", process.execPath, "core", CORE_TIMEOUT),
    ...(allNodes && !coreOnly ? OTHER_NODES : []).map((major) => async () => await coreOn(major)),
    ...(coreOnly ? [] : ["e2e", "commands"]).map(
      (project) => async () => await vitest(project, process.execPath, project, E2E_TIMEOUT),
    ),
  ]);
  if (!coreOnly) {
    checkMatrix(complete);
    // They watch the clock, and load the machine by themselves.
    await vitest("workers", process.execPath, "workers", E2E_TIMEOUT);
  }
} catch (error) {
  console.log(error.message);
  total.failed += 1;
} finally {
  if (reports !== undefined) rmSync(reports, { recursive: true, force: true });
}

const skipped = total.skipped === 0 ? "" : `, ${total.skipped} skipped`;
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed === 0 ? 0 : 1;

/**
 * One run of one project; what it prints is shown when it is over. Its totals come from the JSON report, so that a run
 * that died counts as a failure.
 */
async function vitest(title, node, project, timeout) {
  const report = join(reports, `${title}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const run = spawn(node, [join("node_modules", "vitest", "vitest.mjs"), "run", "--project", project, ...reporters], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout,
  });
  const [output, [code, signal]] = await Promise.all([text(run.stdout), once(run, "exit")]);
  console.log(`\n== ${title}: vitest --project ${project}\n${output}`);
  let counts;
  try {
    counts = JSON.parse(readFileSync(report, "utf8"));
  } catch {
    console.log(`${title}: no report; exit ${code ?? signal}`);
    total.failed += 1;
    return;
  }
  total.passed += counts.numPassedTests;
  total.skipped += counts.numPendingTests + counts.numTodoTests;
  // A file that cannot be loaded, or an error beside the tests, fails the run without a failed test.
  total.failed += counts.numFailedTests || (code === 0 ? 0 : 1);
}

/** Some at a time: they wait for processes and sockets more than they compute. */
async function inLanes(count, tasks) {
  const waiting = [...tasks];
  const lane = async () => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) await task();
  };
  await Promise.all(Array.from({ length: count }, lane));
}

/** The npm package `node` brings the binary. A Node that cannot be had is a skip that nobody overlooks. */
async function coreOn(major) {
  const home = join(root, "node_modules", ".cache", "nodes", String(major));
  const node = join(home, "node_modules", "node", "bin", "node");
  if (!existsSync(node)) {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "package.json"), '{ "private": true }\n');
    run("npm", ["install", "--prefix", home, "--no-audit", "--no-fund", `node@${major}`]);
  }
  if (!existsSync(node)) {
    console.log(`\n== SKIPPED: the core tests on Node ${major}, since npm could not install node@${major}`);
    total.skipped += 1;
    return;
  }
  await vitest(`core on Node ${major}`, node, "core", CORE_TIMEOUT);
}

/** docs/matrix.md says what the tests find out: that is one more test, of all web servers together. */
function checkMatrix(complete) {
  if (!complete) {
    console.log("\n== SKIPPED: docs/matrix.md, since it is about all of the web servers");
    total.skipped += 1;
    return;
  }
  const status = run(process.execPath, [join("docs", "matrix.mjs"), "--check", join(reports, "e2e.json")]);
  total[status === 0 ? "passed" : "failed"] += 1;
}

/** False if some are missing. Does not start anything: the tests start their own servers, in scratch directories. */
function installWebServers() {
  const missing = Object.keys(PACKAGES).filter((name) => !installed(PACKAGES[name]));
  if (missing.length === 0) return true;
  const command = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid?.() === 0 && installed("apt-get")) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    run("apt-get", ["update"], { env });
    run("apt-get", command.split(" ").slice(1), { env });
  }
  const still = missing.filter((name) => !installed(PACKAGES[name]));
  if (still.length === 0) return true;
  console.log(`\n== SKIPPED: the tests that need ${still.join(", ")}. To run them, as root:\n     ${command}\n`);
  return false;
}

function installed(program) {
  if (isAbsolute(program)) return existsSync(program);
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function run(command, args, options = {}) {
  console.log(`\n== ${command} ${args.join(" ")}`);
  return spawnSync(command, args, { stdio: "inherit", ...options }).status;
}

function must(command, args) {
  if (run(command, args) !== 0) throw new Error(`${command} ${args.join(" ")} failed`);
}
