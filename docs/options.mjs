/**
 * Writes `options.md`, the reference of all options, from the tables of the built package:
 *
 *     npm run build && node docs/options.mjs
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** How each kind of value is written in an .ini file. */
const KINDS = {
  boolean: "yes or no",
  bytes: "size",
  count: "number",
  list: "list",
  mode: "octal",
  ms: "time",
  port: "number",
  text: "text",
  word: "word",
};
const SPELLINGS = [
  ["Kind", "In an .ini file", "In the library"],
  ["time", "`500ms`, `30s`, `5m`, `1h`; a bare number is seconds", "milliseconds"],
  ["size", "`65536`, `256k`, `1m`, `1g`: multiples of 1024", "bytes"],
  ["yes or no", "`true`, `yes`, `on`, `1`; `false`, `no`, `off`, `0`", "boolean"],
  ["list", "words, with spaces or commas between them", "array of strings"],
  ["octal", "`0660`", "number, `0o660`"],
];
const MS = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];
const BYTES = [
  ["g", 1024 ** 3],
  ["m", 1024 ** 2],
  ["k", 1024],
  ["", 1],
];

/**
 * @param {readonly import("../src/deploy/option-row.ts").ServerOption[]} options
 * @returns {string} Markdown, as oxfmt leaves it
 */
export function renderOptions(options) {
  const of = (scope) => options.filter((option) => option.scope === scope);
  return `# Options

Made by \`docs/options.mjs\` from the tables that the program itself reads: do not edit.

The first column is what a \`[server:…]\` section of an \`.ini\` file says; a word that is unknown there is an error, which
names the nearest one. In the library, \`createServer\` takes the same words in camelCase (\`max_body_bytes\` is
\`maxBodyBytes\`) and passes over what it does not know, as that may be an option of node http. One word differs:
\`request_timeout\` is \`responseTimeout\` there, since node http's \`requestTimeout\` is another thing. A value out of
range is an error in both.

${align(SPELLINGS)}

A time, a rate or a size of 0 is no limit at all; where that cannot be had, a least value is given.

## Where to listen

Either \`socket\`, or \`port\` with or without \`host\`, or \`fd\`. With none of them, the gateway takes the one socket that
systemd has passed, else the listening socket that the web server has put on descriptor 0
([Started by somebody else](started.md)). \`umask\` is another way to say \`socket_mode\`, which wins.

In the library these belong to \`listen\`: \`server.listen(port, host)\`, \`server.listen(path)\` or
\`server.listen({ path, mode, umask, owner, group })\`; \`server.listen()\` is descriptor 0.

${table(of("listen"))}

## How the app is run

\`debug\` is taken from \`[DEFAULT]\` where the section does not have it.

${table(of("app"))}

## The gateway: bounds and timeouts

\`keepalive_requests = 0\` is no limit either. In the library the roles are those that have a listener (\`request\`,
\`authorize\`, \`filter\`), and \`roles\` has no effect. A section that names an app by \`authorizer\` or \`filter\`
serves that role too, unless \`roles\` says which are served; a role in \`roles\` without an app of its own is answered by
the server's app.

${table(of("gateway"))}

## Pools of workers

For servers with threads or processes, and the library's \`serve\`. In the single mode they have no effect, which a warning
says.

${table(of("pool"))}

## Processes and logs

Of these the single mode has the access log, \`user\`, \`group\`, \`chdir\` and \`process_umask\`.

${table(of("process"))}

## The HTTP server

\`package:propylon#http\` (\`egg:Paste#http\`), for development, has \`host\` (default \`127.0.0.1\`) and \`port\`
(default \`8080\`) and none of the others.
`;
}

function table(options) {
  const rows = options.map(({ key, aliases, kind, min = 0, max, words, about, ...option }) => [
    [key, ...aliases].map((word) => `\`${word}\``).join(", "),
    KINDS[kind] + (min > 0 ? `, from ${min}` : "") + (max === undefined ? "" : ` to ${max}`),
    written(option.default, kind),
    about + (words !== undefined ? `: ${words.map((word) => `\`${word}\``).join(", ")}` : ""),
  ]);
  return align([["Option", "Kind", "Default", "Meaning"], ...rows]);
}

/** The default as an .ini file would say it. */
function written(value, kind) {
  if (value === undefined || value.length === 0) return "";
  if (value !== 0 && (kind === "ms" || kind === "bytes")) return `\`${withUnit(value, kind === "ms" ? MS : BYTES)}\``;
  return `\`${value}\``;
}

function withUnit(value, units) {
  const [unit, size] = units.find(([, size]) => value % size === 0);
  return `${value / size}${unit}`;
}

function align([head, ...rows]) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { SERVER_OPTIONS } = await import("../dist/deploy/options.js");
  writeFileSync(new URL("options.md", import.meta.url), renderOptions(SERVER_OPTIONS));
}
