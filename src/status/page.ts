/** A report as one HTML page, which holds all that it needs and no script. */
import { createHash } from "node:crypto";

import type { StatusReport } from "../report.ts";
import { type Column, summaryOf } from "./summary.ts";

/** Seconds after which a browser asks anew. */
const REFRESH = 5;

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2530; --dim: #5c6773; --ground: #f6f7f9; --card: #fff; --rule: #dde2e8;
  --good: #11734a; --bad: #b3261e; --bad-ground: #fdecea }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --dim: #98a4b1; --ground: #12161b; --card: #1a2027;
  --rule: #2d3640; --good: #5ecb97; --bad: #ff8a80; --bad-ground: #3a1f1f } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem; max-width: 90rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .3rem 1rem; margin-bottom: 1rem }
h1 { margin: 0; font-size: 1.3rem; overflow-wrap: anywhere }
h2 { margin: 1.6rem 0 .5rem; font-size: .95rem; color: var(--dim) }
.state { font-weight: 600; color: var(--good) }
.bad { color: var(--bad) }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: .5rem; overflow-x: auto }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0; padding: .8rem 1rem }
dt { color: var(--dim) }
dd { margin: 0; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .8rem; text-align: left; white-space: nowrap; vertical-align: top }
th { color: var(--dim); font-weight: 500; font-size: .85rem }
tr + tr > td, tbody > tr > td { border-top: 1px solid var(--rule) }
.number { text-align: right }
td:last-child:not(.number) { white-space: normal; overflow-wrap: anywhere; min-width: 18rem; width: 60% }
tr.bad { background: var(--bad-ground) }
pre { margin: 0; padding: .8rem 1rem; font: 13px/1.45 ui-monospace, monospace }
pre + pre { border-top: 1px solid var(--rule) }
footer { margin-top: 1.5rem; color: var(--dim); font-size: .85rem }
a { color: inherit }
`;

/** Nothing is loaded, run, sent or framed; the one style sheet is known by its hash. */
export const PAGE_POLICY: string = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export function pageOf(report: StatusReport): string {
  const { title, state, ready, facts, columns, rows, counters, slowLog } = summaryOf(report);
  const at = new Date(report.now).toISOString();
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="${REFRESH}">
<title>${escape(`${state} - ${title}`)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escape(title)}</h1><span class="state${ready ? "" : " bad"}">${escape(state)}</span></header>
<dl class="card">
${facts.map(({ name, text, alarming }) => `<dt>${escape(name)}</dt><dd${alarming ? ' class="bad"' : ""}>${escape(text)}</dd>`).join("\n")}
</dl>
<h2>Workers</h2>
${rows.length === 0 ? "<p>There are none.</p>" : workerTable(columns, rows)}
${counters.length === 0 ? "" : `<h2>Counters</h2>\n${counterTable(counters)}`}
${slowLog.length === 0 ? "" : `<h2>Slow log</h2>\n<div class="card">${slowLog.map((lines) => `<pre>${escape(lines.join("\n"))}</pre>`).join("")}</div>`}
<footer>As of ${at}, anew every ${REFRESH} seconds.
<a href="status.json">JSON</a> <a href="status.txt">text</a> <a href="metrics">metrics</a></footer>
</body>
</html>
`;
}

function workerTable(
  columns: readonly Column[],
  rows: readonly { readonly cells: readonly string[]; readonly alarming: boolean }[],
): string {
  const kind = columns.map(({ numeric }) => (numeric ? ' class="number"' : ""));
  const heads = columns.map(({ title }, at) => `<th scope="col"${kind[at]}>${escape(title)}</th>`);
  const body = rows.map(({ cells, alarming }) => {
    const all = cells.map((cell, at) => `<td${kind[at]}>${escape(cell)}</td>`);
    return `<tr${alarming ? ' class="bad"' : ""}>${all.join("")}</tr>`;
  });
  return `<div class="card"><table><thead><tr>${heads.join("")}</tr></thead><tbody>\n${body.join("\n")}\n</tbody></table></div>`;
}

function counterTable(counters: readonly (readonly [name: string, count: string, rate: string])[]): string {
  const items = counters.map(([name, count]) => `<dt>${escape(name)}</dt><dd>${escape(count)}</dd>`);
  return `<dl class="card">${items.join("\n")}</dl>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
