/**
 * Makes matrix.md of what the end-to-end tests have found out: vitest's JSON reports have it.
 *
 *     node docs/matrix.mjs REPORT.json           writes docs/matrix.md
 *     node docs/matrix.mjs --check REPORT.json   fails where it says something else than the report
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PAGE = fileURLToPath(new URL("matrix.md", import.meta.url));

/** By feature: the heading of its column, and what a mark in it means. */
const FEATURES = {
  prefix: ["prefix", "the app below a path hears of it; by `mount`: its section has to say so"],
  streaming: ["streaming", "the first half of an answer is there before the second is written"],
  "early hints": ["early hints", "what an app says before its answer is passed on (`early_hints`)"],
  "upload of unknown length": [
    "chunked upload",
    "a body without `Content-Length` arrives; a number is the answer to it",
  ],
  "upload streamed": [
    "upload streams",
    "the app gets a body of 50 kB while it arrives; [the table](fronts.md) says what the others make of it",
  ],
  "client gone, writing": ["gone, writing", "the app hears that the client has left, while it writes its answer"],
  "client gone, thinking": [
    "gone, thinking",
    "… while it has not written anything yet; to the others it shows by the next output",
  ],
  "client gone, uploading": ["gone, uploading", "… in the middle of its upload"],
  "break without a length": ["breaks show", "an answer without a length that breaks off looks broken to the client"],
  "keep-alive": ["keep-alive", "a client's connection serves several requests"],
  authorizer: [
    "authorizer",
    "the web server asks an app before it lets a request pass, in FastCGI's role for that: SCGI and AJP have none, nginx, Caddy, h2o and HAProxy do not use it, and mod_authnz_fcgi knows no Unix sockets",
  ],
  sendfile: [
    "sendfile",
    "the web server sends the file that the app names by `X-Sendfile` or `X-Accel-Redirect`; h2o and HAProxy do not know these",
  ],
  upgrade: [
    "upgrade",
    "a WebSocket opens; `501` is the answer to it, `no`: the app hears of none. lighttpd can [from 1.4.74 on](websockets.md)",
  ],
};
const SERVERS = {
  apache: "Apache",
  lighttpd: "lighttpd",
  nginx: "nginx",
  caddy: "Caddy",
  h2o: "h2o",
  haproxy: "HAProxy",
};
const WORDS = { fastcgi: "FastCGI", scgi: "SCGI", ajp: "AJP", cgi: "CGI", tcp: "TCP", unix: "Unix socket" };

const [first, ...others] = process.argv.slice(2);
const check = first === "--check";
const reports = check ? others : [first, ...others];
const results = reports
  .flatMap((path) => JSON.parse(readFileSync(path, "utf8")).testResults)
  .flatMap(({ assertionResults }) => assertionResults);
for (const { fullName } of results.filter(({ status }) => status === "failed")) {
  process.stderr.write(`failed, and what it would have found out is missing: ${fullName}\n`);
}
const text = render(factsOf(results));
if (!check) {
  writeFileSync(PAGE, text);
} else if (plain(readFileSync(PAGE, "utf8")) !== plain(text)) {
  process.stdout.write(`docs/matrix.md is not what the tests have found out; npm run docs:matrix writes\n\n${text}`);
  process.exitCode = 1;
}

/** By row, in the order of the tests, and by feature. A fact that tests disagree about is no fact. */
function factsOf(results) {
  const rows = new Map();
  for (const { row, feature, value } of notes(results)) {
    const facts = rows.get(row) ?? new Map();
    const known = facts.get(feature);
    if (known !== undefined && known !== value) throw new Error(`${row}, ${feature}: both "${known}" and "${value}"`);
    rows.set(row, facts.set(feature, value));
  }
  return rows;
}

/** Of tests that have passed. */
function notes(results) {
  return results.filter(({ status }) => status === "passed").flatMap(({ meta }) => meta?.facts ?? []);
}

function render(rows) {
  const columns = Object.entries(FEATURES);
  const lines = [...rows]
    .map(([row, facts]) => ({ row, cells: columns.map(([feature]) => facts.get(feature) ?? "") }))
    .toSorted((a, b) => rank(a.row) - rank(b.row) || (a.row < b.row ? -1 : 1))
    .map(({ row, cells }) => `| ${nameOf(row)} | ${cells.join(" | ")} |`);
  return `# What each web server can do

<!-- Made by docs/matrix.mjs from the results of the tests: do not edit. -->

As the end-to-end tests have found it out with the [example configurations](examples.md), on Debian 12. An empty field is
what no test tries; where the web server cannot do it anyway, the list below the table says so.
[Web servers, one by one](fronts.md) says what to make of it.

| Web server, protocol, transport | ${columns.map(([, [heading]]) => heading).join(" | ")} |
| --- |${" --- |".repeat(columns.length)}
${lines.join("\n")}

${columns.map(([, [heading, meaning]]) => `- **${heading}**: ${meaning}`).join("\n")}
`;
}

function rank(row) {
  return Object.keys(SERVERS).indexOf(row.split(" ")[0]);
}

/** `apache fastcgi unix`, with what else there is to it. */
function nameOf(row) {
  const [way, ...more] = row.split(", ");
  const [server, ...words] = way.split(" ");
  return [SERVERS[server], ...words.map((word) => WORDS[word]), ...more].join(", ");
}

/** Columns may have any width. */
function plain(markdown) {
  return markdown.replaceAll(/[ -]+/g, " ");
}
